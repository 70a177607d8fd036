//! From tokens to the item that the attribute stands on, with the bodies of its functions left as they are.
//!
//! Nothing here looks into a body: it is printed again token by token, so that syntax which `syn` does not know
//! yet is no trouble, and a mistake in it is reported by rustc.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, Ident, ImplItem, ItemImpl, ItemTrait, Path, Signature, Token, TraitItem, Visibility};

/// What `#[rpc_target]` may stand on.
pub(crate) enum Item {
    /// `impl Counter { … }`
    Inherent(ImplBlock),
    /// `impl Counter for MyCounter { … }`
    Implementation(ImplBlock, Path),
    /// `trait Counter { … }`
    Contract(TraitBlock),
}

/// An `impl`, its head apart from its members.
pub(crate) struct ImplBlock {
    /// Everything but the members.
    pub(crate) head: ItemImpl,
    pub(crate) members: Vec<Member>,
}

/// A trait, its head apart from its members.
pub(crate) struct TraitBlock {
    /// Everything but the members.
    pub(crate) head: ItemTrait,
    pub(crate) members: Vec<Member>,
}

/// A member of an impl or a trait.
pub(crate) enum Member {
    Function(Box<Function>),
    /// A call of a macro, into which an attribute cannot see.
    Macro(TokenStream),
    /// Constants, types and what `syn` does not know.
    Other(TokenStream),
}

/// A function of an impl or a trait.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) defaultness: Option<Token![default]>,
    pub(crate) sig: Signature,
    pub(crate) body: Body,
}

/// What follows a signature.
#[derive(Clone)]
pub(crate) enum Body {
    Block(Group),
    Semicolon(Token![;]),
}

impl Item {
    /// Reads the item that the attribute stands on.
    pub(crate) fn parse(tokens: TokenStream) -> syn::Result<Self> {
        let mut head: Vec<TokenTree> = tokens.clone().into_iter().collect();
        let Some(TokenTree::Group(body)) = head.pop() else { return Err(not_for_this(tokens)) };
        let hollow = Group::new(body.delimiter(), TokenStream::new());
        let mut hollow = TokenTree::Group(hollow);
        hollow.set_span(body.span());
        head.push(hollow);
        match syn::parse2(head.into_iter().collect())? {
            syn::Item::Impl(mut head) => {
                let (attrs, members) = read_members.parse2(body.stream())?;
                head.attrs.extend(attrs);
                let block = ImplBlock { head, members };
                Ok(match block.head.trait_.clone() {
                    None => Self::Inherent(block),
                    Some((None, path, _)) => Self::Implementation(block, path),
                    Some((Some(_), ..)) => return Err(not_for_this(tokens)),
                })
            }
            syn::Item::Trait(mut head) => {
                let (attrs, members) = read_members.parse2(body.stream())?;
                head.attrs.extend(attrs);
                Ok(Self::Contract(TraitBlock { head, members }))
            }
            _ => Err(not_for_this(tokens)),
        }
    }
}

fn not_for_this(tokens: TokenStream) -> syn::Error {
    let message = "#[rpc_target] belongs on an `impl` block, on a trait, or on the `impl` of such a trait; a struct or \
                   enum that travels as data takes #[derive(RpcValue)]";
    syn::Error::new_spanned(tokens, message)
}

fn read_members(input: ParseStream<'_>) -> syn::Result<(Vec<Attribute>, Vec<Member>)> {
    let attrs = input.call(Attribute::parse_inner)?;
    let mut members = Vec::new();
    while !input.is_empty() {
        members.push(input.parse()?);
    }
    Ok((attrs, members))
}

impl Parse for Member {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ahead = input.fork();
        let attrs = ahead.call(Attribute::parse_outer)?;
        let vis: Visibility = ahead.parse()?;
        let defaultness = if ahead.peek(Token![default]) { Some(ahead.parse()?) } else { None };
        if !starts_signature(&ahead) {
            return other_member(input);
        }
        let sig = ahead.parse()?;
        let body =
            if ahead.peek(Token![;]) { Body::Semicolon(ahead.parse()?) } else { Body::Block(ahead.parse()?) };
        input.advance_to(&ahead);
        Ok(Self::Function(Box::new(Function { attrs, vis, defaultness, sig, body })))
    }
}

/// Whether `input` stands before `const async unsafe extern "C" fn`, or any part of that.
fn starts_signature(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    while !ahead.peek(Token![fn]) {
        let qualifier = ahead.peek(syn::LitStr) || ahead.peek(Ident::peek_any) && !ahead.peek(Ident);
        if !qualifier || ahead.parse::<TokenTree>().is_err() {
            return false;
        }
    }
    true
}

fn other_member(input: ParseStream<'_>) -> syn::Result<Member> {
    let Ok(member) = input.fork().parse::<ImplItem>() else {
        return Ok(Member::Other(input.parse::<TraitItem>()?.into_token_stream()));
    };
    input.parse::<ImplItem>()?;
    Ok(match member {
        ImplItem::Macro(call) => Member::Macro(call.into_token_stream()),
        other => Member::Other(other.into_token_stream()),
    })
}

impl ToTokens for ImplBlock {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let mut whole = self.head.clone();
        whole.items =
            self.members.iter().map(|member| ImplItem::Verbatim(member.to_token_stream())).collect();
        whole.to_tokens(tokens);
    }
}

impl ToTokens for TraitBlock {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let mut whole = self.head.clone();
        whole.items =
            self.members.iter().map(|member| TraitItem::Verbatim(member.to_token_stream())).collect();
        whole.to_tokens(tokens);
    }
}

impl ToTokens for Member {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Function(function) => function.to_tokens(tokens),
            Self::Macro(other) | Self::Other(other) => other.to_tokens(tokens),
        }
    }
}

/// Prints the function as it was written, without the attributes that were meant for this macro.
impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.attrs.iter().filter(|attr| !attr.path().is_ident("rpc")).for_each(|attr| attr.to_tokens(tokens));
        self.vis.to_tokens(tokens);
        self.defaultness.to_tokens(tokens);
        self.sig.to_tokens(tokens);
        match &self.body {
            Body::Block(body) => body.to_tokens(tokens),
            Body::Semicolon(semicolon) => semicolon.to_tokens(tokens),
        }
    }
}
