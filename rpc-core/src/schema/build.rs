//! Writing a schema, type by type.

use std::any::TypeId;
use std::collections::HashMap;

use super::{Field, InterfaceOf, Node, NodeId, Schema, Shape, Variant, size};
use crate::value::RpcValue;

/// What [`RpcValue::describe`] writes to. A `describe` calls exactly one of its methods, and [`keep`](Self::keep)
/// beside it where that holds.
#[derive(Debug, Default)]
pub struct SchemaBuilder {
    /// A node that is being described is a unit until it is done.
    nodes: Vec<Node>,
    /// Types that have a node, which ends recursion and keeps the schema as small as the types are.
    known: HashMap<TypeId, NodeId>,
    /// The node of the type that was described last.
    described: Option<NodeId>,
    /// Newtypes that are being described, each with the number of nodes there were when it began.
    transparent: Vec<(TypeId, usize)>,
    has_caps: bool,
    keeps: bool,
}

impl SchemaBuilder {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn finish(mut self) -> Schema {
        if self.nodes.is_empty() {
            self.unit();
        }
        let sizes = size::sizes(&self.nodes);
        let needs_check = size::needs_check(&self.nodes, &sizes);
        Schema {
            nodes: self.nodes.into(),
            sizes,
            has_caps: self.has_caps,
            moves: !self.keeps,
            needs_check,
            method: None,
            explain: None,
        }
    }

    /// A struct with named fields.
    pub fn record<T: 'static>(&mut self, fields: impl FnOnce(&mut FieldsBuilder<'_>)) {
        self.composite::<T>(|schema| Node::Record(schema.fields(fields)));
    }

    /// A tuple, a tuple struct of two fields or more, or a unit struct.
    pub fn tuple_record<T: 'static>(&mut self, elements: impl FnOnce(&mut FieldsBuilder<'_>)) {
        self.record::<T>(elements);
    }

    /// A tuple struct with one field: it is what it holds.
    pub fn newtype<Inner: RpcValue>(&mut self) {
        // A type that holds nothing but a box of itself has no values, and would be described for ever.
        let entry = (TypeId::of::<Inner>(), self.nodes.len());
        if self.transparent.contains(&entry) {
            return self.leaf(Node::Choice(Box::default()));
        }
        self.transparent.push(entry);
        Inner::describe(self);
        self.transparent.pop();
    }

    /// An enum, its variants in the order of their declaration.
    pub fn choice<T: 'static>(&mut self, variants: impl FnOnce(&mut VariantsBuilder<'_>)) {
        self.composite::<T>(|schema| {
            let mut builder = VariantsBuilder { schema, variants: Vec::new() };
            variants(&mut builder);
            Node::Choice(builder.variants.into())
        });
    }

    /// A byte string that nobody looks into.
    pub fn opaque(&mut self) {
        self.leaf(Node::Opaque);
    }

    /// Values of this type, and values that hold one, are copied also in process: moving them would show.
    pub fn keep(&mut self) {
        self.keeps = true;
    }

    /// A capability: a stub, a function or a stream.
    pub fn cap(&mut self) {
        self.has_caps = true;
        self.leaf(Node::Cap(None));
    }

    /// A capability whose stub calls this interface. Its structure is that of every other, but who passes it on
    /// without decoding it knows what its methods return.
    pub fn stub(&mut self, interface: InterfaceOf) {
        self.has_caps = true;
        self.leaf(Node::Cap(Some(interface)));
    }

    pub(crate) fn unit(&mut self) {
        self.leaf(Node::Record(Box::default()));
    }

    pub(crate) fn bool(&mut self) {
        self.leaf(Node::Bool);
    }

    pub(crate) fn unsigned(&mut self, bits: u8) {
        self.leaf(Node::Int { bits, signed: false });
    }

    pub(crate) fn signed(&mut self, bits: u8) {
        self.leaf(Node::Int { bits, signed: true });
    }

    pub(crate) fn float(&mut self, bits: u8) {
        self.leaf(Node::Float { bits });
    }

    pub(crate) fn char(&mut self) {
        self.leaf(Node::Char);
    }

    pub(crate) fn string(&mut self) {
        self.leaf(Node::String);
    }

    pub(crate) fn bytes(&mut self) {
        self.leaf(Node::Bytes);
    }

    pub(crate) fn option<T: 'static, Inner: RpcValue>(&mut self) {
        self.composite::<T>(|schema| Node::Option(schema.part::<Inner>()));
    }

    pub(crate) fn seq<T: 'static, Element: RpcValue>(&mut self) {
        self.composite::<T>(|schema| Node::Seq(schema.part::<Element>()));
    }

    pub(crate) fn array<T: 'static, Element: RpcValue>(&mut self, length: u32) {
        self.composite::<T>(|schema| Node::Array(schema.part::<Element>(), length));
    }

    pub(crate) fn map<T: 'static, Key: RpcValue, Value: RpcValue>(&mut self) {
        self.composite::<T>(|schema| Node::Map(schema.part::<Key>(), schema.part::<Value>()));
    }

    fn leaf(&mut self, node: Node) {
        self.described = Some(self.nodes.len() as NodeId);
        self.nodes.push(node);
    }

    /// Gives `T` its node before its parts are described, so that these can refer to it.
    fn composite<T: 'static>(&mut self, describe: impl FnOnce(&mut Self) -> Node) {
        let type_id = TypeId::of::<T>();
        if let Some(&known) = self.known.get(&type_id) {
            self.described = Some(known);
            return;
        }
        let id = self.nodes.len() as NodeId;
        self.unit();
        self.known.insert(type_id, id);
        self.nodes[id as usize] = describe(self);
        self.described = Some(id);
    }

    fn part<T: RpcValue>(&mut self) -> NodeId {
        self.described = None;
        T::describe(self);
        self.described.unwrap_or_else(|| {
            self.unit();
            (self.nodes.len() - 1) as NodeId
        })
    }

    fn fields(&mut self, describe: impl FnOnce(&mut FieldsBuilder<'_>)) -> Box<[Field]> {
        let mut builder = FieldsBuilder { schema: self, fields: Vec::new() };
        describe(&mut builder);
        builder.fields.into()
    }
}

/// The fields of a record, in order.
#[derive(Debug)]
pub struct FieldsBuilder<'a> {
    schema: &'a mut SchemaBuilder,
    fields: Vec<Field>,
}

impl FieldsBuilder<'_> {
    /// A named field, by its name on the wire.
    pub fn field<T: RpcValue>(&mut self, name: &'static str) {
        let node = self.schema.part::<T>();
        self.fields.push(Field { name, node });
    }

    /// An element of a tuple.
    pub fn element<T: RpcValue>(&mut self) {
        self.field::<T>("");
    }
}

/// The variants of a choice, in order.
#[derive(Debug)]
pub struct VariantsBuilder<'a> {
    schema: &'a mut SchemaBuilder,
    variants: Vec<Variant>,
}

impl VariantsBuilder<'_> {
    /// A variant that holds nothing.
    pub fn unit_variant(&mut self, name: &'static str) {
        self.variant(name, Shape::Unit, |_| {});
    }

    /// A variant that holds one value.
    pub fn newtype_variant<T: RpcValue>(&mut self, name: &'static str) {
        self.variant(name, Shape::Newtype, |fields| fields.element::<T>());
    }

    /// A variant that holds a tuple of values.
    pub fn tuple_variant(&mut self, name: &'static str, elements: impl FnOnce(&mut FieldsBuilder<'_>)) {
        self.variant(name, Shape::Tuple, elements);
    }

    /// A variant with named fields.
    pub fn record_variant(&mut self, name: &'static str, fields: impl FnOnce(&mut FieldsBuilder<'_>)) {
        self.variant(name, Shape::Record, fields);
    }

    fn variant(&mut self, name: &'static str, shape: Shape, fields: impl FnOnce(&mut FieldsBuilder<'_>)) {
        let fields = self.schema.fields(fields);
        self.variants.push(Variant { name, shape, fields });
    }
}
