//! Checks that rustc makes at the user's types: that they travel, and that targets may move between threads.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Generics;
use syn::spanned::Spanned;

use super::library;
use crate::model::{Method, Owner, Target};

/// Input: `impl Counter { pub fn add(&self, by: i64) -> Total { … } }`, output: a function that is never called and
/// says `target::<Counter>(); argument::<i64>(); result::<Total>();`, each under the type it is about.
pub(crate) fn target(target: &Target) -> TokenStream {
    let private = &library();
    let sync = (!target.is_serial()).then(|| quote!(#private::Sync +));
    let own = match &target.owner {
        Owner::Inherent(ty) => quote_spanned!(ty.span()=> target::<#ty>();),
        Owner::Contract { .. } => TokenStream::new(),
    };
    let methods = target.methods.iter().map(method);
    in_function(
        &target.generics,
        &quote! {
            fn argument<__V: #private::RpcValue>() {}
            fn result<__R: #private::RpcReturn>() {}
            fn target<__T: #private::Send + #sync 'static>() {}
        },
        &quote!(#own #(#methods)*),
    )
}

fn method(method: &Method) -> TokenStream {
    let cfgs = &method.carried.cfgs;
    let arguments = method.params.iter().map(|param| {
        let (span, wire) = (param.declared.span(), param.wire_type(&library()));
        quote_spanned!(span=> #(#cfgs)* argument::<#wire>();)
    });
    let ret = &method.ret;
    let result = quote_spanned!(ret.span()=> #(#cfgs)* result::<#ret>(););
    quote!(#(#arguments)* #result)
}

/// The checks in a function with the user's generics.
pub(crate) fn in_function(generics: &Generics, bounds: &TokenStream, checks: &TokenStream) -> TokenStream {
    let (params, _, clause) = generics.split_for_impl();
    quote! {
        const _: () = {
            #bounds
            fn check #params () #clause { #checks }
        };
    }
}
