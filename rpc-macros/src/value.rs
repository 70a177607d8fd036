//! `#[derive(RpcValue)]`: parse → model → validate → expand, for structs and enums that travel as data.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{
    DeriveInput, Fields, Generics, Ident, Index, Member, Type, Visibility, WherePredicate, parse_quote,
};

use crate::attr::{self, Carried, FieldOptions, ValueOptions};
use crate::expand;
use crate::rename::Rule;
use crate::report::Errors;
use crate::serde_attr::{self, Container};
use crate::types;
use crate::valid;

/// A struct or an enum that travels as data.
pub(crate) struct Value {
    pub(crate) private: TokenStream,
    pub(crate) name: Ident,
    pub(crate) vis: Visibility,
    pub(crate) generics: Generics,
    /// What its impls ask of its parameters, beside its own clause.
    pub(crate) bound: Vec<WherePredicate>,
    /// The name of its pipeline, if it has one of its own.
    pub(crate) pipeline: Ident,
    pub(crate) shape: Shape,
    /// Whether a part of it stays behind when it travels.
    pub(crate) keeps: bool,
}

/// How a value is encoded.
pub(crate) enum Shape {
    /// As another type: `#[serde(from = "…", into = "…")]`.
    Through(Type),
    /// As its one field.
    Newtype(Field),
    Tuple(Vec<Field>),
    Record(Vec<Field>),
    Choice(Vec<Variant>),
}

/// A field that travels.
pub(crate) struct Field {
    /// In the schema.
    pub(crate) name: String,
    /// The name of its accessor, if it is `pub`.
    pub(crate) accessor: Option<Ident>,
    pub(crate) ty: Type,
    pub(crate) carried: Carried,
}

/// A variant that travels.
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) shape: VariantShape,
}

/// What a variant carries.
pub(crate) enum VariantShape {
    Unit,
    Newtype(Box<Field>),
    Tuple(Vec<Field>),
    Record(Vec<Field>),
}

/// The whole macro, over tokens that need no compiler.
pub(crate) fn rpc_value(item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let printed = match syn::parse2::<DeriveInput>(item) {
        Ok(input) => Value::read(&input, &mut errors).map(|value| expand::value::value(&value)),
        Err(error) => {
            errors.push(error);
            None
        }
    };
    let errors = errors.into_tokens();
    quote!(#printed #errors)
}

impl Value {
    /// A value with a mistake in an attribute is read as far as possible, so that what uses it has no second error.
    fn read(input: &DeriveInput, errors: &mut Errors) -> Option<Self> {
        let options = ValueOptions::read(&input.attrs, errors);
        let container = Container::read(&input.attrs, errors);
        valid::value::lifetimes(&input.generics, errors);
        let (name, (_, arguments, _)) = (&input.ident, input.generics.split_for_impl());
        let mut reader =
            Reader { own: parse_quote!(#name #arguments), container: &container, errors, keeps: false };
        let shape = match (&container.through, &input.data) {
            (Some(through), _) => Shape::Through(through.clone()),
            (None, syn::Data::Struct(data)) => reader.of_struct(&data.fields),
            (None, syn::Data::Enum(data)) => reader.of_enum(data),
            (None, syn::Data::Union(data)) => {
                errors.at(
                    data.union_token,
                    "nobody can tell which field of a `union` to send: make it an enum",
                );
                return None;
            }
        };
        let keeps = reader.keeps;
        if input.generics.lifetimes().next().is_some() {
            return None;
        }
        let private = attr::private(options.krate.as_ref());
        let default_bound = || {
            let params = input.generics.type_params().map(|param| &param.ident);
            params.map(|param| parse_quote!(#param: #private::RpcValue)).collect()
        };
        Some(Self {
            bound: options.bound.unwrap_or_else(default_bound),
            private,
            name: input.ident.clone(),
            vis: input.vis.clone(),
            generics: input.generics.clone(),
            pipeline: options.pipeline.unwrap_or_else(|| {
                format_ident!("{}Pipeline", input.ident.unraw(), span = input.ident.span())
            }),
            shape,
            keeps,
        })
    }
}

struct Reader<'a> {
    /// What `Self` is in the type of a field.
    own: Type,
    container: &'a Container,
    errors: &'a mut Errors,
    keeps: bool,
}

impl Reader<'_> {
    fn of_struct(&mut self, fields: &Fields) -> Shape {
        let newtype = matches!(fields, Fields::Unnamed(unnamed) if unnamed.unnamed.len() == 1);
        if newtype {
            valid::value::newtype_is_written(fields, self.errors);
        }
        let mut read = self.fields(fields, self.container.rename_all);
        if (self.container.transparent || newtype) && read.len() == 1 {
            return read.pop().map_or(Shape::Tuple(Vec::new()), Shape::Newtype);
        }
        match fields {
            Fields::Unnamed(_) => Shape::Tuple(read),
            Fields::Named(_) | Fields::Unit => Shape::Record(read),
        }
    }

    fn of_enum(&mut self, data: &syn::DataEnum) -> Shape {
        let skips: Vec<bool> = data
            .variants
            .iter()
            .map(|variant| serde_attr::Variant::read(&variant.attrs, &mut Errors::default()).skip)
            .collect();
        let travelling = skips.iter().rposition(|skip| !skip).map_or(0, |last| last + 1);
        for (variant, skip) in data.variants.iter().zip(&skips).take(travelling) {
            if *skip {
                valid::value::skipped_variant(variant, self.errors);
            }
        }
        self.keeps |= skips.contains(&true);
        let unskipped = data.variants.iter().zip(&skips).filter(|(_, skip)| !**skip);
        Shape::Choice(unskipped.map(|(variant, _)| self.variant(variant)).collect())
    }

    fn variant(&mut self, variant: &syn::Variant) -> Variant {
        let serde = serde_attr::Variant::read(&variant.attrs, self.errors);
        let name = variant.ident.unraw().to_string();
        let name = serde
            .rename
            .unwrap_or_else(|| self.container.rename_all.map_or(name.clone(), |rule| rule.variant(&name)));
        let mut fields = self.fields(&variant.fields, serde.rename_all.or(self.container.rename_all_fields));
        let shape = match &variant.fields {
            Fields::Unit => VariantShape::Unit,
            // serde writes `A(#[serde(skip)] T)` as a variant without fields.
            Fields::Unnamed(all) if all.unnamed.len() == 1 => {
                fields.pop().map_or(VariantShape::Unit, |field| VariantShape::Newtype(Box::new(field)))
            }
            Fields::Unnamed(_) => VariantShape::Tuple(fields),
            Fields::Named(_) => VariantShape::Record(fields),
        };
        Variant { name, shape }
    }

    /// The fields that travel.
    fn fields(&mut self, fields: &Fields, rule: Option<Rule>) -> Vec<Field> {
        let members = fields.members().zip(fields);
        members.filter_map(|(member, field)| self.field(&member, field, rule)).collect()
    }

    fn field(&mut self, member: &Member, field: &syn::Field, rule: Option<Rule>) -> Option<Field> {
        let serde = serde_attr::Field::read(&field.attrs, self.errors);
        let options = FieldOptions::read(&field.attrs, self.errors);
        if serde.skip {
            self.keeps = true;
            return None;
        }
        valid::value::field_schema(&serde, &options, self.errors);
        let own_name = match member {
            Member::Named(name) => name.unraw().to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        };
        let name =
            serde.rename.unwrap_or_else(|| rule.map_or(own_name.clone(), |rule| rule.field(&own_name)));
        // What stands in the bytes of such a field is not its type, so there is no promise of it.
        let opaque = serde.with.is_some() || options.schema.is_some();
        let is_public = matches!(field.vis, Visibility::Public(_));
        let accessor = (is_public && !opaque).then(|| accessor_name(member));
        if let (Some(_), Member::Named(name)) = (&accessor, member) {
            valid::value::accessor(name, self.errors);
        }
        let carried = Carried::read(&field.attrs, self.errors);
        let ty = options.schema.unwrap_or_else(|| types::replace_self(&field.ty, &self.own));
        Some(Field { name, accessor, ty, carried })
    }
}

/// `mailbox` for a named field, `_0` for the first of a tuple.
fn accessor_name(member: &Member) -> Ident {
    match member {
        Member::Named(name) => name.clone(),
        Member::Unnamed(Index { index, span }) => format_ident!("_{index}", span = *span),
    }
}

impl Value {
    /// Its name and arguments, as in `Page<T>`.
    pub(crate) fn own_type(&self) -> TokenStream {
        let (name, (_, arguments, _)) = (&self.name, self.generics.split_for_impl());
        quote!(#name #arguments)
    }

    /// Its generics with what its impls ask of them.
    pub(crate) fn bounded(&self) -> Generics {
        let mut generics = self.generics.clone();
        if !self.bound.is_empty() {
            generics.make_where_clause().predicates.extend(self.bound.iter().cloned());
        }
        generics
    }

    /// The fields with an accessor, and their places among those that travel.
    pub(crate) fn accessible(&self) -> Vec<(u16, &Ident, &Field)> {
        let fields = match &self.shape {
            Shape::Tuple(fields) | Shape::Record(fields) => fields.as_slice(),
            Shape::Through(_) | Shape::Newtype(_) | Shape::Choice(_) => &[],
        };
        (0..)
            .zip(fields)
            .filter_map(|(index, field)| Some((index, field.accessor.as_ref()?, field)))
            .collect()
    }
}
