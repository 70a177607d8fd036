//! Contracts: a trait whose implementors are targets, and how `impl Counter for MyCounter`, perhaps in another
//! crate where only the trait is imported, finds the stub.
//!
//! The trait gets a hidden supertrait that every type implements and whose only member is the type of the stub.
//! `T::__CounterStub` finds it through `T: Counter` without importing anything. It carries the trait's name, for
//! with one name for all of them `T: Admin`, where `Admin: Counter`, would be ambiguous. The parameters of a generic
//! contract are those of the member and not of the hidden trait: rustc must tell `Free<_>: __FarcallStore` at once
//! when it looks for overlapping impls, and of `Free<_>: __FarcallStore<_>` it cannot know who implements it.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{GenericArgument, Generics, Path, PathArguments, Type, parse_quote};

use super::convert::{self, Conversion};
use super::entrypoint::Entrypoint;
use super::{bare_names, in_block, library, lints, stub, table, used_params, with_param};
use crate::model::{Owner, Parent, Target};
use crate::parse::{Body, Function, Member, TraitBlock};
use crate::types;

/// What is printed for `trait Counter { … }`, the trait included.
pub(crate) fn contract(block: &TraitBlock, target: &Target) -> TokenStream {
    let declared = declaration(block, target);
    let hidden = hidden_supertrait(target);
    let parent_alias = parent_alias(target);
    let definition = stub::definition(target);
    let interface = stub::interface(target);
    let methods = stub::methods(target);
    let impls = stub::impls(target);
    let parent = parent_type(target).map(|parent| {
        let private = library();
        quote!(<#parent as #private::StubOf<__T>>::TABLE)
    });
    let table = table::stub_of(target, parent);
    let parent_conversions = parent_conversions(target);
    let callable = convert::callable(target);
    let items = quote!(#interface #methods #impls #table #parent_conversions #callable);
    let block = in_block(&target.private, &items);
    quote!(#declared #hidden #parent_alias #definition #block)
}

/// Input: `trait Counter { async fn increment(&mut self, amount: i64) -> i64; }`, output:
/// `trait Counter: __FarcallCounter + Send + 'static { fn increment(&mut self, …) -> impl Future<Output = i64> + Send; }`
fn declaration(block: &TraitBlock, target: &Target) -> TokenStream {
    let private = &target.private;
    let mut head = block.head.clone();
    let hidden = hidden_name(&target.name);
    head.supertraits.push(parse_quote!(#hidden));
    head.supertraits.push(parse_quote!(#private::Send));
    if target.needs_sync() {
        head.supertraits.push(parse_quote!(#private::Sync));
    }
    head.supertraits.push(parse_quote!('static));
    let exported = |function: &Function| {
        let name = &function.sig.ident;
        let is_hook = || target.hooks.iter().any(|hook| hook.ident == *name);
        target.methods.iter().any(|method| method.ident == *name) || is_hook()
    };
    let members = block.members.iter().map(|member| match member {
        Member::Function(function) if exported(function) => sendable(private, function).into_token_stream(),
        other => other.to_token_stream(),
    });
    head.items = members.map(syn::TraitItem::Verbatim).collect();
    head.into_token_stream()
}

/// Input: `async fn f(&self) -> R { body }`, output: `fn f(&self) -> impl Future<Output = R> + Send { async move { body } }`
fn sendable(private: &TokenStream, function: &Function) -> Function {
    let Function { attrs, vis, defaultness, sig, body } = function;
    let (mut sig, mut body) = (sig.clone(), body.clone());
    let future = match &sig.output {
        syn::ReturnType::Type(_, ty) => types::future_output(ty),
        syn::ReturnType::Default => None,
    };
    if sig.asyncness.take().is_some() {
        if let Body::Block(block) = &mut body {
            *block = syn::parse_quote_spanned!(block.span()=> { async move #block });
        }
    } else if future.is_none() {
        return Function { attrs: attrs.clone(), vis: vis.clone(), defaultness: *defaultness, sig, body };
    }
    let output = match (future, &sig.output) {
        (Some(output), _) => output,
        (None, syn::ReturnType::Type(_, ty)) => (**ty).clone(),
        (None, syn::ReturnType::Default) => types::unit(),
    };
    sig.output = parse_quote!(-> impl #private::Future<Output = #output> + #private::Send);
    Function { attrs: attrs.clone(), vis: vis.clone(), defaultness: *defaultness, sig, body }
}

fn hidden_name(name: &Ident) -> Ident {
    format_ident!("__Farcall{}", name.unraw())
}

/// The name of the hidden associated type of a contract.
fn stub_member(name: &Ident) -> Ident {
    format_ident!("__{}Stub", name.unraw(), span = name.span())
}

fn hidden_supertrait(target: &Target) -> TokenStream {
    let Target { private, name, vis, generics, .. } = target;
    let (hidden, member, stub) = (hidden_name(name), stub_member(name), target.stub_type());
    let (names, lints) = (bare_names(generics), lints());
    quote! {
        #[doc(hidden)]
        #lints
        #vis trait #hidden { type #member #names where Self: #private::Sized; }
        #[automatically_derived]
        #lints
        impl<__T: ?#private::Sized> #hidden for __T { type #member #names = #stub where Self: #private::Sized; }
    }
}

/// The generics of the contract and, last, `__T`: whoever implements it.
pub(crate) fn with_implementor(target: &Target) -> Generics {
    let (name, (_, arguments, _)) = (&target.name, target.generics.split_for_impl());
    with_param(&target.generics, parse_quote!(__T: #name #arguments))
}

/// `type __AdminExtends<__T: Counter> = __T::__CounterStub;`, and a type to ask it of.
fn parent_alias(target: &Target) -> Option<TokenStream> {
    let parent = extended(target)?;
    let Target { vis, .. } = target;
    let (alias, mark) = (alias_name(target), mark_name(target));
    let declared = stub_alias(&alias, &target.generics, &parent.path, &parent.name);
    Some(quote! {
        #declared
        #[doc(hidden)]
        #[allow(dead_code, unreachable_pub, missing_debug_implementations)]
        #vis enum #mark {}
    })
}

/// The stub of the contract that this one extends: `__AdminExtends<__AdminMark>`. Bounds of aliases are not enforced
/// and every type implements the hidden supertrait, so any type of this crate will do to ask.
pub(crate) fn parent_type(target: &Target) -> Option<TokenStream> {
    let parent = extended(target)?;
    let (alias, mark) = (alias_name(target), mark_name(target));
    let (_, used) = used_params(&target.generics, parent.path.to_token_stream());
    Some(quote!(#alias<#(#used,)* #mark>))
}

fn mark_name(target: &Target) -> Ident {
    format_ident!("__{}Mark", target.name.unraw())
}

fn extended(target: &Target) -> Option<&Parent> {
    match &target.owner {
        Owner::Contract { extends } => extends.as_ref(),
        Owner::Inherent(_) => None,
    }
}

fn alias_name(target: &Target) -> Ident {
    format_ident!("__{}Extends", target.name.unraw())
}

/// An alias for the stub of whatever implements `contract`.
fn stub_alias(alias: &Ident, generics: &Generics, contract: &Path, name: &Ident) -> TokenStream {
    let (used, _) = used_params(generics, contract.to_token_stream());
    let (member, arguments) = (stub_member(name), contract_arguments(contract));
    let bound = quote_spanned!(contract.span()=> __T: #contract);
    quote! {
        #[allow(type_alias_bounds, dead_code, private_bounds, private_interfaces)]
        type #alias<#(#used,)* #bound> = __T::#member #arguments;
    }
}

/// `<K, u64>` in `papi::Store<K, u64>`.
fn contract_arguments(contract: &Path) -> Option<TokenStream> {
    let PathArguments::AngleBracketed(arguments) = &contract.segments.last()?.arguments else { return None };
    let kept = arguments
        .args
        .iter()
        .filter(|argument| matches!(argument, GenericArgument::Type(_) | GenericArgument::Const(_)));
    Some(quote!(<#(#kept),*>))
}

/// A stub of this contract is one of its parent's too: by `Deref`, and as an argument.
fn parent_conversions(target: &Target) -> Option<TokenStream> {
    let parent = parent_type(target)?;
    let private = &library();
    let (stub, (params, _, clause)) = (target.stub_type(), target.generics.split_for_impl());
    let argument = |source: TokenStream, stub: TokenStream| {
        quote! {
            #[automatically_derived]
            impl #params #private::IntoArg<#parent> for #source #clause {
                fn into_arg(self) -> #private::Arg<#parent> { #private::Arg::Value(#stub) }
            }
        }
    };
    let moved = argument(stub.clone(), quote!(self.0));
    let copied = argument(quote!(&#stub), quote!(#private::Clone::clone(&self.0)));
    Some(quote! {
        #[automatically_derived]
        impl #params #private::Deref for #stub #clause {
            type Target = #parent;
            fn deref(&self) -> &Self::Target { &self.0 }
        }
        #moved
        #copied
    })
}

/// The `impl` of a contract for a target.
pub(crate) struct Implementation<'a> {
    pub(crate) private: TokenStream,
    pub(crate) generics: &'a Generics,
    /// `papi::Counter`
    pub(crate) contract: &'a Path,
    /// The name under which the contract was declared.
    pub(crate) name: Ident,
    pub(crate) target: &'a Type,
    /// Whether the target travels as the stub of another contract when it is returned by value.
    pub(crate) secondary: bool,
    /// What makes the target an entrypoint, if it is one.
    pub(crate) entrypoint: Option<&'a Entrypoint>,
}

impl Implementation<'_> {
    /// What is printed beside `impl papi::Counter for MyCounter { … }`: the conversions, for all else is in the
    /// contract's crate.
    pub(crate) fn print(&self) -> TokenStream {
        let alias = format_ident!("__Stub");
        let declared = stub_alias(&alias, self.generics, self.contract, &self.name);
        let (_, used) = used_params(self.generics, self.contract.to_token_stream());
        let target = self.target;
        let stub = quote!(#alias<#(#used,)* #target>);
        let conversion = Conversion { generics: self.generics, target, stub: &stub, span: self.name.span() };
        let conversions = conversion.print();
        let value = (!self.secondary).then(|| conversion.value());
        let entrypoint = self.entrypoint.map(|entrypoint| entrypoint.print(target, &stub));
        in_block(&self.private, &quote!(#declared #conversions #value #entrypoint))
    }
}
