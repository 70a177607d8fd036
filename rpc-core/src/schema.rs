//! What an encoded value looks like, by structure.
//!
//! postcard does not describe itself, so whoever wants to look into bytes without knowing their Rust type (to
//! find the stub that a pipelined call goes to, to check what a stranger sent, to forward between unlike wires)
//! walks them by a [`Schema`]. The same schema is what the signature of a method is the hash of.
//!
//! Nothing here recurses by the bytes it is given: walks keep their own stack, and its depth is limited.

mod build;
mod hash;
mod project;
mod size;
mod walk;

#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::error::Error;
use crate::interface::Interface;
use crate::value::RpcValue;

pub use build::{FieldsBuilder, SchemaBuilder, VariantsBuilder};
pub(crate) use hash::{FNV_START, fnv, fold};

use size::Size;
use walk::Walk;

/// Levels of records, choices, sequences and maps that a value may have: what serde recurses by.
pub(crate) const MAX_DEPTH: usize = 64;

/// Elements that a sequence may announce if they take no bytes, so that nothing else bounds them.
pub(crate) const MAX_EMPTY_ELEMENTS: u64 = 65_536;

/// Gives an interface when it is asked for: interfaces hold schemas, which name interfaces, and so on.
pub type InterfaceOf = fn() -> &'static Interface;

/// Index of a node in its schema.
type NodeId = u32;

/// One type of a schema. Types that are encoded alike are alike: newtypes and boxes are what they hold.
#[derive(Debug)]
enum Node {
    Bool,
    /// 8 bits are one byte, more are a varint, zigzag if signed.
    Int {
        bits: u8,
        signed: bool,
    },
    Float {
        bits: u8,
    },
    Char,
    String,
    Bytes,
    /// A byte string that nobody looks into.
    Opaque,
    /// The index of a capability of the message, and what it can do, where that is known.
    Cap(Option<InterfaceOf>),
    Option(NodeId),
    Seq(NodeId),
    Map(NodeId, NodeId),
    Array(NodeId, u32),
    Record(Box<[Field]>),
    Choice(Box<[Variant]>),
}

/// A part of a record.
#[derive(Debug)]
struct Field {
    /// Empty for the elements of tuples.
    name: &'static str,
    node: NodeId,
}

/// One possibility of a choice.
#[derive(Debug)]
struct Variant {
    name: &'static str,
    shape: Shape,
    fields: Box<[Field]>,
}

/// How a variant was declared.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Unit,
    Newtype,
    Tuple,
    Record,
}

/// The structure of a type of values.
#[derive(Debug)]
pub struct Schema {
    /// The root is node 0.
    nodes: Box<[Node]>,
    /// How many bytes each node takes.
    sizes: Box<[Size]>,
    has_caps: bool,
    moves: bool,
    needs_check: bool,
    /// The method whose result this is, for messages to humans.
    method: Option<&'static str>,
    /// Puts the error of that method in words, from its encoding.
    explain: Option<Explain>,
}

/// Puts a method's own error in words, from its encoding. It runs a user's `Deserialize` and `Display`, in a net; an
/// error that holds stubs has no words.
pub(crate) type Explain = fn(&Bytes) -> Option<String>;

impl Schema {
    /// The schema of `T`.
    pub fn of<T: RpcValue>() -> Self {
        Self::describe(T::describe)
    }

    /// The schema that `describe` writes.
    pub(crate) fn describe(describe: impl FnOnce(&mut SchemaBuilder)) -> Self {
        let mut builder = SchemaBuilder::new();
        describe(&mut builder);
        builder.finish()
    }

    /// The same, for the result of this method.
    #[must_use]
    pub(crate) fn of_method(self, name: &'static str) -> Self {
        Self { method: Some(name), ..self }
    }

    /// The same, for a method whose errors can be put in words.
    #[must_use]
    pub(crate) fn explained_by(self, explain: Explain) -> Self {
        Self { explain: Some(explain), ..self }
    }

    /// How the error of the method is put in words, where that is known.
    pub(crate) fn explain(&self) -> Option<Explain> {
        self.explain
    }

    /// The method whose result this is, where that is known.
    pub(crate) fn method(&self) -> Option<&'static str> {
        self.method
    }

    /// Whether values may hold capabilities.
    pub fn has_caps(&self) -> bool {
        self.has_caps
    }

    /// Whether values move in process: if not, they are copied as they would be on a wire.
    pub fn moves(&self) -> bool {
        self.moves
    }

    /// Whether bytes from a stranger must pass [`check`](Self::check) before serde may see them. Other types
    /// bound their own decoding.
    #[inline]
    pub fn needs_check(&self) -> bool {
        self.needs_check
    }

    /// Checks that serde can decode what `body` begins with without recursing too deep or believing an announced
    /// length; gives the number of bytes that the value takes. It does not check text for UTF-8.
    pub fn check(&self, body: &[u8]) -> Result<usize, Error> {
        self.check_node(0, body)
    }

    /// [`check`](Self::check) for one element of a tuple, such as an argument, or for what an element holds that
    /// is an option.
    pub(crate) fn check_element(
        &self,
        index: usize,
        inside_option: bool,
        body: &[u8],
    ) -> Result<usize, Error> {
        // Whoever asks for an element that does not exist decodes none.
        let Some(element) = self.elements().get(index) else { return Ok(0) };
        match self.node(element.node) {
            Node::Option(inner) if inside_option => self.check_node(*inner, body),
            _ => self.check_node(element.node, body),
        }
    }

    /// What serde is given has passed [`check`](Self::check), if its shape needs that: bytes of a peer must not
    /// steer recursion or allocation (R11).
    #[inline]
    pub(crate) fn check_untrusted(&self, body: &[u8]) -> Result<(), Error> {
        if self.needs_check {
            self.check(body)?;
        }
        Ok(())
    }

    fn check_node(&self, node: NodeId, body: &[u8]) -> Result<usize, Error> {
        let mut walk = Walk::new(self, body);
        walk.skip(node)?;
        Ok(walk.at())
    }

    /// The stubs in a value: their indexes, and their interfaces.
    pub(crate) fn stubs(&self, body: &[u8]) -> Result<Vec<(u32, InterfaceOf)>, Error> {
        self.stubs_of_node(0, body).map(|(_, stubs)| stubs)
    }

    /// The same for one element of a tuple, with the number of bytes that it takes, as [`check_element`] does.
    ///
    /// [`check_element`]: Self::check_element
    pub(crate) fn stubs_of_element(
        &self,
        index: usize,
        inside_option: bool,
        body: &[u8],
    ) -> Result<(usize, Vec<(u32, InterfaceOf)>), Error> {
        let Some(element) = self.elements().get(index) else { return Ok((0, Vec::new())) };
        match self.node(element.node) {
            Node::Option(inner) if inside_option => self.stubs_of_node(*inner, body),
            _ => self.stubs_of_node(element.node, body),
        }
    }

    fn stubs_of_node(&self, node: NodeId, body: &[u8]) -> Result<(usize, Vec<(u32, InterfaceOf)>), Error> {
        let mut walk = Walk::collecting(self, body);
        walk.skip(node)?;
        Ok((walk.at(), walk.stubs()))
    }

    /// A hash of the structure: equal for types that encode alike and name their parts alike.
    pub fn hash(&self) -> u32 {
        fold(self.hashes()[0])
    }

    /// The number of elements of a tuple.
    pub(crate) fn count(&self) -> usize {
        self.elements().len()
    }

    /// The hash of each element of a tuple.
    pub(crate) fn element_hashes(&self) -> Vec<u64> {
        let hashes = self.hashes();
        self.elements().iter().map(|element| hashes[element.node as usize]).collect()
    }

    /// The hash before it is folded.
    pub(crate) fn wide_hash(&self) -> u64 {
        self.hashes()[0]
    }

    fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    fn size(&self, id: NodeId) -> Size {
        self.sizes[id as usize]
    }

    /// The parts of the root, if it has parts.
    fn elements(&self) -> &[Field] {
        match self.node(0) {
            Node::Record(fields) => fields,
            _ => &[],
        }
    }
}
