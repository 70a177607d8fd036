//! What a target may not be: one function for each group of rules. Each message stands where the mistake is and
//! says what to write instead.

pub(crate) mod entrypoint;
mod hook;
pub(crate) mod value;

use std::collections::HashMap;

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{FnArg, GenericParam, Generics, Ident, ItemTrait, Path, ReturnType, Signature, Type};

use crate::attr::{Carried, Extends, MethodOptions, TargetOptions};
use crate::model::{Method, Owner, typed_params};
use crate::parse::{Function, Member};
use crate::report::Errors;
use crate::types::{self, Lend, Survey};
use crate::wire_name;

pub(crate) use hook::{hook, one_hook};

/// More cannot be had: the library implements its traits for tuples up to this length.
const MAX_PARAMS: usize = 12;

/// What messages about a method end in: it need not be remote.
fn or_hide(owner: &Owner) -> &'static str {
    match owner {
        Owner::Inherent(_) => "or keep it off the stub: make it private, or write #[rpc(skip)] on it",
        Owner::Contract { .. } => "or keep it off the stub with #[rpc(skip)]",
    }
}

/// Names that a stub's method, or a promise's accessor, would not be reached by: traits that std implements for
/// every type have methods of that name which take `self` by value, and method lookup tries those first.
const RESERVED: [&str; 4] = ["into", "try_into", "into_future", "into_stub"];

/// The rules for one exported method.
pub(crate) fn method(function: &Function, options: &MethodOptions, owner: &Owner, errors: &mut Errors) {
    let sig = &function.sig;
    if sig.receiver().is_none() {
        return no_receiver(sig, owner, errors);
    }
    qualifiers(sig, owner, errors);
    receiver(sig, owner, errors);
    generics(sig, owner, errors);
    params(function, owner, errors);
    result(sig, owner, errors);
    roles(function, options, errors);
    let renamed = options.call.is_some();
    if !renamed && is_reserved(&sig.ident) {
        let name = sig.ident.unraw();
        let message = format!(
            "the name `{name}` would not be reached: std or farcall gives every promise or stub a method of that \
             name, which takes it by value and so comes first; choose another one, and keep this on the wire with \
             #[rpc(rename = \"{name}\")]",
        );
        errors.at(&sig.ident, message);
    }
}

/// Whether promises and stubs have a method of this name already.
fn is_reserved(name: &Ident) -> bool {
    RESERVED.contains(&name.unraw().to_string().as_str())
}

fn qualifiers(sig: &Signature, owner: &Owner, errors: &mut Errors) {
    let or_hide = or_hide(owner);
    if let Some(token) = &sig.unsafety {
        errors.at(token, format!("an `unsafe fn` cannot be remote: no caller can promise what it asks for; make it safe, {or_hide}"));
    }
    if let Some(abi) = &sig.abi {
        errors.at(abi, format!("a remote method is an ordinary Rust function; leave the ABI out, {or_hide}"));
    }
    if let Some(variadic) = &sig.variadic {
        errors.at(variadic, "a remote method has a fixed list of parameters; take a `Vec<T>`");
    }
}

fn no_receiver(sig: &Signature, owner: &Owner, errors: &mut Errors) {
    let (name, or_hide) = (&sig.ident, or_hide(owner));
    errors.at(
        name,
        format!("`{name}` has no receiver, so there is no target to call it on: take `&self`, {or_hide}"),
    );
}

fn receiver(sig: &Signature, owner: &Owner, errors: &mut Errors) {
    let (Some(receiver), or_hide) = (sig.receiver(), or_hide(owner)) else { return };
    match types::plain(&receiver.ty) {
        Type::Reference(reference) if is_self(&reference.elem) => {
            if let Some(lifetime) = &reference.lifetime {
                errors
                    .at(lifetime, "a remote method has no lifetime parameters: write `&self` or `&mut self`");
            }
        }
        _ => {
            let message = format!(
                "a target stays where it is and is called many times, so a remote method cannot take it by value: \
                 take `&self`, or `&mut self` to run one call at a time, {or_hide}",
            );
            errors.at(receiver, message);
        }
    }
}

fn is_self(ty: &Type) -> bool {
    matches!(types::plain(ty), Type::Path(path) if path.qself.is_none() && path.path.is_ident("Self"))
}

fn generics(sig: &Signature, owner: &Owner, errors: &mut Errors) {
    let or_hide = or_hide(owner);
    for param in &sig.generics.params {
        match param {
            GenericParam::Lifetime(param) => {
                let message = "a remote method has no lifetime parameters: write `&self`, and `&str`, `&[T]` or `&T` without a name";
                errors.at(param, message);
            }
            GenericParam::Type(_) | GenericParam::Const(_) => {
                let message = format!(
                    "a remote method cannot be generic: it has one signature for every caller; name the types, write \
                     one method for each of them, {or_hide}",
                );
                errors.at(param, message);
            }
        }
    }
    if let (Some(clause), true) = (&sig.generics.where_clause, sig.generics.params.is_empty()) {
        errors.at(clause, "a remote method has no bounds of its own: move them to the `impl` or the trait");
    }
}

fn params(function: &Function, owner: &Owner, errors: &mut Errors) {
    let typed = || typed_params(function);
    if let Some(surplus) = typed().nth(MAX_PARAMS) {
        let message = format!(
            "a remote method has at most {MAX_PARAMS} parameters: put some of them into a struct that derives RpcValue",
        );
        errors.at(surplus, message);
    }
    for input in &function.sig.inputs {
        let (FnArg::Receiver(syn::Receiver { attrs, .. }) | FnArg::Typed(syn::PatType { attrs, .. })) = input;
        for attr in
            attrs.iter().filter(|attr| attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr"))
        {
            errors.at(
                attr,
                "a parameter cannot hang on a condition: write the method twice, each under its own #[cfg]",
            );
        }
    }
    typed().for_each(|param| param_type(&param.ty, owner, errors));
}

fn param_type(ty: &Type, owner: &Owner, errors: &mut Errors) {
    let lend = Lend::of(ty);
    let survey = Survey::of(lend.lent(ty));
    if let Some(opaque) = survey.opaque {
        let message = "a remote method cannot take `impl Trait`: name the type; a callback is `RpcFn<fn(A) -> R>`, an object its stub";
        errors.at(opaque, message);
    } else if let Some(borrow) = survey.borrow {
        let message = match types::plain(ty) {
            Type::Reference(reference) if reference.mutability.is_some() => {
                "an argument is the method's own, so there is nothing to write back to: take it by value and return \
                 what has changed"
                    .to_owned()
            }
            _ => format!(
                "an argument comes over a wire and can only be lent as `&T` or `Option<&T>`, without a lifetime: \
                 take it so, or owned, as `{}`",
                types::owned_form(ty),
            ),
        };
        errors.at(borrow, message);
    }
    if let Some(infer) = survey.infer {
        errors.at(infer, "the type of a parameter must be spelled out");
    }
    own_type(survey.own, owner, errors);
}

fn own_type(own: Option<impl ToTokens>, owner: &Owner, errors: &mut Errors) {
    if let (Some(own), Owner::Contract { .. }) = (own, owner) {
        let message = "`Self` is another type for each implementor, and the caller does not know it: name a type that \
                       travels, for the target itself its stub";
        errors.at(own, message);
    }
}

fn result(sig: &Signature, owner: &Owner, errors: &mut Errors) {
    let ReturnType::Type(_, declared) = &sig.output else { return };
    let future = types::future_output(declared);
    let ty = future.as_ref().unwrap_or(declared);
    let survey = Survey::of(ty);
    if let Some(opaque) = survey.opaque {
        let message = "the caller must know what a remote method returns: name the type instead of `impl Trait`; \
                       for a future write `async fn`";
        errors.at(opaque, message);
    } else if let Some(borrow) = survey.borrow {
        let message = match types::plain(ty) {
            Type::Reference(_) => format!("return it owned, as `{}`", types::owned_form(ty)),
            _ => "return it owned".to_owned(),
        };
        errors.at(
            borrow,
            format!("a result travels to the caller, so it cannot borrow from the target: {message}"),
        );
    }
    if let Type::Never(never) = types::plain(ty) {
        errors.at(never, "a remote method that never returns has no result for its caller: return `()`");
    }
    if let Some(infer) = survey.infer {
        errors.at(infer, "the type of a result must be spelled out");
    }
    own_type(survey.own, owner, errors);
}

fn roles(function: &Function, options: &MethodOptions, errors: &mut Errors) {
    if let Some(get) = &options.get {
        let takes_exclusively = function.sig.receiver().is_some_and(|receiver| {
            matches!(types::plain(&receiver.ty), Type::Reference(reference) if reference.mutability.is_some())
        });
        if takes_exclusively {
            errors.at(get, "a property is read and changes nothing: take `&self`, or leave `get` out");
        }
        if let Some(param) = typed_params(function).next() {
            errors.at(param, "a property has no parameters: leave `get` out to export a method");
        }
        if let Some(call) = &options.call {
            errors.at(
                call,
                "a property cannot also be what a call of the stub itself runs: choose `get` or `call`",
            );
        }
    }
    if let (Some(_), Some(rename)) = (&options.call, &options.rename) {
        errors.at(
            rename,
            "`#[rpc(call)]` has the wire name `call`, by which functions are called; leave `rename` out",
        );
    }
    if let Some(rename) = options.rename.as_ref().filter(|rename| rename.value().is_empty()) {
        errors.at(rename, "a wire name cannot be empty");
    }
}

/// `skip` leaves nothing for the other options to speak of.
pub(crate) fn skipped(options: &MethodOptions, errors: &mut Errors) {
    let rest = [&options.get, &options.call, &options.spawn, &options.on_release];
    for other in rest.into_iter().flatten() {
        errors.at(
            other,
            format!("`skip` keeps the method off the stub, so `{other}` says nothing; leave one of them out"),
        );
    }
}

/// Options on a method that is not exported are a mistake: its author believes that it is.
pub(crate) fn private(function: &Function, errors: &mut Errors) {
    if let Some(attr) = function.attrs.iter().find(|attr| attr.path().is_ident("rpc")) {
        let message = format!(
            "`{}` is not `pub`, so it is not remote: make it `pub`, or remove this",
            function.sig.ident
        );
        errors.at(attr, message);
    }
}

/// A macro among the members may hide a `pub` method.
pub(crate) fn opaque_member(call: &impl ToTokens, errors: &mut Errors) {
    errors.at(call, "#[rpc_target] cannot see the methods that a macro makes: move this into an `impl` without the attribute");
}

/// No two methods of one interface may have the same name, nor the same hash of it: that is their id on the wire.
pub(crate) fn wire_names(methods: &[Method], errors: &mut Errors) {
    let mut seen: HashMap<u32, Vec<&Method>> = HashMap::new();
    for method in methods {
        let others = seen.entry(wire_name::hash(&method.wire_name)).or_default();
        if let Some(first) = others.iter().find(|first| may_meet(&first.carried, &method.carried)) {
            let message = if first.wire_name == method.wire_name {
                format!(
                    "`{}` and `{}` both have the wire name `{}`: give one of them another with #[rpc(rename = \"…\")]",
                    first.ident, method.ident, method.wire_name,
                )
            } else {
                format!(
                    "the wire names `{}` and `{}` have the same hash, by which methods are called: give one of them \
                     another with #[rpc(rename = \"…\")]",
                    first.wire_name, method.wire_name,
                )
            };
            errors.at(&method.ident, message);
        }
        others.push(method);
    }
}

/// Methods under two different conditions are taken to exclude each other; rustc reports it if they do not.
fn may_meet(first: &Carried, second: &Carried) -> bool {
    let (first, second) = (first.condition(), second.condition());
    first.is_empty() || second.is_empty() || first == second
}

/// Options that say something of the `impl` of a contract only.
pub(crate) fn only_for_trait_impls(options: &TargetOptions, errors: &mut Errors) {
    for option in [&options.contract, &options.secondary].into_iter().flatten() {
        errors.at(option, "this option belongs on `impl Contract for Target`");
    }
}

/// Options that say something of a trait only.
pub(crate) fn only_for_traits(options: &TargetOptions, errors: &mut Errors) {
    if let Some(Extends::Contract(name)) = &options.extends {
        errors.at(name, "`extends` belongs on a trait: it says which of the supertraits is a contract");
    }
}

/// The stub of an implementation is the contract's.
pub(crate) fn stub_of_implementation(options: &TargetOptions, errors: &mut Errors) {
    if let Some(stub) = &options.stub {
        errors.at(stub, "the stub belongs to the contract: give it a name where the trait is declared");
    }
}

/// A target and its stub live as long as anybody holds them, so neither borrows. Says whether one does.
pub(crate) fn lifetimes(generics: &Generics, own: Option<&Type>, errors: &mut Errors) -> bool {
    let message = "a target is kept as long as anybody holds its stub, so it cannot borrow: let it own what it uses, \
                   or share it by `Arc`";
    generics.lifetimes().for_each(|lifetime| errors.at(lifetime, message));
    let declared = generics.lifetimes().next().is_some();
    match own.and_then(|own| Survey::of(own).borrow) {
        Some(borrow) if !declared => errors.at(borrow, message),
        None if !declared => return false,
        _ => {}
    }
    true
}

/// A target needs a name, after which its stub is named.
pub(crate) fn unnamed_target(ty: &Type, errors: &mut Errors) {
    errors.at(
        ty,
        "a target is a struct or an enum: wrap this type in a struct of yours and write the `impl` for that",
    );
}

/// What a trait cannot be if it is a contract.
pub(crate) fn contract_head(head: &ItemTrait, errors: &mut Errors) {
    if let Some(token) = &head.unsafety {
        errors.at(token, "a contract cannot be an `unsafe trait`: no peer can promise what it asks for");
    }
    for param in head.generics.type_params().filter(|param| param.default.is_some()) {
        errors.at(
            param,
            "a parameter of a contract has no default: who implements the contract elsewhere names them all",
        );
    }
    if let Some(token) = &head.auto_token {
        errors.at(token, "a contract cannot be an `auto trait`: it is implemented for targets by name");
    }
}

/// Options of methods are the contract's to say, for all its implementors at once.
pub(crate) fn members_of_implementation(members: &[Member], errors: &mut Errors) {
    for member in members {
        let Member::Function(function) = member else { continue };
        for attr in function.attrs.iter().filter(|attr| attr.path().is_ident("rpc")) {
            errors.at(
                attr,
                "what is remote, and how, is the contract's to say: write this on the method in the trait",
            );
        }
    }
}

/// `extends` names none of the supertraits.
pub(crate) fn extends_no_supertrait(name: &Ident, errors: &mut Errors) {
    errors.at(name, format!("`{name}` is not among the supertraits: write `trait …: {name}`"));
}

/// Stubs have one parent.
pub(crate) fn extends_several(path: &Path, errors: &mut Errors) {
    let message = "a contract extends at most one other, and rustc does not tell which of these is one: say it with \
                   #[rpc_target(extends = \"Name\")], or with `extends = \"\"` if none is";
    errors.at(path, message);
}
