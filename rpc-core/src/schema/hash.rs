//! Hashes of structure, of which signatures are made.
//!
//! The hash of a type is FNV-1a (64 bits) over its kind, the names of its parts in order, and the hashes of the
//! parts themselves: neither type names nor module paths enter, so that a type can be renamed and moved.
//!
//! A recursive type has no such hash, so the types of a schema are hashed in rounds: every hash is 0 at first, and
//! each round makes the new hashes from those of the round before. What has no recursion in it is final after as
//! many rounds as it has levels. What has is given [`ROUNDS`] rounds: enough to tell two types apart by any
//! value that is not nested too deep to be decoded. So a hash depends neither on the type that one begins with
//! nor on how often Rust types share their parts, and takes time in proportion to the schema, which hashing along
//! every way through mutually recursive types does not.

use super::{Field, MAX_DEPTH, Node, NodeId, Schema, Shape};

/// An option inside each level, and the leaf.
const ROUNDS: usize = 2 * MAX_DEPTH + 2;

/// Where FNV-1a with 64 bits starts.
pub(crate) const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// Continues an FNV-1a hash.
pub(crate) const fn fnv(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}

/// 32 bits of a hash: its halves, exclusive or.
pub(crate) const fn fold(hash: u64) -> u32 {
    (hash >> 32) as u32 ^ hash as u32
}

impl Schema {
    /// The hash of every node.
    pub(super) fn hashes(&self) -> Vec<u64> {
        let mut hashes = vec![0; self.nodes.len()];
        for _ in 0..ROUNDS {
            let next: Vec<u64> = self.nodes.iter().map(|node| hash(node, &hashes)).collect();
            if next == hashes {
                break;
            }
            hashes = next;
        }
        hashes
    }
}

/// The hash of one node by those of its parts. The first byte is the kind; numbers of kinds are never reused.
fn hash(node: &Node, parts: &[u64]) -> u64 {
    let kind = |kind: u8, bytes: &[u8]| fnv(fnv(FNV_START, &[kind]), bytes);
    let part = |id: NodeId| parts[id as usize].to_le_bytes();
    match node {
        Node::Bool => kind(1, &[]),
        Node::Int { bits, signed: false } => kind(2, &[*bits]),
        Node::Int { bits, signed: true } => kind(3, &[*bits]),
        Node::Float { bits } => kind(4, &[*bits]),
        Node::Char => kind(5, &[]),
        Node::String => kind(6, &[]),
        // Encoded alike, so that a method may go over from `Vec<u8>` to `Bytes`.
        Node::Bytes => kind(10, &hash(&Node::Int { bits: 8, signed: false }, parts).to_le_bytes()),
        Node::Opaque => kind(7, &[]),
        Node::Cap(_) => kind(8, &[]),
        Node::Option(inner) => kind(9, &part(*inner)),
        Node::Seq(element) => kind(10, &part(*element)),
        Node::Map(key, value) => fnv(kind(11, &part(*key)), &part(*value)),
        Node::Array(element, length) => fnv(kind(12, &part(*element)), &length.to_le_bytes()),
        Node::Record(fields) => hash_fields(kind(13, &[]), fields, parts),
        Node::Choice(variants) => variants.iter().fold(kind(14, &[]), |hash, variant| {
            let shape = match variant.shape {
                Shape::Unit => 0,
                Shape::Newtype => 1,
                Shape::Tuple => 2,
                Shape::Record => 3,
            };
            hash_fields(fnv(hash_name(hash, variant.name), &[shape]), &variant.fields, parts)
        }),
    }
}

/// The number of fields, and of each its name and its type.
fn hash_fields(hash: u64, fields: &[Field], parts: &[u64]) -> u64 {
    let counted = fnv(hash, &(fields.len() as u32).to_le_bytes());
    fields.iter().fold(counted, |hash, field| {
        fnv(hash_name(hash, field.name), &parts[field.node as usize].to_le_bytes())
    })
}

/// Its length comes before it, so that no two lists of names are one string.
fn hash_name(hash: u64, name: &str) -> u64 {
    fnv(fnv(hash, &(name.len() as u32).to_le_bytes()), name.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{FNV_START, Schema, fnv, fold};
    use crate::promise::NoPipeline;
    use crate::schema::SchemaBuilder;
    use crate::value::{IntoValue, Never, RpcValue};
    use serde::{Deserialize, Serialize};

    fn hash<T: RpcValue>() -> u32 {
        Schema::of::<T>().hash()
    }

    /// A type that is nothing but its description.
    macro_rules! described {
        ($($name:ident: |$schema:ident| $describe:expr;)*) => {$(
            #[derive(Serialize, Deserialize)]
            struct $name;

            impl IntoValue for $name {
                type Value = Self;

                fn into_value(self) -> Self {
                    self
                }
            }

            impl RpcValue for $name {
                type Pipeline = NoPipeline;

                fn describe($schema: &mut SchemaBuilder) {
                    $describe;
                }
            }
        )*};
    }

    described! {
        User: |schema| schema.record::<Self>(|s| {
            s.field::<String>("name");
            s.field::<u32>("age");
        });
        Renamed: |schema| schema.record::<Self>(|s| {
            s.field::<String>("name");
            s.field::<u32>("age");
        });
        Swapped: |schema| schema.record::<Self>(|s| {
            s.field::<u32>("age");
            s.field::<String>("name");
        });
        OtherField: |schema| schema.record::<Self>(|s| {
            s.field::<String>("name");
            s.field::<u32>("years");
        });
        Stub: |schema| schema.cap();
        Function: |schema| schema.cap();
        Wrapped: |schema| schema.newtype::<u32>();
        Ints: |schema| schema.choice::<Self>(|s| {
            s.newtype_variant::<i64>("A");
            s.unit_variant("B");
        });
        Tuples: |schema| schema.choice::<Self>(|s| {
            s.tuple_variant("A", |s| s.element::<i64>());
            s.unit_variant("B");
        });
        List: |schema| schema.record::<Self>(|s| {
            s.field::<u8>("value");
            s.field::<Option<Box<Self>>>("next");
        });
        SameList: |schema| schema.record::<Self>(|s| {
            s.field::<u8>("value");
            s.field::<Option<Box<Self>>>("next");
        });
        OtherList: |schema| schema.record::<Self>(|s| {
            s.field::<u16>("value");
            s.field::<Option<Box<Self>>>("next");
        });
        Even: |schema| schema.record::<Self>(|s| s.field::<Option<Box<Odd>>>("next"));
        Odd: |schema| schema.record::<Self>(|s| s.field::<Option<Box<Even>>>("next"));
        EvenFirst: |schema| schema.tuple_record::<Self>(|s| {
            s.element::<Even>();
            s.element::<Odd>();
        });
        OddFirst: |schema| schema.tuple_record::<Self>(|s| {
            s.element::<Odd>();
            s.element::<Even>();
        });
    }

    #[test]
    fn fnv_is_fnv_1a() {
        assert_eq!(fnv(FNV_START, b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv(FNV_START, b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv(FNV_START, b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(fold(0x8594_4171_f739_67e8), 0x72ad_2699);
    }

    #[test]
    fn r10_types_are_told_apart_by_structure() {
        let all = [
            hash::<()>(),
            hash::<bool>(),
            hash::<u8>(),
            hash::<i8>(),
            hash::<u32>(),
            hash::<i32>(),
            hash::<u64>(),
            hash::<f32>(),
            hash::<f64>(),
            hash::<char>(),
            hash::<String>(),
            hash::<Vec<u8>>(),
            hash::<Vec<u32>>(),
            hash::<[u32; 2]>(),
            hash::<[u32; 3]>(),
            hash::<Option<u32>>(),
            hash::<Option<i32>>(),
            hash::<Option<Option<u32>>>(),
            hash::<std::collections::HashMap<u32, u8>>(),
            hash::<std::collections::HashMap<u8, u32>>(),
            hash::<(u32,)>(),
            hash::<(u32, u8)>(),
            hash::<(u8, u32)>(),
            hash::<((u8, u32),)>(),
            hash::<crate::value::Plain<u8>>(),
            hash::<Never>(),
            hash::<User>(),
            hash::<Swapped>(),
            hash::<OtherField>(),
            hash::<Stub>(),
            hash::<Ints>(),
            hash::<Tuples>(),
            hash::<List>(),
            hash::<OtherList>(),
            hash::<EvenFirst>(),
        ];
        assert_eq!(HashSet::from(all).len(), all.len());
    }

    #[test]
    fn r10_names_of_types_do_not_count() {
        assert_eq!(hash::<User>(), hash::<Renamed>());
        assert_eq!(hash::<Stub>(), hash::<Function>());
        assert_eq!(hash::<Wrapped>(), hash::<u32>());
        assert_eq!(hash::<Box<u32>>(), hash::<u32>());
        assert_eq!(hash::<usize>(), hash::<u64>());
        assert_eq!(hash::<Vec<u8>>(), hash::<bytes::Bytes>());
        assert_eq!(hash::<Vec<u8>>(), hash::<std::collections::BTreeSet<u8>>());
        assert_eq!(hash::<(User, Renamed)>(), hash::<(User, User)>());
        assert_eq!(hash::<List>(), hash::<SameList>());
        assert_eq!(hash::<(List, SameList)>(), hash::<(List, List)>());
    }

    #[test]
    fn r10_a_hash_does_not_depend_on_where_one_begins() {
        assert_eq!(hash::<Even>(), hash::<Odd>());
        assert_eq!(hash::<EvenFirst>(), hash::<OddFirst>());
        let inner = |schema: Schema| schema.element_hashes();
        assert_eq!(inner(Schema::of::<(Even, Odd)>())[0], Schema::of::<Even>().wide_hash());
        assert_eq!(inner(Schema::of::<(Odd, u8, Even)>())[2], Schema::of::<Even>().wide_hash());
    }

    /// Sixteen types that each refer to all: there are 16! ways through them.
    struct Knot<const N: u8>;

    impl<const N: u8> Serialize for Knot<N> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_unit()
        }
    }

    impl<'de, const N: u8> Deserialize<'de> for Knot<N> {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            <()>::deserialize(deserializer).map(|()| Self)
        }
    }

    impl<const N: u8> IntoValue for Knot<N> {
        type Value = Self;

        fn into_value(self) -> Self {
            self
        }
    }

    impl<const N: u8> RpcValue for Knot<N> {
        type Pipeline = NoPipeline;

        fn describe(schema: &mut SchemaBuilder) {
            schema.record::<Self>(|s| {
                s.field::<[u8; 3]>(if N == 7 { "seven" } else { "other" });
                s.field::<Vec<Knot<0>>>("a");
                s.field::<Vec<Knot<1>>>("b");
                s.field::<Vec<Knot<2>>>("c");
                s.field::<Vec<Knot<3>>>("d");
                s.field::<Vec<Knot<4>>>("e");
                s.field::<Vec<Knot<5>>>("f");
                s.field::<Vec<Knot<6>>>("g");
                s.field::<Vec<Knot<7>>>("h");
                s.field::<Vec<Knot<8>>>("i");
                s.field::<Vec<Knot<9>>>("j");
                s.field::<Vec<Knot<10>>>("k");
                s.field::<Vec<Knot<11>>>("l");
                s.field::<Vec<Knot<12>>>("m");
                s.field::<Vec<Knot<13>>>("n");
                s.field::<Vec<Knot<14>>>("o");
                s.field::<Vec<Knot<15>>>("p");
            });
        }
    }

    #[test]
    fn r10_mutual_recursion_is_hashed_in_no_time() {
        let start = std::time::Instant::now();
        assert_eq!(hash::<Knot<1>>(), hash::<Knot<2>>());
        assert_ne!(hash::<Knot<1>>(), hash::<Knot<7>>());
        assert!(start.elapsed() < std::time::Duration::from_secs(5));
    }
}
