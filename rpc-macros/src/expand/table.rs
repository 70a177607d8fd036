//! The table: how each exported method is run on a target.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use super::{argument_types, library, return_type};
use crate::model::{Hook, Method, Owner, Param, Receiver, Target};
use crate::types::{self, Ends, Lend};

/// `impl StubOf<Counter> for CounterStub`: the table, and how a target moves behind the stub. `parent` is the table
/// of the contract that this one extends.
pub(crate) fn stub_of(target: &Target, parent: Option<TokenStream>) -> TokenStream {
    let private = &library();
    let generics = match &target.owner {
        Owner::Inherent(_) => target.generics.clone(),
        Owner::Contract { .. } => super::contract::with_implementor(target),
    };
    let (params, _, clause) = generics.split_for_impl();
    let (stub, own) = (target.stub_type(), target.target_type());
    let methods = target.methods.iter().map(|each| method(target, each));
    let parent = match parent {
        Some(parent) => quote!(#private::Option::Some(#parent)),
        None => quote!(#private::Option::None),
    };
    let hooks = target.hooks.iter().map(|each| hook(target, each));
    let serve =
        if target.is_serial() { format_ident!("serve_serial") } else { format_ident!("serve_shared") };
    // Where the target is named: that it must be `Send`, and perhaps `Sync`, is asked here.
    let at = match &target.owner {
        Owner::Inherent(own) => Ends::of(own).first,
        Owner::Contract { .. } => target.name.span(),
    };
    let table = quote_spanned!(at=> &'static __farcall::Table<#own>);
    let served = quote_spanned!(at=> __farcall::#serve(target, Self::TABLE));
    quote_spanned! {at=>
        #[automatically_derived]
        impl #params __farcall::StubOf<#own> for #stub #clause {
            const TABLE: #table = &__farcall::Table {
                interface: <Self as __farcall::Stub>::interface,
                methods: &[#(#methods),*],
                parent: #parent,
                on_release: &[#(#hooks),*],
            };
            fn serve(target: #own) -> Self { __farcall::Pipeline::from_handle(#served) }
        }
    }
}

/// Input: `async fn rename(&self, name: &str)`, output: `Method::shared_async(|target, call| call.start::<(String,), _>(
/// move |(a0,)| async move { <Foo>::rename(&target, Borrow::borrow(&a0)).await }))`
fn method(target: &Target, method: &Method) -> TokenStream {
    let private = &library();
    let (cfgs, ident) = (&method.carried.cfgs, &method.ident);
    let names: Vec<Ident> = (0..method.params.len()).map(|index| format_ident!("a{index}")).collect();
    let (pattern, wire) = (types::tuple(names.iter()), argument_types(method));
    let arguments = method.params.iter().zip(&names).map(|(param, name)| argument(param, name));
    let own = owner(target);
    let lent = match (method.is_async, method.receiver) {
        (false, _) => quote!(target),
        (true, Receiver::Shared) => quote!(&target),
        (true, Receiver::Exclusive) => quote!(&mut target),
    };
    // In the place of the method, but with names of its own.
    let at = Span::call_site().located_at(ident.span());
    let run = quote_spanned!(at=> #own::#ident(#lent #(, #arguments)*));
    let constructor = match (target.is_serial(), method.is_async) {
        (false, false) => quote!(shared),
        (false, true) => quote!(shared_async),
        (true, false) => quote!(serial),
        (true, true) => quote!(serial_async),
    };
    let ret = return_type(method);
    let shim = match (method.is_async, method.receiver) {
        (false, _) => quote!(|target, call| call.run::<#wire, #ret>(|#pattern| #run)),
        (true, receiver) => {
            let mutability = (receiver == Receiver::Exclusive).then(|| quote!(mut));
            let start =
                quote_spanned!(at=> call.start::<#wire, _>(move |#pattern| async move { #run.await }));
            quote!(|#mutability target, call| #start)
        }
    };
    let spawned = method.spawned.then(|| quote!(.spawned()));
    quote!(#(#cfgs)* #private::Method::#constructor(#shim) #spawned)
}

/// Input: `async fn close(&mut self)`, output: `Release::start(|target| Box::pin(<Foo>::close(target)))`
fn hook(target: &Target, hook: &Hook) -> TokenStream {
    let private = &library();
    let (cfgs, ident, own) = (&hook.carried.cfgs, &hook.ident, owner(target));
    let at = Span::call_site().located_at(ident.span());
    let run = quote_spanned!(at=> #own::#ident(target));
    let shim = if hook.is_async {
        let boxed = quote_spanned!(at=> __farcall::Box::pin(#run));
        quote!(start(|target| #boxed))
    } else {
        quote!(run(|target| #run))
    };
    quote!(#(#cfgs)* #private::Release::#shim)
}

/// `<Counter>` or `<__T as Counter<K>>`: the user's methods are called by path, whatever traits are in scope.
fn owner(target: &Target) -> TokenStream {
    let own = target.target_type();
    match &target.owner {
        Owner::Inherent(ty) => quote_spanned!(Ends::of(ty).first=> <#own>),
        Owner::Contract { .. } => {
            let (name, (_, arguments, _)) = (&target.name, target.generics.split_for_impl());
            quote!(<#own as #name #arguments>)
        }
    }
}

/// An argument as the method takes it.
fn argument(param: &Param, name: &Ident) -> TokenStream {
    let private = &library();
    match &param.lend {
        Lend::Owned => quote!(#name),
        Lend::Reference(lent) => quote!(#private::Borrow::<#lent>::borrow(&#name)),
        Lend::OptionalReference(lent) => {
            quote!(#private::Option::map(#private::Option::as_ref(&#name), #private::Borrow::<#lent>::borrow))
        }
    }
}
