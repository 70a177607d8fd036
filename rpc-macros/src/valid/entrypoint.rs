//! What an entrypoint may not be.

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Generics, Ident, LitStr, ReturnType, Type, Visibility};

use crate::attr::MethodOptions;
use crate::parse::{Function, Member};
use crate::report::Errors;

/// Names that are more than methods on an entrypoint (rows 182 to 187), and what they are there.
const RESERVED: [(&str, &str); 15] = [
    ("fetch", "HTTP, with a handler of its own"),
    ("connect", "a raw connection, with a handler of its own"),
    ("alarm", EVENT),
    ("email", EVENT),
    ("queue", EVENT),
    ("scheduled", EVENT),
    ("tail", EVENT),
    ("tailStream", EVENT),
    ("tail_stream", EVENT),
    ("test", EVENT),
    ("trace", EVENT),
    ("webSocketMessage", EVENT),
    ("web_socket_message", EVENT),
    ("web_socket_close", EVENT),
    ("web_socket_error", EVENT),
];

const EVENT: &str = "an event, which no caller may send";

/// The methods of an entrypoint may not have the names of its handlers.
pub(crate) fn reserved_names(members: &[Member], only_public: bool, errors: &mut Errors) {
    for member in members {
        let Member::Function(function) = member else { continue };
        // What is wrong with the options is said where the methods are read.
        let options = MethodOptions::read(&function.attrs, &mut Errors::default());
        let hidden = only_public && !matches!(function.vis, Visibility::Public(_));
        if hidden || options.skip.is_some() {
            continue;
        }
        let own = function.sig.ident.unraw().to_string();
        let wire = options.rename.as_ref().map_or(own, LitStr::value);
        let same =
            |name: &str| name == wire || name == wire.replace("webSocket", "web_socket_").to_lowercase();
        if let Some((name, what)) = RESERVED.iter().find(|(name, _)| same(name)) {
            let message = format!(
                "`{name}` on an entrypoint is {what}: choose another name, or put the method on a target that the \
                 entrypoint returns, where the name is free",
            );
            match &options.rename {
                Some(rename) => errors.at(rename, message),
                None => errors.at(&function.sig.ident, message),
            }
        }
    }
}

/// A host makes entrypoints, and knows no types to choose.
pub(crate) fn head(generics: &Generics, errors: &mut Errors) {
    if let Some(param) = generics.type_params().next() {
        errors.at(
            param,
            "a host makes the objects of an entrypoint and has no types to choose: it cannot be generic",
        );
    } else if let Some(param) = generics.const_params().next() {
        errors.at(
            param,
            "a host makes the objects of an entrypoint and has no figures to choose: it cannot be generic",
        );
    }
}

/// The constructor of an entrypoint.
pub(crate) fn constructor(new: &Function, errors: &mut Errors) {
    let sig = &new.sig;
    if let Some(token) = &sig.asyncness {
        let message = "the constructor of an entrypoint runs before each call and is not `async`: prepare what takes \
                       time in the environment, or in the method";
        errors.at(token, message);
    }
    if !sig.generics.params.is_empty() {
        errors.at(
            &sig.generics.params,
            "a host calls this constructor and has no types to choose: it cannot be generic",
        );
    }
    if sig.inputs.len() != 2 {
        let message = "a host makes an entrypoint from its environment and its context: write \
                       `fn new(env: Arc<Env>, ctx: Ctx) -> Self`, or no `new` for a unit struct";
        errors.at(&sig.ident, message);
    }
    if let ReturnType::Default = sig.output {
        errors.at(
            &sig.ident,
            "the constructor of an entrypoint returns `Self`, or `Result<Self, E>` if it can fail",
        );
    }
}

/// `env` says what is there to be read.
pub(crate) fn env_twice(env: &Type, errors: &mut Errors) {
    errors.at(env, "the environment is that of the `new` in this `impl`: leave `env` out");
}

/// A trait is not an object.
pub(crate) fn on_a_trait(name: &Ident, errors: &mut Errors) {
    let message = format!(
        "`{name}` is a contract, of which there may be any number of entrypoints: write #[rpc_target] here, and \
         #[entrypoint] on `impl {name} for …`",
    );
    errors.at(name, message);
}

/// Neither an `impl` nor a trait.
pub(crate) fn on_something_else(item: &TokenStream, errors: &mut Errors) {
    let message = "#[entrypoint] belongs on the `impl` block of a type, or on its `impl` of a contract";
    errors.push(syn::Error::new(item.span(), message));
}
