//! What a release hook may not be.

use syn::{ReturnType, Type};

use crate::attr::MethodOptions;
use crate::model::{Hook, typed_params};
use crate::parse::Function;
use crate::report::Errors;
use crate::types;

use super::{is_self, may_meet};

/// The rules for a method that is `#[rpc(on_release)]`: nobody calls it but the library, once.
pub(crate) fn hook(function: &Function, options: &MethodOptions, errors: &mut Errors) {
    let sig = &function.sig;
    for other in [&options.get, &options.call, &options.spawn, &options.skip].into_iter().flatten() {
        errors
            .at(other, format!("a release hook is not on the stub, so `{other}` says nothing: leave it out"));
    }
    if let Some(rename) = &options.rename {
        errors.at(rename, "a release hook is not on the wire, so it has no name there: leave `rename` out");
    }
    receiver(function, errors);
    if let Some(param) = typed_params(function).next() {
        errors.at(
            param,
            "nobody is there to pass a release hook an argument: keep what it needs in the target",
        );
    }
    if let Some(token) = &sig.unsafety {
        errors.at(token, "a release hook is called by the library, which can promise nothing: make it safe");
    }
    if !sig.generics.params.is_empty() {
        errors.at(&sig.generics.params, "a release hook is not generic: nobody is there to choose the types");
    }
    if let ReturnType::Type(_, declared) = &sig.output {
        let future = types::future_output(declared);
        let ty = future.as_ref().unwrap_or(declared);
        if !matches!(types::plain(ty), Type::Tuple(unit) if unit.elems.is_empty()) {
            errors.at(ty, "nobody waits for a release hook: return nothing, and log or keep what went wrong");
        }
    }
}

fn receiver(function: &Function, errors: &mut Errors) {
    let sig = &function.sig;
    let Some(receiver) = sig.receiver() else {
        let message = "a release hook looks after the target that is let go: take `&mut self`";
        return errors.at(&sig.ident, message);
    };
    match types::plain(&receiver.ty) {
        Type::Reference(reference) if is_self(&reference.elem) && reference.lifetime.is_none() => {}
        _ => {
            let message =
                "a release hook only borrows the target, which is dropped after it: take `&mut self`";
            errors.at(receiver, message);
        }
    }
}

/// A target has one release hook.
pub(crate) fn one_hook(hooks: &[Hook], errors: &mut Errors) {
    for (index, hook) in hooks.iter().enumerate() {
        let earlier = hooks.iter().take(index).find(|first| may_meet(&first.carried, &hook.carried));
        if let Some(first) = earlier {
            let message = format!(
                "`{}` is the release hook already: a target has one, call the other from it",
                first.ident
            );
            errors.at(&hook.ident, message);
        }
    }
}
