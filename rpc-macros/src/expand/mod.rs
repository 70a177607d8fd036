//! From the model to tokens: one file for each thing that is printed. Nothing printed has logic of its own: it
//! names methods, types and spans, and calls the library.

pub(crate) mod contract;
pub(crate) mod convert;
pub(crate) mod describe;
pub(crate) mod entrypoint;
pub(crate) mod env;
pub(crate) mod stub;
pub(crate) mod table;
pub(crate) mod value;

use std::collections::HashSet;

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{GenericParam, Generics, Ident, Type, TypeParam};

use crate::model::{Method, Owner, Target};
use crate::types::{self, Ends};

/// Lints that a user may have on, and that what is printed would trip over: stubs are `pub` also where their target
/// is not, for an `impl` has no visibility; methods have the names that the user chose.
pub(crate) fn lints() -> TokenStream {
    quote! {
        #[allow(
            dead_code,
            deprecated,
            missing_debug_implementations,
            private_bounds,
            private_interfaces,
            unreachable_pub,
            unused_qualifications,
            rustdoc::private_intra_doc_links,
            clippy::all,
            clippy::nursery,
            clippy::pedantic
        )]
    }
}

/// The library inside the blocks that [`in_block`] prints.
pub(crate) fn library() -> TokenStream {
    quote!(__farcall)
}

/// A block that nothing outside can name, in which the library has a short name.
pub(crate) fn in_block(private: &TokenStream, items: &TokenStream) -> TokenStream {
    let (lints, library) = (lints(), library());
    quote! {
        #lints
        const _: () = {
            use #private as #library;
            #items
        };
    }
}

/// What is printed beside `impl Counter { … }`: the stub at module level, where tools look for it, and the rest in a
/// block of its own.
pub(crate) fn inherent(target: &Target) -> TokenStream {
    let Owner::Inherent(own) = &target.owner else { return TokenStream::new() };
    let stub = stub::definition(target);
    let interface = stub::interface(target);
    let methods = stub::methods(target);
    let impls = stub::impls(target);
    let table = table::stub_of(target, None);
    let conversion = convert::Conversion {
        generics: &target.generics,
        target: own,
        stub: &target.stub_type(),
        span: target.name.span(),
    };
    let conversions = conversion.print();
    let value = conversion.value();
    let callable = convert::callable(target);
    let items = quote!(#interface #methods #impls #table #conversions #value #callable);
    let block = in_block(&target.private, &items);
    quote!(#stub #block)
}

/// `__farcall::Value<T>`, which is `T`, and all of it where the user wrote that: there rustc reports it if it does not
/// travel, and because all printed code names it so, once.
pub(crate) fn value_type(ty: impl ToTokens, ends: Ends) -> TokenStream {
    around("Value", ty, ends)
}

/// `__farcall::Return<R>`, which is `R`, see [`value_type`].
pub(crate) fn return_type(method: &Method) -> TokenStream {
    around("Return", &method.ret, method.ret_ends())
}

/// `__farcall::Promised<R>`: what a stub gives for a method that returns `R`.
pub(crate) fn promised_type(method: &Method) -> TokenStream {
    around("Promised", &method.ret, method.ret_ends())
}

/// `__farcall::Promise<T>`: what the accessor of a field gives.
pub(crate) fn promise_type(ty: &Type) -> TokenStream {
    around("Promise", ty, Ends::of(ty))
}

fn around(alias: &str, ty: impl ToTokens, Ends { first, last }: Ends) -> TokenStream {
    let alias = Ident::new(alias, first);
    let open = quote_spanned!(first=> __farcall::#alias<);
    let close = quote_spanned!(last=> >);
    quote!(#open #ty #close)
}

/// `(Value<i64>, Value<String>)`: the arguments as they travel.
pub(crate) fn argument_types(method: &Method) -> TokenStream {
    let each =
        method.params.iter().map(|param| value_type(param.wire_type(&library()), Ends::of(&param.declared)));
    types::tuple(each)
}

/// `PhantomData<fn() -> (T,)>`: the type parameters are used, and neither `Send` nor `Sync` hangs on them.
pub(crate) fn phantom(private: &TokenStream, generics: &Generics) -> TokenStream {
    let params = types::tuple(generics.type_params().map(|param| &param.ident));
    quote!(#private::PhantomData<fn() -> #params>)
}

/// The generics with another type parameter at the end: `<K: RpcValue, __T: Store<K>>`.
pub(crate) fn with_param(generics: &Generics, param: TypeParam) -> Generics {
    let mut generics = generics.clone();
    generics.params.push(GenericParam::Type(param));
    generics
}

/// The parameters as an `impl` declares them, without the brackets around them.
pub(crate) fn bare_params(generics: &Generics) -> TokenStream {
    let params = generics.params.iter().map(without_default);
    quote!(#(#params),*)
}

/// The parameters without bounds, in brackets, if there are any: `<T, const N: usize>`.
pub(crate) fn bare_names(generics: &Generics) -> Option<TokenStream> {
    let params = generics.params.iter().map(|param| match param {
        GenericParam::Type(param) => param.ident.to_token_stream(),
        other => without_default(other).into_token_stream(),
    });
    let params: Vec<TokenStream> = params.collect();
    (!params.is_empty()).then(|| quote!(<#(#params),*>))
}

fn without_default(param: &GenericParam) -> GenericParam {
    let mut param = param.clone();
    match &mut param {
        GenericParam::Type(param) => (param.eq_token, param.default) = (None, None),
        GenericParam::Const(param) => (param.eq_token, param.default) = (None, None),
        GenericParam::Lifetime(_) => {}
    }
    param
}

/// The parameters that `tokens` mention, declared and by name. An alias may not have any that it does not use.
pub(crate) fn used_params(generics: &Generics, tokens: TokenStream) -> (Vec<GenericParam>, Vec<Ident>) {
    let mut mentioned = HashSet::new();
    collect_idents(tokens, &mut mentioned);
    let used = generics.params.iter().filter_map(|param| {
        let name = match param {
            GenericParam::Type(param) => &param.ident,
            GenericParam::Const(param) => &param.ident,
            GenericParam::Lifetime(_) => return None,
        };
        mentioned.contains(&name.to_string()).then(|| (without_default(param), name.clone()))
    });
    used.unzip()
}

fn collect_idents(tokens: TokenStream, idents: &mut HashSet<String>) {
    for tree in tokens {
        match tree {
            TokenTree::Ident(ident) => drop(idents.insert(ident.to_string())),
            TokenTree::Group(group) => collect_idents(group.stream(), idents),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}
