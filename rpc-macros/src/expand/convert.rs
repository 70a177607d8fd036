//! How a target becomes its stub: by `into_stub()`, as an argument, as a result; and how a stub that can be called
//! itself becomes a function.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Generics, Type};

use super::library;
use crate::model::{Owner, Role, Target};

/// The conversions of one type of target to one type of stub.
pub(crate) struct Conversion<'a> {
    pub(crate) generics: &'a Generics,
    pub(crate) target: &'a Type,
    pub(crate) stub: &'a TokenStream,
    /// Where a clash with another conversion is reported.
    pub(crate) span: Span,
}

impl Conversion<'_> {
    /// `IntoStub<CounterStub>`, `IntoArg<CounterStub>` and `IntoArg<Option<CounterStub>>`
    pub(crate) fn print(&self) -> TokenStream {
        let Self { target, stub, span, .. } = self;
        let private = &library();
        let (params, _, clause) = self.generics.split_for_impl();
        quote_spanned! {*span=>
            #[automatically_derived]
            impl #params #private::IntoStub<#stub> for #target #clause {
                fn into_stub(self) -> #stub { #private::StubOf::serve(self) }
            }
            #[automatically_derived]
            impl #params #private::IntoArg<#stub> for #target #clause {
                fn into_arg(self) -> #private::Arg<#stub> {
                    #private::Arg::Value(#private::StubOf::serve(self))
                }
            }
            #[automatically_derived]
            impl #params #private::IntoArg<#private::Option<#stub>> for #target #clause {
                fn into_arg(self) -> #private::Arg<#private::Option<#stub>> {
                    #private::Arg::Value(#private::Option::Some(#private::StubOf::serve(self)))
                }
            }
        }
    }

    /// `IntoValue`: returned by value, the target travels as this stub. A type has only one.
    pub(crate) fn value(&self) -> TokenStream {
        let Self { target, stub, span, .. } = self;
        let private = &library();
        let (params, _, clause) = self.generics.split_for_impl();
        quote_spanned! {*span=>
            #[automatically_derived]
            impl #params #private::IntoValue for #target #clause {
                type Value = #stub;
                fn into_value(self) -> #stub { #private::StubOf::serve(self) }
            }
        }
    }
}

/// The conversions to `RpcFn` of a stub with a method that is `#[rpc(call)]`, and of its target.
pub(crate) fn callable(target: &Target) -> Option<TokenStream> {
    let method = target.methods.iter().find(|method| method.role == Role::Call)?;
    let (private, stub) = (&library(), target.stub_type());
    let (params, _, clause) = target.generics.split_for_impl();
    let (cfgs, ret) = (&method.carried.cfgs, &method.ret);
    let arguments = method.params.iter().map(|param| param.wire_type(private));
    let function = quote!(#private::RpcFn<fn(#(#arguments),*) -> #ret>);
    let of = |source: TokenStream, handle: TokenStream| {
        quote! {
            #(#cfgs)*
            #[automatically_derived]
            impl #params #private::IntoArg<#function> for #source #clause {
                fn into_arg(self) -> #private::Arg<#function> {
                    #private::Arg::Value(#private::Pipeline::from_handle(#handle))
                }
            }
        }
    };
    let of_stub = of(stub.clone(), quote!(#private::Pipeline::into_handle(self)));
    let of_reference = of(quote!(&#stub), quote!(#private::Clone::clone(#private::Pipeline::handle(self))));
    let of_target = matches!(target.owner, Owner::Inherent(_)).then(|| {
        let handle = quote!(#private::Pipeline::into_handle(<#stub as #private::StubOf<Self>>::serve(self)));
        of(target.target_type(), handle)
    });
    Some(quote!(#of_stub #of_reference #of_target))
}
