//! What came as bytes and is passed on as bytes does not say which interface its stubs have. The schema of the method
//! does: so calls through what is passed on find their way into values, however many sides are between (R7b, R8).

use crate::codec::{Capability, FilledArg};
use crate::interface::MethodInfo;
use crate::outcome::Outcome;
use crate::schema::InterfaceOf;

/// Names the stubs in a result. A body that does not fit its schema is reported by whoever decodes it.
pub(crate) fn name_result(outcome: &mut Outcome<Capability>) {
    let Outcome::Value(answer) = outcome else { return };
    if let Some(schema) = answer.schema
        && has_nameless(&answer.caps)
        && let Ok(stubs) = schema.stubs(answer.body.as_slice())
    {
        name(&mut answer.caps, &stubs);
    }
}

/// Names the stubs in the arguments of a call, of which so many are present.
pub(crate) fn name_args(
    info: &MethodInfo,
    present: usize,
    body: &[u8],
    caps: &mut [Capability],
    filled: &mut [FilledArg],
) {
    if !has_nameless(caps) && !filled.iter().any(|arg| has_nameless(&arg.caps)) {
        return;
    }
    let mut rest = body;
    for param in 0..present.min(info.params_count()) {
        if let Some(arg) = filled.iter_mut().find(|arg| arg.is_for(param)) {
            let found = info.params.stubs_of_element(param, arg.is_inside_option(), &arg.body);
            if let Ok((_, stubs)) = found {
                name(&mut arg.caps, &stubs);
            }
            continue;
        }
        let Ok((used, stubs)) = info.params.stubs_of_element(param, false, rest) else { return };
        rest = rest.get(used..).unwrap_or_default();
        name(caps, &stubs);
    }
}

fn has_nameless(caps: &[Capability]) -> bool {
    caps.iter().any(|capability| capability.interface.is_none())
}

fn name(caps: &mut [Capability], stubs: &[(u32, InterfaceOf)]) {
    for (index, interface) in stubs {
        if let Some(capability) = caps.get_mut(*index as usize) {
            capability.interface.get_or_insert_with(interface);
        }
    }
}
