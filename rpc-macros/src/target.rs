//! `#[rpc_target]`: parse → model → validate → expand; what is printed after a mistake is in `fallback`.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{Generics, Ident, Path, PathArguments, Token, Type, TypeParamBound, Visibility, parse_quote};

use crate::attr::{self, Extends, TargetOptions};
use crate::expand;
use crate::expand::contract::Implementation;
use crate::expand::entrypoint::Entrypoint;
use crate::fallback;
use crate::model::{self, Members, Owner, Parent, Target};
use crate::parse::{ImplBlock, Item, TraitBlock};
use crate::report::Errors;
use crate::types;
use crate::valid;

/// The whole macro, over tokens that need no compiler.
pub(crate) fn rpc_target(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = TargetOptions::read(options, &mut errors);
    let printed = match Item::parse(item.clone()) {
        Ok(Item::Inherent(block)) => inherent(&block, options, &mut errors),
        Ok(Item::Contract(block)) => contract(&block, options, &mut errors),
        Ok(Item::Implementation(block, path)) => implementation(&block, &path, options, None, &mut errors),
        Err(error) => {
            errors.push(error);
            fallback::untouched(item)
        }
    };
    let errors = errors.into_tokens();
    quote!(#printed #errors)
}

/// What is printed for the `impl` of a type.
pub(crate) fn inherent(block: &ImplBlock, options: TargetOptions, errors: &mut Errors) -> TokenStream {
    valid::only_for_trait_impls(&options, errors);
    valid::only_for_traits(&options, errors);
    let own = types::plain(&block.head.self_ty).clone();
    if valid::lifetimes(&block.head.generics, Some(&own), errors) {
        return block.to_token_stream();
    }
    let Some(name) = type_name(&own) else {
        valid::unnamed_target(&own, errors);
        return block.to_token_stream();
    };
    let owner = Owner::Inherent(own);
    let Members { methods, skeletons, hooks } = model::members(&block.members, &owner, errors);
    let target = Target {
        private: attr::private(options.krate.as_ref()),
        stub: options.stub.unwrap_or_else(|| stub_name(&name)),
        name,
        vis: Visibility::Public(<Token![pub]>::default()),
        generics: kept(&block.head.generics),
        owner,
        methods,
        skeletons,
        hooks,
    };
    let printed = expand::inherent(&target);
    quote!(#block #printed)
}

fn contract(block: &TraitBlock, options: TargetOptions, errors: &mut Errors) -> TokenStream {
    valid::only_for_trait_impls(&options, errors);
    let head = &block.head;
    valid::contract_head(head, errors);
    if valid::lifetimes(&head.generics, None, errors) {
        return block.to_token_stream();
    }
    let owner = Owner::Contract { extends: parent(block, options.extends.as_ref(), errors) };
    let Members { methods, skeletons, hooks } = model::members(&block.members, &owner, errors);
    let target = Target {
        private: attr::private(options.krate.as_ref()),
        stub: options.stub.unwrap_or_else(|| stub_name(&head.ident)),
        name: head.ident.clone(),
        vis: head.vis.clone(),
        generics: kept(&head.generics),
        owner,
        methods,
        skeletons,
        hooks,
    };
    expand::contract::contract(block, &target)
}

/// What is printed for the `impl` of a contract.
pub(crate) fn implementation(
    block: &ImplBlock,
    path: &Path,
    options: TargetOptions,
    entrypoint: Option<&Entrypoint>,
    errors: &mut Errors,
) -> TokenStream {
    valid::only_for_traits(&options, errors);
    valid::stub_of_implementation(&options, errors);
    if valid::lifetimes(&block.head.generics, Some(&block.head.self_ty), errors) {
        return block.to_token_stream();
    }
    valid::members_of_implementation(&block.members, errors);
    let name = options.contract.or_else(|| path.segments.last().map(|last| last.ident.clone()));
    let Some(name) = name else { return block.to_token_stream() };
    let implementation = Implementation {
        private: attr::private(options.krate.as_ref()),
        generics: &block.head.generics,
        contract: path,
        name,
        target: types::plain(&block.head.self_ty),
        secondary: options.secondary.is_some(),
        entrypoint,
    };
    let printed = implementation.print();
    quote!(#block #printed)
}

/// What is printed lives as long as anybody holds a stub, and so must the arguments of a generic target.
fn kept(generics: &Generics) -> Generics {
    let mut generics = generics.clone();
    let params: Vec<Ident> = generics.type_params().map(|param| param.ident.clone()).collect();
    if !params.is_empty() {
        let predicates = &mut generics.make_where_clause().predicates;
        predicates
            .extend(params.iter().map(|param| -> syn::WherePredicate { parse_quote!(#param: 'static) }));
    }
    generics
}

/// `Counter` in `some::Counter<T>`.
pub(crate) fn type_name(ty: &Type) -> Option<Ident> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|_| path.qself.is_none())?;
    let plain = !matches!(last.arguments, PathArguments::Parenthesized(_));
    (plain && last.ident != "Self").then(|| last.ident.clone())
}

pub(crate) fn stub_name(name: &Ident) -> Ident {
    format_ident!("{}Stub", name.unraw(), span = name.span())
}

/// Traits of std that are known not to be contracts.
const PLAIN_TRAITS: [&str; 17] = [
    "Any", "AsRef", "Borrow", "Clone", "Copy", "Debug", "Default", "Display", "Drop", "Eq", "Error", "Hash",
    "Ord", "Send", "Sized", "Sync", "Unpin",
];

/// The contract among the supertraits, if there is one.
fn parent(block: &TraitBlock, extends: Option<&Extends>, errors: &mut Errors) -> Option<Parent> {
    let bounds = block.head.supertraits.iter().filter_map(|bound| match bound {
        TypeParamBound::Trait(bound) => Some(&bound.path),
        _ => None,
    });
    let named = |path: &Path| path.segments.last().map(|last| last.ident.clone());
    let candidates: Vec<(&Path, Ident)> = bounds
        .filter_map(|path| Some((path, named(path)?)))
        .filter(|(_, name)| !PLAIN_TRAITS.contains(&name.to_string().as_str()))
        .collect();
    let (path, name) = match (extends, candidates.as_slice()) {
        (Some(Extends::Nothing), _) | (None, []) => return None,
        (Some(Extends::Contract(name)), [(path, _)]) => (path, name),
        (Some(Extends::Contract(name)), several) => match several.iter().find(|(_, other)| other == name) {
            Some((path, name)) => (path, name),
            None => {
                valid::extends_no_supertrait(name, errors);
                return None;
            }
        },
        (None, [(path, name)]) => (path, name),
        (None, several) => {
            several.iter().skip(1).take(1).for_each(|(path, _)| valid::extends_several(path, errors));
            return None;
        }
    };
    Some(Parent { path: (*path).clone(), name: name.clone() })
}
