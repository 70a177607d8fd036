//! [`Errors`]: every mistake in an item, reported in one go.

use proc_macro2::TokenStream;
use quote::ToTokens;

/// The mistakes found so far. Every pass pushes into it and goes on, so that one build shows them all.
#[derive(Default)]
pub(crate) struct Errors(Vec<syn::Error>);

impl Errors {
    /// Notes a mistake at the whole of `tokens`.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.0.push(syn::Error::new_spanned(tokens, message));
    }

    /// Notes what a parser could not read.
    pub(crate) fn push(&mut self, error: syn::Error) {
        self.0.push(error);
    }

    /// How many there are: a pass that compares two counts knows whether what it read is sound.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// `compile_error!`s, one for each mistake; nothing if there are none.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.0.iter().map(syn::Error::to_compile_error).collect()
    }
}
