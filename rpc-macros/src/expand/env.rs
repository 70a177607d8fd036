//! How an environment is read: each field by its name, and all of them before any is missed.

use proc_macro2::TokenStream;
use quote::quote;

use super::{in_block, library};
use crate::env::Env;

/// Input: `struct Env { greeting: String }`, output: `impl ReadEnv for Env { fn read(reader: …) -> Option<Self> { … } }`
pub(crate) fn print(env: &Env) -> TokenStream {
    let private = &library();
    let name = &env.name;
    let idents: Vec<_> = env.fields.iter().map(|field| &field.ident).collect();
    let reads = env.fields.iter().map(|field| {
        let (ident, ty, name) = (&field.ident, &field.ty, &field.name);
        quote!(let #ident = #private::EnvReader::field::<#ty, _>(__reader, #name);)
    });
    let items = quote! {
        #[automatically_derived]
        impl #private::Env for #name {
            fn read(__reader: &mut #private::EnvReader<'_>) -> #private::Option<Self> {
                #(#reads)*
                #private::Option::Some(Self { #(#idents: #idents?),* })
            }
        }
    };
    in_block(&env.private, &items)
}
