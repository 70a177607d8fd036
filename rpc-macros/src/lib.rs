//! The macros of farcall: `#[rpc_target]`, `#[entrypoint]`, `#[derive(RpcValue)]` and `#[derive(Env)]`.
//!
//! # Layout
//!
//! A macro is a small compiler, and the modules are its passes:
//!
//! - `target`, `entrypoint`, `value` and `env`: the macros, from one pass to the next; `value` has the model of structs and
//!   enums too, `env` that of environments
//! - parse: `parse` (the item, bodies unread), `attr` and `serde_attr` (what attributes say), `rename`, `types`
//! - model: `model` (targets and their methods)
//! - validate: `valid` (one function for each group of rules), `report` (all mistakes in one go), `wire_name`
//! - expand: `expand`, one file for each thing that is printed
//! - `fallback`: what is printed after a mistake
//!
//! `golden` tests what is printed against the files in `golden/`.
//!
//! What is printed names only `farcall::__private` and the user's own types, and has no logic.

mod attr;
mod entrypoint;
mod env;
mod expand;
mod fallback;
#[cfg(test)]
mod golden;
mod model;
mod parse;
mod rename;
mod report;
mod serde_attr;
mod target;
mod types;
mod valid;
mod value;
mod wire_name;

use proc_macro::TokenStream;

/// Makes a type a target, a trait a contract, and a type a target of a contract.
///
/// # On an `impl`
///
/// Each `pub` method with `&self` or `&mut self` can be called from elsewhere; private ones never. Beside the `impl`
/// stands then its stub, here `CounterStub`, with a method for each of them:
///
/// ```text
/// #[rpc_target]
/// impl Counter {
///     pub fn increment(&mut self, amount: i64) -> i64 { self.value += amount; self.value }
///     #[rpc(get)]
///     pub fn value(&self) -> i64 { self.value }
/// }
///
/// impl CounterStub {
///     pub fn increment(&self, amount: impl IntoArg<i64>) -> Promise<i64>;
///     pub fn value(&self) -> Promise<i64>;
/// }
/// ```
///
/// That is what they come to; what is printed says the same by names under `farcall::__private`.
///
/// Methods with `&self` run side by side. If one of them takes `&mut self`, all methods of the target run one after
/// another, in the order in which the calls came, and each holds the target until it returns: one that awaits what waits
/// for its turn there, as a callback that calls the target, waits for itself. In one process the call that closes such
/// a circle fails with `ErrorKind::Deadlock`; over a connection it cannot be known, and a warning is logged. Return
/// first, detach the call, or make the methods `&self` and lock what they share.
///
/// # On a trait
///
/// The trait becomes a contract: it has the same stub, `CounterStub`, and any number of types implement it, each
/// `impl` under `#[rpc_target]`, also in other crates. Peers cannot tell it from an `impl`. Its `async fn`s return
/// `impl Future + Send`, and it has the supertraits `Send` and `'static`, and `Sync` if it has an `async fn(&self)`.
/// A contract may extend one other: `trait Admin: Counter` has an `AdminStub` that derefs to `CounterStub`.
///
/// # Options
///
/// - `crate = path`: where farcall is, if not at `::farcall`
/// - `stub = "Name"`: the name of the stub
/// - `extends = "Counter"`, on a trait: which of several supertraits is a contract; `""` if none is
/// - `contract = "Counter"`, on the `impl` of a contract: the name with which the contract was declared, if it is
///   imported under another one
/// - `secondary`, on the `impl` of a contract: returned by value, the target travels as the stub of another contract
///
/// # Options of methods
///
/// - `#[rpc(get)]`: a property
/// - `#[rpc(rename = "name")]`: its name on the wire
/// - `#[rpc(skip)]`: not on the stub
/// - `#[rpc(call)]`: what a call of the stub itself runs; the stub can then be passed as an `RpcFn`
/// - `#[rpc(spawn)]`: runs in a task of its own, for methods that compute for long
/// - `#[rpc(on_release)]`: not on the stub; runs once, when the last stub is gone and no method runs any more, and before
///   the target is dropped. It takes `&mut self` or `&self`, returns nothing, and may be an `async fn`. At most 64 run at
///   once in a process; while others wait, one that takes longer than 30 seconds is given up. When the runtime itself
///   ends, targets are dropped without it. On a contract it is the implementors' to write, or the default
///
/// # Signatures
///
/// A method has at most 12 parameters, each of a type that implements `RpcValue`, or `&T` or `Option<&T>` of such a
/// one. It returns what implements `RpcReturn`: an `RpcValue`, a target, or a `Result` of these; also in `Option`,
/// `Vec`, tuples and maps; or the `Promise` of another call, whose outcome is passed on. It is not generic.
#[proc_macro_attribute]
pub fn rpc_target(options: TokenStream, item: TokenStream) -> TokenStream {
    target::rpc_target(options.into(), item.into()).into()
}

/// Makes a struct or an enum a value, which travels as data; it needs serde's `Serialize` and `Deserialize` too.
///
/// All fields travel. Each `pub` one has an accessor on promises of the value:
///
/// ```text
/// #[derive(Serialize, Deserialize, RpcValue)]
/// pub struct Company { pub name: String, pub mailbox: MailboxStub, row_id: u64 }
///
/// directory.by_name("acme").mailbox().send("hi").await?; // one round trip
/// ```
///
/// The fields of a tuple struct are `_0()`, `_1()`; a struct with one unnamed public field is passed through as that
/// field is; an enum has no accessors. Type parameters must be `RpcValue`: write no bound on the type itself, or
/// `#[serde(bound = "")]` beside it.
///
/// # Options
///
/// - `#[rpc(crate = path)]`: where farcall is, if not at `::farcall`
/// - `#[rpc(bound = "T::Item: RpcValue")]`: what is asked of type parameters, instead of `T: RpcValue`
/// - `#[rpc(pipeline = "Name")]`: the name of the type that has the accessors
/// - `#[rpc(schema = "Type")]`, on a field with `#[serde(with = "…")]`: the type whose encoding it has
///
/// Attributes of serde are heeded. Those with which the binary wire cannot be read back are errors: `flatten`,
/// `untagged`, `tag`, `content`, `skip_serializing_if`, `skip_serializing` and `skip_deserializing` alone, and `skip`
/// on a variant that is not among the last.
#[proc_macro_derive(RpcValue, attributes(rpc, serde))]
pub fn rpc_value(item: TokenStream) -> TokenStream {
    value::rpc_value(item.into()).into()
}

/// Makes a type an entrypoint: a target of a worker, of which the host makes an object for each call.
///
/// It does what `#[rpc_target]` does, on an `impl` or on the `impl` of a contract, and reads `new`, which is private:
///
/// ```text
/// pub struct Greeter { env: Arc<Env>, ctx: Ctx }
///
/// #[entrypoint]
/// impl Greeter {
///     fn new(env: Arc<Env>, ctx: Ctx) -> Self { Self { env, ctx } }
///     pub async fn greet(&self, name: String) -> String { format!("{}{name}", self.env.greeting) }
/// }
/// ```
///
/// `new` may return a `Result`, whose error is then that of the call. A unit struct has no `new`. `fetch`, `connect` and
/// the names of events are no methods of an entrypoint.
///
/// # Options
///
/// - `name = "Admin"`: the name by which bindings find it, if not that of the type
/// - `default`: what a binding without a name finds, where a worker has several; a sole one needs it not
/// - `props = Type`: what its bindings carry, checked when the host starts
/// - `env = Type`: what `new` takes, where it stands in another `impl`, as it must beside the `impl` of a contract
/// - `crate`, `stub`, `contract`, `secondary`: as of `#[rpc_target]`
#[proc_macro_attribute]
pub fn entrypoint(options: TokenStream, item: TokenStream) -> TokenStream {
    entrypoint::entrypoint(options.into(), item.into()).into()
}

/// Makes a struct the environment of a worker: each field is a variable, a binding, or a group of them that derives
/// `Env` too.
///
/// ```text
/// #[derive(Env)]
/// pub struct Env { greeting: String, token: Secret<String>, counter: Service<CounterServiceStub> }
/// ```
///
/// A field is found by its name in `[vars]` or among the bindings of the worker's configuration, whether that is written
/// in small letters or in capitals; `#[env(name = "…")]` gives another one. An `Option` may be missing.
///
/// # Options
///
/// - `#[env(crate = path)]`: where farcall is, if not at `::farcall`
/// - `#[env(name = "NAME")]`, on a field: its name in the configuration
#[proc_macro_derive(Env, attributes(env))]
pub fn env(item: TokenStream) -> TokenStream {
    env::env(item.into()).into()
}
