//! Questions about the types that a user wrote: what is borrowed, what is `Self`, what is a future.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::visit_mut::{self, VisitMut};
use syn::{
    AngleBracketedGenericArguments, Expr, ExprPath, GenericArgument, Lifetime, Path, PathArguments,
    PathSegment, QSelf, Type, TypeImplTrait, TypeParamBound, TypePath, TypeReference,
};

/// The parts of a type that a signature cannot have everywhere; each is the first of its kind, for its span.
#[derive(Default)]
pub(crate) struct Survey {
    /// A reference or a lifetime.
    pub(crate) borrow: Option<TokenStream>,
    /// `impl Trait`.
    pub(crate) opaque: Option<TokenStream>,
    /// `Self`.
    pub(crate) own: Option<TokenStream>,
    /// `_`
    pub(crate) infer: Option<TokenStream>,
}

impl Survey {
    pub(crate) fn of(ty: &Type) -> Self {
        let mut survey = Self::default();
        survey.visit_type_mut(&mut ty.clone());
        survey
    }
}

impl VisitMut for Survey {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if matches!(ty, Type::Infer(_)) {
            self.infer.get_or_insert_with(|| ty.to_token_stream());
        }
        visit_mut::visit_type_mut(self, ty);
    }

    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        self.borrow.get_or_insert_with(|| reference.to_token_stream());
        visit_mut::visit_type_reference_mut(self, reference);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident != "static" {
            self.borrow.get_or_insert_with(|| lifetime.to_token_stream());
        }
    }

    fn visit_type_impl_trait_mut(&mut self, opaque: &mut TypeImplTrait) {
        self.opaque.get_or_insert_with(|| opaque.to_token_stream());
        visit_mut::visit_type_impl_trait_mut(self, opaque);
    }

    fn visit_path_mut(&mut self, path: &mut Path) {
        if path.segments.first().is_some_and(|first| first.ident == "Self") {
            self.own.get_or_insert_with(|| path.to_token_stream());
        }
        visit_mut::visit_path_mut(self, path);
    }
}

/// Input: `Option<Self>`, output: `Option<Counter>`. In the `impl` of a stub `Self` would mean the stub.
pub(crate) fn replace_self(ty: &Type, own: &Type) -> Type {
    let mut ty = ty.clone();
    SelfIs(own).visit_type_mut(&mut ty);
    ty
}

struct SelfIs<'a>(&'a Type);

impl SelfIs<'_> {
    /// `Self::N` is `<Counter>::N`.
    fn qualify(&self, qself: &mut Option<QSelf>, path: &mut Path) {
        if qself.is_some() || path.segments.len() < 2 || path.segments[0].ident != "Self" {
            return;
        }
        let ty = Box::new(self.0.clone());
        *qself = Some(QSelf {
            lt_token: <_>::default(),
            ty,
            position: 0,
            as_token: None,
            gt_token: <_>::default(),
        });
        path.leading_colon = Some(<_>::default());
        path.segments = path.segments.iter().skip(1).cloned().collect();
    }
}

impl VisitMut for SelfIs<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if matches!(ty, Type::Path(path) if path.qself.is_none() && path.path.is_ident("Self")) {
            *ty = self.0.clone();
            return;
        }
        visit_mut::visit_type_mut(self, ty);
    }

    fn visit_type_path_mut(&mut self, path: &mut TypePath) {
        self.qualify(&mut path.qself, &mut path.path);
        visit_mut::visit_type_path_mut(self, path);
    }

    fn visit_expr_path_mut(&mut self, path: &mut ExprPath) {
        self.qualify(&mut path.qself, &mut path.path);
        visit_mut::visit_expr_path_mut(self, path);
    }

    /// `Foo<{ Self::N }>` and `[u8; Self::N]` hold expressions; blocks in them are left alone.
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        visit_mut::visit_expr_mut(self, expr);
    }
}

/// The type without the invisible brackets that `macro_rules!` puts around a `$ty`, and without `(…)`.
pub(crate) fn plain(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => plain(&group.elem),
        Type::Paren(paren) => plain(&paren.elem),
        other => other,
    }
}

/// Input: `impl Future<Output = X> + Send`, output: `X`.
pub(crate) fn future_output(ty: &Type) -> Option<Type> {
    let Type::ImplTrait(opaque) = plain(ty) else { return None };
    opaque.bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else { return None };
        let last = bound.path.segments.last().filter(|last| last.ident == "Future")?;
        arguments(last)?.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(assoc) if assoc.ident == "Output" => Some(assoc.ty.clone()),
            _ => None,
        })
    })
}

fn arguments(segment: &PathSegment) -> Option<&AngleBracketedGenericArguments> {
    match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => Some(arguments),
        _ => None,
    }
}

/// How a parameter takes its argument.
pub(crate) enum Lend {
    /// `T`: as it came.
    Owned,
    /// `&X`: borrowed from the `<X as ToOwned>::Owned` that came.
    Reference(Type),
    /// `Option<&X>`
    OptionalReference(Type),
}

impl Lend {
    pub(crate) fn of(ty: &Type) -> Self {
        let ty = plain(ty);
        if let Some(lent) = shared_reference(ty) {
            return Self::Reference(lent.clone());
        }
        match option_of(ty).and_then(|inner| shared_reference(plain(inner))) {
            Some(lent) => Self::OptionalReference(lent.clone()),
            None => Self::Owned,
        }
    }

    /// What is lent, without the reference.
    pub(crate) fn lent<'a>(&'a self, declared: &'a Type) -> &'a Type {
        match self {
            Self::Owned => declared,
            Self::Reference(lent) | Self::OptionalReference(lent) => lent,
        }
    }
}

fn shared_reference(ty: &Type) -> Option<&Type> {
    match ty {
        Type::Reference(TypeReference { lifetime: None, mutability: None, elem, .. }) => Some(elem),
        _ => None,
    }
}

fn option_of(ty: &Type) -> Option<&Type> {
    let Type::Path(TypePath { qself: None, path }) = ty else { return None };
    let last = path.segments.last().filter(|last| last.ident == "Option")?;
    match arguments(last)?.args.first()? {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    }
}

/// The owned type to suggest in the place of a borrowed one: `Vec<String>` for `Vec<&str>`.
pub(crate) fn owned_form(ty: &Type) -> String {
    let mut ty = ty.clone();
    Owned.visit_type_mut(&mut ty);
    text(&ty)
}

struct Owned;

impl VisitMut for Owned {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let Type::Reference(reference) = ty {
            *ty = (*reference.elem).clone();
            return self.visit_type_mut(ty);
        }
        visit_mut::visit_type_mut(self, ty);
        match ty {
            Type::Path(path) if path.path.is_ident("str") => *ty = syn::parse_quote!(String),
            Type::Slice(slice) => {
                let element = &slice.elem;
                *ty = syn::parse_quote!(Vec<#element>);
            }
            _ => {}
        }
    }
}

/// Where something begins and where it ends: what is printed between the two is reported as standing there.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) first: Span,
    pub(crate) last: Span,
}

impl Ends {
    pub(crate) fn of(tokens: &impl ToTokens) -> Self {
        let mut trees = tokens.to_token_stream().into_iter();
        let first = trees.next().map_or_else(Span::call_site, |tree| tree.span());
        Self { first, last: trees.last().map_or(first, |tree| tree.span()) }
    }
}

/// A type as a user would write it.
pub(crate) fn text(tokens: &impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (spaced, tight) in [(" <", "<"), ("< ", "<"), (" >", ">"), (" ,", ","), ("& ", "&"), (" :: ", "::")] {
        text = text.replace(spaced, tight);
    }
    text
}

/// `()` as a type.
pub(crate) fn unit() -> Type {
    syn::parse_quote!(())
}

/// `(A, B,)`: also of one type a tuple.
pub(crate) fn tuple<T: ToTokens>(parts: impl Iterator<Item = T>) -> TokenStream {
    let parts: Vec<T> = parts.collect();
    match parts.as_slice() {
        [one] => quote!((#one,)),
        many => quote!((#(#many),*)),
    }
}
