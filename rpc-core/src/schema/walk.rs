//! Going over encoded values by their schema.

use std::fmt;

use super::{Field, InterfaceOf, MAX_DEPTH, MAX_EMPTY_ELEMENTS, Node, NodeId, Schema};
use crate::error::{Error, ErrorKind};

/// A place in the bytes of a value.
pub(super) struct Walk<'a> {
    schema: &'a Schema,
    body: &'a [u8],
    at: usize,
    /// What is left of the records, sequences and maps around this place.
    levels: Vec<Level<'a>>,
    /// The indexes of the capabilities that were gone past, if somebody wants them.
    caps: Option<Vec<u32>>,
    /// The stubs that it came past, if they are wanted.
    stubs: Option<Vec<(u32, InterfaceOf)>>,
}

enum Level<'a> {
    Fields(std::slice::Iter<'a, Field>),
    /// Elements of a sequence or an array, or in turn keys and values of a map.
    Elements {
        /// The type of the next one where an even number is left, and where an odd one is.
        types: [NodeId; 2],
        left: u64,
    },
}

impl Level<'_> {
    fn next(&mut self) -> Option<NodeId> {
        match self {
            Level::Fields(fields) => fields.next().map(|field| field.node),
            Level::Elements { types, left } => {
                let node = types[(*left % 2) as usize];
                *left = left.checked_sub(1)?;
                Some(node)
            }
        }
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(schema: &'a Schema, body: &'a [u8]) -> Self {
        Walk { schema, body, at: 0, levels: Vec::new(), caps: None, stubs: None }
    }

    /// One that remembers the stubs that it comes past.
    pub(super) fn collecting(schema: &'a Schema, body: &'a [u8]) -> Self {
        Walk { stubs: Some(Vec::new()), ..Self::new(schema, body) }
    }

    /// The indexes of the stubs that it came past, and their interfaces.
    pub(super) fn stubs(self) -> Vec<(u32, InterfaceOf)> {
        self.stubs.unwrap_or_default()
    }

    /// How many bytes are behind.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Goes to the end of the value of type `node` that begins here.
    pub(super) fn skip(&mut self, node: NodeId) -> Result<(), Error> {
        self.enter(node)?;
        while let Some(level) = self.levels.last_mut() {
            match level.next() {
                Some(node) => self.enter(node)?,
                None => drop(self.levels.pop()),
            }
        }
        Ok(())
    }

    /// Goes past the tag of an option, and says whether there is a value behind it.
    pub(super) fn some(&mut self) -> Result<bool, Error> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            tag => Err(bad(format_args!("{tag} says neither `None` nor `Some`"))),
        }
    }

    /// From now on the capabilities are collected that it goes past.
    pub(super) fn collect_caps(&mut self) {
        self.caps = Some(Vec::new());
    }

    pub(super) fn into_caps(self) -> Vec<u32> {
        self.caps.unwrap_or_default()
    }

    /// Goes past the index of a capability.
    pub(super) fn cap(&mut self) -> Result<u32, Error> {
        // A varint of 32 bits cannot be larger.
        let index = self.varint(32)? as u32;
        if let Some(caps) = &mut self.caps {
            caps.push(index);
        }
        Ok(index)
    }

    /// Goes past a value without parts, or into one with parts.
    fn enter(&mut self, node: NodeId) -> Result<(), Error> {
        let schema = self.schema;
        let size = schema.size(node);
        if size.fixed {
            return self.take(u64::from(size.min));
        }
        match schema.node(node) {
            Node::Bool => self.take(1),
            Node::Float { bits } => self.take(u64::from(*bits) / 8),
            Node::Int { bits, .. } => self.varint(*bits).map(drop),
            Node::Cap(interface) => {
                let index = self.cap()?;
                if let (Some(stubs), Some(interface)) = (&mut self.stubs, interface) {
                    stubs.push((index, *interface));
                }
                Ok(())
            }
            Node::Char | Node::String | Node::Bytes | Node::Opaque => {
                let length = self.varint(64)?;
                self.take(length)
            }
            Node::Option(inner) => match self.some()? {
                false => Ok(()),
                // Else a type that is nothing but options of itself would have no levels to count. This is also
                // why the other arm cannot call itself again.
                true if matches!(schema.node(*inner), Node::Option(_)) => self.enter_elements([*inner; 2], 1),
                true => self.enter(*inner),
            },
            Node::Array(element, length) => self.enter_elements([*element; 2], u64::from(*length)),
            Node::Seq(element) => {
                let length = self.announced(schema.size(*element).min)?;
                self.enter_elements([*element; 2], length)
            }
            Node::Map(key, value) => {
                let entry = schema.size(*key).min.saturating_add(schema.size(*value).min);
                let length = self.announced(entry)?;
                self.enter_elements([*key, *value], length.saturating_mul(2))
            }
            Node::Record(fields) => self.enter_level(Level::Fields(fields.iter())),
            Node::Choice(variants) => {
                let index = self.varint(32)?;
                match usize::try_from(index).ok().and_then(|index| variants.get(index)) {
                    Some(variant) => self.enter_level(Level::Fields(variant.fields.iter())),
                    None => Err(bad(format_args!("there is no variant {index} among {}", variants.len()))),
                }
            }
        }
    }

    fn enter_elements(&mut self, types: [NodeId; 2], left: u64) -> Result<(), Error> {
        // Bytes, numbers and other elements of one size are not gone over one by one.
        let sizes = types.map(|node| self.schema.size(node));
        if types[0] == types[1] && sizes[0].fixed {
            return self.take(left.saturating_mul(u64::from(sizes[0].min)));
        }
        self.enter_level(Level::Elements { types, left })
    }

    fn enter_level(&mut self, level: Level<'a>) -> Result<(), Error> {
        if self.levels.len() >= MAX_DEPTH {
            let text = format!("a value is nested deeper than the {MAX_DEPTH} levels that are allowed");
            return Err(Error::new(ErrorKind::Limit, text));
        }
        self.levels.push(level);
        Ok(())
    }

    /// The length of a sequence or map whose elements or entries take at least `min` bytes.
    fn announced(&mut self, min: u32) -> Result<u64, Error> {
        let length = self.varint(64)?;
        if min == 0 {
            if length > MAX_EMPTY_ELEMENTS {
                let text = format!(
                    "{length} elements that take no bytes are announced, and {MAX_EMPTY_ELEMENTS} are allowed"
                );
                return Err(Error::new(ErrorKind::Limit, text));
            }
        } else if length > (self.left() as u64) / u64::from(min) {
            return Err(bad(format_args!(
                "{length} elements are announced, with {} bytes left",
                self.left()
            )));
        }
        Ok(length)
    }

    fn left(&self) -> usize {
        self.body.len() - self.at
    }

    fn take(&mut self, count: u64) -> Result<(), Error> {
        match usize::try_from(count) {
            Ok(count) if count <= self.left() => {
                self.at += count;
                Ok(())
            }
            _ => Err(bad(format_args!("{count} bytes are announced, with {} left", self.left()))),
        }
    }

    fn byte(&mut self) -> Result<u8, Error> {
        let byte = self.body.get(self.at).copied().ok_or_else(|| bad(format_args!("it ends too early")))?;
        self.at += 1;
        Ok(byte)
    }

    /// A varint of at most so many bits; gives its low 64.
    fn varint(&mut self, bits: u8) -> Result<u64, Error> {
        let mut value = 0u64;
        let mut shift = 0u32;
        loop {
            let byte = self.byte()?;
            let room = u32::from(bits) - shift;
            let low = byte & 0x7f;
            if room < 7 && low >> room != 0 {
                return Err(bad(format_args!("a number does not fit into {bits} bits")));
            }
            if shift < u64::BITS {
                value |= u64::from(low) << shift;
            }
            if byte & 0x80 == 0 {
                return Ok(value);
            }
            if room <= 7 {
                return Err(bad(format_args!("a number does not fit into {bits} bits")));
            }
            shift += 7;
        }
    }
}

#[cold]
fn bad(what: fmt::Arguments<'_>) -> Error {
    Error::new(ErrorKind::BadArguments, format!("a value could not be decoded: {what}"))
}
