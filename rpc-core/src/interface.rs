//! What a kind of target can do: the names, ids and schemas of its methods.
//!
//! A method is named on the wire by 64 bits, a hash of its name and a hash of its signature, so that a value is
//! never read as something else by a peer that was built from another version of the contract.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{LazyLock, PoisonError, RwLock};

use bytes::Bytes;

use crate::arg::ParamList;
use crate::codec::decode_whole;
use crate::error::{Error, ErrorKind};
use crate::schema::{FNV_START, Schema, fnv, fold};
use crate::value::RpcReturn;

#[cfg(test)]
mod tests;

/// What the macros know of a method: its name on the wire and its types. It can stand in a `const` where types
/// are generic, because it holds nothing but function pointers.
#[derive(Clone, Copy, Debug)]
pub struct Sig {
    name: &'static str,
    is_property: bool,
    describe: fn(&'static str, bool) -> MethodInfo,
}

impl Sig {
    /// A method.
    #[inline]
    pub const fn method<P: ParamList, R: RpcReturn>(name: &'static str) -> Self {
        Self { name, is_property: false, describe: MethodInfo::describe::<P, R> }
    }

    /// A property: a method without parameters that is read, not called.
    pub const fn property<R: RpcReturn>(name: &'static str) -> Self {
        Self { name, is_property: true, describe: MethodInfo::describe::<(), R> }
    }
}

/// The name of a method on the binary wire: the hash of its name in the high half, that of its signature in the
/// low half. No security boundary: arguments are decoded with checks whatever the id says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MethodId(pub u64);

impl MethodId {
    fn new(name: u32, signature: u32) -> Self {
        Self(u64::from(name) << 32 | u64::from(signature))
    }

    /// The hash of the name.
    pub fn name(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

impl fmt::Display for MethodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}:{:08x}", self.0 >> 32, self.0 as u32)
    }
}

/// The hash of a method's name: FNV-1a with 64 bits over its UTF-8, the two halves combined by exclusive or.
///
/// ```
/// use farcall_core::interface::name_hash;
///
/// assert_eq!(name_hash(""), 0x4fd0_bfc1);
/// assert_eq!(name_hash("a"), 0x2962_30c0);
/// assert_eq!(name_hash("increment"), 0xbf86_b555);
/// assert_eq!(name_hash("größe"), 0x42c4_4ec4);
/// ```
pub const fn name_hash(name: &str) -> u32 {
    fold(fnv(FNV_START, name.as_bytes()))
}

/// One method of an interface.
#[derive(Debug)]
pub struct MethodInfo {
    /// Its name on the wire.
    pub name: &'static str,
    /// Whether it is a property.
    pub is_property: bool,
    /// The arguments, as a tuple.
    pub params: Schema,
    /// What it returns; the `Ok` value of a `Result`.
    pub result: Schema,
    /// Its own error; `Never` where it has none.
    pub user: Schema,
    /// Whether arguments may hold capabilities.
    pub args_have_caps: bool,
    /// Whether results may hold capabilities.
    pub result_has_caps: bool,
    /// Whether the method's own errors may hold capabilities.
    pub user_has_caps: bool,
    /// Whether arguments move in process.
    pub args_move: bool,
    /// Whether results move in process.
    pub result_moves: bool,
    /// Whether the method's own errors move in process.
    pub user_moves: bool,
    /// Arguments that may not be left out.
    required: usize,
    /// The id for each number of arguments present, from `required` on.
    ids: Box<[MethodId]>,
}

impl MethodInfo {
    fn describe<P: ParamList, R: RpcReturn>(name: &'static str, is_property: bool) -> Self {
        let params = Schema::describe(P::describe);
        let result = Schema::of::<R::Value>().of_method(name).explained_by(explain::<R>);
        let user = Schema::of::<R::User>();
        let required = P::required();
        let ids = ids(name, required, &params.element_hashes(), &result, &user);
        Self {
            name,
            is_property,
            args_have_caps: params.has_caps(),
            result_has_caps: result.has_caps(),
            user_has_caps: user.has_caps(),
            args_move: params.moves(),
            result_moves: result.moves(),
            user_moves: user.moves(),
            params,
            result,
            user,
            required,
            ids,
        }
    }

    /// How many parameters it has.
    pub fn params_count(&self) -> usize {
        self.params.count()
    }

    /// Whether it takes and returns the same as `other`, whatever their names.
    pub(crate) fn has_signature_of(&self, other: &Self) -> bool {
        let signatures = |info: &Self| info.ids.iter().map(|id| id.0 as u32).collect::<Vec<_>>();
        self.required == other.required && signatures(self) == signatures(other)
    }

    /// The id of a call with so many arguments present: all up to the last that is not a trailing `None`.
    #[inline]
    pub fn id(&self, present: usize) -> MethodId {
        let index = present.saturating_sub(self.required).min(self.ids.len() - 1);
        self.ids[index]
    }
}

/// The error of a method that returns `R`, in words.
fn explain<R: RpcReturn>(user: &Bytes) -> Option<String> {
    // The types are a user's, and may panic (R21).
    let text = || decode_whole::<R::User>(user).ok().map(|user| R::user_message(&user));
    catch_unwind(AssertUnwindSafe(text)).ok().flatten()
}

/// The ids for `required` arguments up to all of them.
fn ids(name: &str, required: usize, params: &[u64], result: &Schema, user: &Schema) -> Box<[MethodId]> {
    let name = name_hash(name);
    let outcome = fnv(fnv(FNV_START, &result.wide_hash().to_le_bytes()), &user.wide_hash().to_le_bytes());
    let mut signature = outcome;
    let mut ids = Vec::with_capacity(params.len() + 1 - required);
    for present in 0..=params.len() {
        if present > 0 {
            signature = fnv(signature, &params[present - 1].to_le_bytes());
        }
        if present >= required {
            ids.push(MethodId::new(name, fold(signature)));
        }
    }
    ids.into()
}

/// The methods of a kind of target.
#[derive(Debug)]
pub struct Interface {
    /// The name of the target or contract, for messages to humans: it is not on the wire.
    pub name: &'static str,
    methods: Box<[MethodInfo]>,
    /// The hash of each method's name, close together for [`find`](Self::find).
    names: Box<[u32]>,
}

impl Interface {
    /// The interface with these methods.
    pub fn new(name: &'static str, sigs: &[Sig]) -> Self {
        let methods = sigs.iter().map(|sig| (sig.describe)(sig.name, sig.is_property)).collect();
        let names = sigs.iter().map(|sig| name_hash(sig.name)).collect();
        Self { name, methods, names }
    }

    /// A method by its place in the interface.
    #[inline]
    pub fn method(&self, index: usize) -> Option<&MethodInfo> {
        self.methods.get(index)
    }

    /// All methods, in order.
    pub fn methods(&self) -> &[MethodInfo] {
        &self.methods
    }

    /// The method that a call names, its place, and how many arguments the call has.
    #[inline]
    pub(crate) fn lookup(&self, id: MethodId) -> Option<(usize, usize, &MethodInfo)> {
        let index = self.names.iter().position(|name| *name == id.name())?;
        let method = self.methods.get(index)?;
        let place = method.ids.iter().position(|other| *other == id)?;
        Some((index, method.required + place, method))
    }

    /// The place of the method that a call names, and how many arguments the call has.
    #[inline]
    pub fn find(&self, id: MethodId) -> Result<(usize, usize), Error> {
        let mut same_name = None;
        for (index, name) in self.names.iter().enumerate() {
            if *name == id.name() {
                let method = &self.methods[index];
                if let Some(place) = method.ids.iter().position(|other| *other == id) {
                    return Ok((index, method.required + place));
                }
                same_name = same_name.or(Some(method));
            }
        }
        Err(self.not_found(id, same_name))
    }

    #[cold]
    fn not_found(&self, id: MethodId, same_name: Option<&MethodInfo>) -> Error {
        let interface = self.name;
        match same_name {
            None => {
                let text = format!("`{interface}` has no method of the name that {id} stands for");
                Error::new(ErrorKind::UnknownMethod, text)
            }
            Some(method) => {
                let name = method.name;
                let text =
                    format!("`{interface}::{name}` takes or returns other types than the caller thinks");
                Error::new(ErrorKind::SignatureMismatch, text)
            }
        }
    }
}

/// The interface of a generic stub: a `static` cannot name the types of an `impl`, so those of one stub type are
/// described when it is first asked for, and kept for good.
pub fn generic_interface<S: 'static>(name: &'static str, sigs: &'static [Sig]) -> &'static Interface {
    static KNOWN: LazyLock<RwLock<HashMap<TypeId, &'static Interface>>> = LazyLock::new(RwLock::default);

    let key = TypeId::of::<S>();
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
    known.unwrap_or_else(|| {
        // Described before the lock is taken: this runs the `describe` of users' types.
        let interface = Interface::new(name, sigs);
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(key).or_insert_with(|| Box::leak(Box::new(interface)))
    })
}
