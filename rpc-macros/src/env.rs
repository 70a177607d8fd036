//! `#[derive(Env)]`: a struct whose fields are the variables and bindings of a worker.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Fields, Ident, Type};

use crate::attr::{self, EnvOptions};
use crate::expand;
use crate::report::Errors;

/// An environment.
pub(crate) struct Env {
    /// The path of the library's `__private`.
    pub(crate) private: TokenStream,
    pub(crate) name: Ident,
    pub(crate) fields: Vec<Field>,
}

/// A variable, a binding, or a group of them.
pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    /// Its name in the configuration.
    pub(crate) name: String,
}

/// The whole macro, over tokens that need no compiler.
pub(crate) fn env(item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let printed = match syn::parse2::<DeriveInput>(item) {
        Ok(input) => read(&input, &mut errors).map(|env| expand::env::print(&env)),
        Err(error) => {
            errors.push(error);
            None
        }
    };
    let errors = errors.into_tokens();
    quote!(#printed #errors)
}

fn read(input: &DeriveInput, errors: &mut Errors) -> Option<Env> {
    let options = EnvOptions::read(&input.attrs, false, errors);
    if let Some(param) = input.generics.params.first() {
        errors.at(param, "an environment is read from a file, which names no types: it cannot be generic");
        return None;
    }
    let Data::Struct(data) = &input.data else {
        errors.at(&input.ident, "an environment is a struct with a field for each variable and binding");
        return None;
    };
    let fields = match &data.fields {
        Fields::Named(fields) => fields.named.iter().filter_map(|field| read_field(field, errors)).collect(),
        Fields::Unit => Vec::new(),
        Fields::Unnamed(fields) => {
            errors.at(fields, "the fields of an environment are found by their names: write them");
            return None;
        }
    };
    Some(Env { private: attr::private(options.krate.as_ref()), name: input.ident.clone(), fields })
}

fn read_field(field: &syn::Field, errors: &mut Errors) -> Option<Field> {
    let options = EnvOptions::read(&field.attrs, true, errors);
    let ident = field.ident.clone()?;
    let name = match options.name {
        Some(name) => {
            if name.value().is_empty() {
                errors.at(&name, "a variable or binding has a name");
            }
            name.value()
        }
        None => ident.unraw().to_string(),
    };
    Some(Field { ident, ty: field.ty.clone(), name })
}
