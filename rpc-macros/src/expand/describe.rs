//! `describe`: what a value looks like on the wire, told to the library's `SchemaBuilder`.

use proc_macro2::TokenStream;
use quote::quote;

use crate::value::{Field, Shape, Value, Variant, VariantShape};

/// Input: `struct Company { name: String }`, output: `schema.record::<Self>(|s| { s.field::<String>("name"); });`
pub(crate) fn body(value: &Value) -> TokenStream {
    let private = &super::library();
    let shape = match &value.shape {
        Shape::Through(ty) => quote!(<#ty as #private::RpcValue>::describe(schema);),
        Shape::Newtype(Field { ty, .. }) => quote!(schema.newtype::<#ty>();),
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
        VariantShape::Newtype(Field { ty, .. }) => quote!(s.newtype_variant::<#ty>(#name);),
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
    let fields = fields.iter().map(|Field { name, ty, .. }| quote!(s.field::<#ty>(#name);));
    closure(quote!(#(#fields)*))
}

fn tuple(fields: &[Field]) -> TokenStream {
    let elements = fields.iter().map(|Field { ty, .. }| quote!(s.element::<#ty>();));
    closure(quote!(#(#elements)*))
}

fn closure(body: TokenStream) -> TokenStream {
    if body.is_empty() { quote!(|_| {}) } else { quote!(|s| { #body }) }
}
