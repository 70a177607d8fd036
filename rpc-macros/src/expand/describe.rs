//! `describe`: what a value looks like on the wire, told to the library's `SchemaBuilder`.

use proc_macro2::TokenStream;
use quote::quote;

use super::{library, value_type};
use crate::types::Ends;
use crate::value::{Field, Shape, Value, Variant, VariantShape};

/// Input: `struct Company { name: String }`, output: `schema.record::<Self>(|s| { s.field::<String>("name"); });`
pub(crate) fn body(value: &Value) -> TokenStream {
    let private = &library();
    let shape = match &value.shape {
        Shape::Through(ty) => {
            let ty = value_type(ty, Ends::of(ty));
            quote!(<#ty as #private::RpcValue>::describe(schema);)
        }
        Shape::Newtype(field) => {
            let ty = field_type(field);
            quote!(schema.newtype::<#ty>();)
        }
        Shape::Record(fields) => {
            let described = record(fields);
            quote!(schema.record::<Self>(#described);)
        }
        Shape::Tuple(fields) => {
            let described = tuple(fields);
            quote!(schema.tuple_record::<Self>(#described);)
        }
        Shape::Choice(variants) => {
            let variants = variants.iter().map(variant);
            quote!(schema.choice::<Self>(|s| { #(#variants)* });)
        }
    };
    let keep = value.keeps.then(|| quote!(schema.keep();));
    quote!(#shape #keep)
}

fn variant(variant: &Variant) -> TokenStream {
    let name = &variant.name;
    match &variant.shape {
        VariantShape::Unit => quote!(s.unit_variant(#name);),
        VariantShape::Newtype(field) => {
            let ty = field_type(field);
            quote!(s.newtype_variant::<#ty>(#name);)
        }
        VariantShape::Tuple(fields) => {
            let described = tuple(fields);
            quote!(s.tuple_variant(#name, #described);)
        }
        VariantShape::Record(fields) => {
            let described = record(fields);
            quote!(s.record_variant(#name, #described);)
        }
    }
}

fn record(fields: &[Field]) -> TokenStream {
    let fields = fields.iter().map(|field| {
        let (name, ty) = (&field.name, field_type(field));
        quote!(s.field::<#ty>(#name);)
    });
    closure(&quote!(#(#fields)*))
}

fn tuple(fields: &[Field]) -> TokenStream {
    let elements = fields.iter().map(|field| {
        let ty = field_type(field);
        quote!(s.element::<#ty>();)
    });
    closure(&quote!(#(#elements)*))
}

fn field_type(field: &Field) -> TokenStream {
    value_type(&field.ty, Ends::of(&field.ty))
}

fn closure(body: &TokenStream) -> TokenStream {
    if body.is_empty() { quote!(|_| {}) } else { quote!(|s| { #body }) }
}
