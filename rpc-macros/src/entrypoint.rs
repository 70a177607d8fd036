//! `#[entrypoint]`: a target of which a host makes an object for each call. All that makes it a target is printed as
//! `#[rpc_target]` prints it.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{FnArg, Ident, Path, Type};

use crate::attr::{self, EntrypointOptions};
use crate::expand;
use crate::expand::entrypoint::{Constructor, Entrypoint};
use crate::fallback;
use crate::parse::{Function, ImplBlock, Item, Member};
use crate::report::Errors;
use crate::target;
use crate::types;
use crate::valid;

/// The whole macro, over tokens that need no compiler.
pub(crate) fn entrypoint(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = EntrypointOptions::read(options, &mut errors);
    let printed = match Item::parse(item.clone()) {
        Ok(Item::Inherent(block)) => inherent(&block, options, &mut errors),
        Ok(Item::Implementation(block, path)) => implementation(&block, &path, options, &mut errors),
        Ok(Item::Contract(block)) => {
            valid::entrypoint::on_a_trait(&block.head.ident, &mut errors);
            fallback::untouched(item)
        }
        Err(_) => {
            valid::entrypoint::on_something_else(&item, &mut errors);
            fallback::untouched(item)
        }
    };
    let errors = errors.into_tokens();
    quote!(#printed #errors)
}

fn inherent(block: &ImplBlock, options: EntrypointOptions, errors: &mut Errors) -> TokenStream {
    let EntrypointOptions { target, name, default, env, props } = options;
    valid::entrypoint::head(&block.head.generics, errors);
    valid::entrypoint::reserved_names(&block.members, true, errors);
    let constructor = constructor(&block.members, env, errors);
    let private = attr::private(target.krate.as_ref());
    let stub = target.stub.clone();
    let printed = target::inherent(block, target, errors);
    let own = types::plain(&block.head.self_ty);
    let Some(own_name) = target::type_name(own).filter(|_| block.head.generics.params.is_empty()) else {
        return printed;
    };
    let entrypoint = Entrypoint {
        name: name.map_or_else(|| own_name.unraw().to_string(), |name| name.value()),
        is_default: default.is_some(),
        constructor,
        props,
    };
    let stub = stub.unwrap_or_else(|| target::stub_name(&own_name)).into_token_stream();
    let more = expand::in_block(&private, &entrypoint.print(own, &stub));
    quote!(#printed #more)
}

fn implementation(
    block: &ImplBlock,
    path: &Path,
    options: EntrypointOptions,
    errors: &mut Errors,
) -> TokenStream {
    let EntrypointOptions { target, name, default, env, props } = options;
    valid::entrypoint::head(&block.head.generics, errors);
    valid::entrypoint::reserved_names(&block.members, false, errors);
    let own = types::plain(&block.head.self_ty);
    let named = target::type_name(own).filter(|_| block.head.generics.params.is_empty());
    let entrypoint = named.map(|own_name| Entrypoint {
        name: name.map_or_else(|| own_name.unraw().to_string(), |name| name.value()),
        is_default: default.is_some(),
        constructor: env.map_or(Constructor::Unit, Constructor::Elsewhere),
        props,
    });
    target::implementation(block, path, target, entrypoint.as_ref(), errors)
}

/// How the objects are made: by the `new` among the members, by one elsewhere, or not at all, of a unit struct.
fn constructor(members: &[Member], env: Option<Type>, errors: &mut Errors) -> Constructor {
    let new = members.iter().find_map(|member| match member {
        Member::Function(function) if function.sig.ident == "new" && function.sig.receiver().is_none() => {
            Some(function)
        }
        _ => None,
    });
    match (new, env) {
        (None, None) => Constructor::Unit,
        (None, Some(env)) => Constructor::Elsewhere(env),
        (Some(new), env) => {
            if let Some(env) = env {
                valid::entrypoint::env_twice(&env, errors);
            }
            let before = errors.count();
            valid::entrypoint::constructor(new, errors);
            match first_parameter(new) {
                Some((name, ty)) if errors.count() == before => Constructor::New(name, ty),
                _ => Constructor::Mistaken,
            }
        }
    }
}

/// The name of `new`, for its place, and the type of its first parameter, if it has two.
fn first_parameter(new: &Function) -> Option<(Ident, Type)> {
    let mut inputs = new.sig.inputs.iter();
    match (inputs.next(), inputs.next(), inputs.next()) {
        (Some(FnArg::Typed(env)), Some(_), None) => Some((new.sig.ident.clone(), (*env.ty).clone())),
        _ => None,
    }
}
