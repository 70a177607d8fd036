//! How many bytes values take at least, and which types cannot be left to serde alone.
//!
//! Schemas may be cyclic, so both questions are answered by going over all nodes until nothing changes.

use super::{Field, MAX_DEPTH, Node, NodeId};

/// The size of the encodings of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// No encoding is shorter. `u32::MAX` for types without values.
    pub(super) min: u32,
    /// Whether every encoding has `min` bytes.
    pub(super) fixed: bool,
}

impl Size {
    const EMPTY: Self = Self { min: 0, fixed: true };
    const UNKNOWN: Self = Self { min: u32::MAX, fixed: false };

    fn fixed(min: u32) -> Self {
        Self { min, fixed: true }
    }

    fn at_least(min: u32) -> Self {
        Self { min, fixed: false }
    }

    fn and(self, other: Self) -> Self {
        Self { min: self.min.saturating_add(other.min), fixed: self.fixed && other.fixed }
    }

    fn times(self, count: u32) -> Self {
        if count == 0 { Self::EMPTY } else { Self { min: self.min.saturating_mul(count), fixed: self.fixed } }
    }
}

/// The size of every node. Sizes only shrink from one round to the next, so the rounds end.
pub(super) fn sizes(nodes: &[Node]) -> Box<[Size]> {
    let mut sizes = vec![Size::UNKNOWN; nodes.len()];
    loop {
        let mut changed = false;
        // Parts mostly come after what they are parts of, so most is settled in one round from the back.
        for id in (0..nodes.len()).rev() {
            let size = size(&nodes[id], &sizes);
            changed |= size != sizes[id];
            sizes[id] = size;
        }
        if !changed {
            return sizes.into();
        }
    }
}

fn size(node: &Node, sizes: &[Size]) -> Size {
    let of = |id: NodeId| sizes[id as usize];
    match node {
        Node::Bool | Node::Int { bits: 8, .. } => Size::fixed(1),
        Node::Float { bits } => Size::fixed(u32::from(*bits) / 8),
        Node::Int { .. } | Node::Char | Node::String | Node::Bytes | Node::Opaque | Node::Cap(_) => {
            Size::at_least(1)
        }
        Node::Option(_) | Node::Seq(_) | Node::Map(..) => Size::at_least(1),
        Node::Array(element, length) => of(*element).times(*length),
        Node::Record(fields) => fields_size(fields, sizes),
        Node::Choice(variants) => {
            let least = variants.iter().map(|variant| fields_size(&variant.fields, sizes).min).min();
            Size::at_least(least.unwrap_or(u32::MAX).saturating_add(1))
        }
    }
}

fn fields_size(fields: &[Field], sizes: &[Size]) -> Size {
    fields.iter().fold(Size::EMPTY, |sum, field| sum.and(sizes[field.node as usize]))
}

/// Whether a value can be nested deeper than [`MAX_DEPTH`], or a sequence announce elements without having a
/// byte for each.
pub(super) fn needs_check(nodes: &[Node], sizes: &[Size]) -> bool {
    let empty = |id: NodeId| sizes[id as usize].min == 0;
    let announces = nodes.iter().any(|node| match node {
        Node::Seq(element) => empty(*element),
        Node::Map(key, value) => empty(*key) && empty(*value),
        _ => false,
    });
    announces || depth_of_root(nodes) > MAX_DEPTH
}

/// The number of levels that a value can have, or one more than are allowed. A walk counts the same, or
/// less: it does not go into what has one size.
fn depth_of_root(nodes: &[Node]) -> usize {
    let mut depths = vec![0; nodes.len()];
    loop {
        let mut changed = false;
        for id in (0..nodes.len()).rev() {
            let depth = depth(&nodes[id], nodes, &depths).min(MAX_DEPTH + 1);
            changed |= depth != depths[id];
            depths[id] = depth;
        }
        if !changed {
            return depths[0];
        }
    }
}

fn depth(node: &Node, nodes: &[Node], depths: &[usize]) -> usize {
    let of = |id: NodeId| depths[id as usize];
    let of_fields = |fields: &[Field]| fields.iter().map(|field| of(field.node)).max().unwrap_or(0);
    match node {
        Node::Option(inner) => of(*inner) + usize::from(matches!(nodes[*inner as usize], Node::Option(_))),
        Node::Seq(element) | Node::Array(element, _) => 1 + of(*element),
        Node::Map(key, value) => 1 + of(*key).max(of(*value)),
        Node::Record(fields) => 1 + of_fields(fields),
        Node::Choice(variants) => {
            1 + variants.iter().map(|variant| of_fields(&variant.fields)).max().unwrap_or(0)
        }
        _ => 0,
    }
}
