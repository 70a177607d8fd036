//! Finding a part of an encoded value by a path of field indexes.

use std::ops::Range;

use super::walk::Walk;
use super::{Field, Node, NodeId, Schema};
use crate::error::{Error, ErrorKind};

impl Schema {
    /// The capability that a path leads to, for a call on it. Options are looked through, also at the end.
    pub fn project_cap(&self, body: &[u8], path: &[u16]) -> Result<u32, Error> {
        let mut place = self.descend(body, path)?;
        place.look_through_options()?;
        match self.node(place.node) {
            Node::Cap(_) => place.walk.cap(),
            node => Err(bad_path(format!("{} is {} and cannot be called", place.name, article(node)))),
        }
    }

    /// Where in the body the value stands that a path leads to, for an argument; what stands there is its encoding,
    /// with indexes into the capabilities of the whole. Options are looked through on the way, but not at the end.
    pub fn project_value(&self, body: &[u8], path: &[u16]) -> Result<Range<usize>, Error> {
        let Place { mut walk, node, .. } = self.descend(body, path)?;
        let start = walk.at();
        walk.skip(node)?;
        Ok(start..walk.at())
    }

    /// The same, and the indexes of the capabilities in it.
    pub(crate) fn project_with_caps(
        &self,
        body: &[u8],
        path: &[u16],
    ) -> Result<(Range<usize>, Vec<u32>), Error> {
        let Place { mut walk, node, .. } = self.descend(body, path)?;
        let start = walk.at();
        walk.collect_caps();
        walk.skip(node)?;
        Ok((start..walk.at(), walk.into_caps()))
    }

    fn descend<'a>(&'a self, body: &'a [u8], path: &[u16]) -> Result<Place<'a>, Error> {
        let mut place = Place { walk: Walk::new(self, body), schema: self, node: 0, name: Name::Result };
        for &index in path {
            place.look_through_options()?;
            place.enter_field(index)?;
        }
        Ok(place)
    }
}

/// Where a path has led so far.
struct Place<'a> {
    walk: Walk<'a>,
    schema: &'a Schema,
    node: NodeId,
    name: Name,
}

impl Place<'_> {
    fn look_through_options(&mut self) -> Result<(), Error> {
        while let Node::Option(inner) = self.schema.node(self.node) {
            if !self.walk.some()? {
                return Err(bad_path(format!("{} is `None`", self.name)));
            }
            self.node = *inner;
        }
        Ok(())
    }

    fn enter_field(&mut self, index: u16) -> Result<(), Error> {
        let fields: &[Field] = match self.schema.node(self.node) {
            Node::Record(fields) => fields,
            node => return Err(bad_path(format!("{} is {} and has no fields", self.name, article(node)))),
        };
        let Some((field, before)) = fields.get(..=usize::from(index)).and_then(<[Field]>::split_last) else {
            return Err(bad_path(format!(
                "{} has {} fields and none of index {index}",
                self.name,
                fields.len()
            )));
        };
        for field in before {
            self.walk.skip(field.node)?;
        }
        self.node = field.node;
        self.name = if field.name.is_empty() { Name::Element(index) } else { Name::Field(field.name) };
        Ok(())
    }
}

/// What to call a place in an error.
enum Name {
    Result,
    Field(&'static str),
    Element(u16),
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Result => f.write_str("the result"),
            Self::Field(name) => write!(f, "the field `{name}`"),
            Self::Element(index) => write!(f, "the element {index}"),
        }
    }
}

fn article(node: &Node) -> &'static str {
    match node {
        Node::Bool => "a bool",
        Node::Int { .. } | Node::Float { .. } => "a number",
        Node::Char => "a character",
        Node::String => "a string",
        Node::Bytes => "a byte string",
        Node::Opaque => "opaque data",
        Node::Cap(_) => "a stub",
        Node::Option(_) => "an option",
        Node::Seq(_) => "a sequence",
        Node::Map(..) => "a map",
        Node::Array(..) => "an array",
        Node::Record(_) => "a struct or tuple",
        Node::Choice(_) => "an enum",
    }
}

fn bad_path(text: String) -> Error {
    Error::new(ErrorKind::BadPath, text)
}
