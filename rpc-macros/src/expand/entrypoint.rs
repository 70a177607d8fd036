//! What makes a target an entrypoint: its name, what it needs, and how an object of it is made.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;

use super::library;
use crate::types::Ends;

/// An entrypoint, apart from its being a target.
pub(crate) struct Entrypoint {
    /// `Admin`: what bindings name.
    pub(crate) name: String,
    pub(crate) is_default: bool,
    pub(crate) constructor: Constructor,
    /// What its bindings may carry.
    pub(crate) props: Option<Type>,
}

/// How an object is made.
pub(crate) enum Constructor {
    /// It is a unit struct.
    Unit,
    /// By `fn new(env: Arc<Env>, ctx: Ctx)`: its name, and the type of its first parameter.
    New(Ident, Type),
    /// By a `new` elsewhere, which takes this environment.
    Elsewhere(Type),
    /// Not at all: there is a mistake in its `new`, which was reported.
    Mistaken,
}

impl Entrypoint {
    /// Input: `fn new(env: Arc<Env>, ctx: Ctx) -> Self`, output: `impl Entrypoint for Greeter { type Stub = GreeterStub; … }`
    pub(crate) fn print(&self, target: &Type, stub: &TokenStream) -> TokenStream {
        let private = &library();
        let (name, is_default) = (&self.name, self.is_default);
        let env = match &self.constructor {
            Constructor::Unit | Constructor::Mistaken => quote!(()),
            Constructor::New(_, shared) => {
                let Ends { first, last } = Ends::of(shared);
                let (open, close) =
                    (quote_spanned!(first=> <), quote_spanned!(last=> as __farcall::SharedEnv>::Env));
                quote!(#open #shared #close)
            }
            Constructor::Elsewhere(env) => quote!(#env),
        };
        let props = match &self.props {
            Some(props) => quote!(#props),
            None => quote!(#private::NoProps),
        };
        let made = match &self.constructor {
            Constructor::Unit => quote!(#private::Result::Ok(#target)),
            Constructor::New(new, _) => {
                let at = Span::call_site().located_at(new.span());
                quote_spanned!(at=> __farcall::Made::<Self>::made(<#target>::#new(env, ctx)))
            }
            Constructor::Elsewhere(_) => quote!(#private::Made::<Self>::made(<#target>::new(env, ctx))),
            Constructor::Mistaken => quote!(loop {}),
        };
        let (env_name, ctx_name) = match self.constructor {
            Constructor::Unit | Constructor::Mistaken => (quote!(_), quote!(_)),
            Constructor::New(..) | Constructor::Elsewhere(_) => (quote!(env), quote!(ctx)),
        };
        quote! {
            #[automatically_derived]
            impl #private::Entrypoint for #target {
                const NAME: &'static str = #name;
                const DEFAULT: bool = #is_default;
                type Stub = #stub;
                type Env = #env;
                type Props = #props;
                fn make(
                    #env_name: #private::Arc<Self::Env>,
                    #ctx_name: #private::Ctx,
                ) -> #private::Result<Self, #private::Error> {
                    #made
                }
            }
        }
    }
}
