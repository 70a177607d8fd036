//! Methods of these names are the user's own, on the stub and through a promise, whatever traits are in scope.
use farcall::prelude::*;
#[allow(unused_imports)]
use std::{future::Future, hash::Hash, iter::Iterator};

macro_rules! hostile {
    ($($name:ident),*) => {
        pub struct Names;
        #[rpc_target]
        impl Names {
            pub fn me(&self) -> Self { Names }
            $(pub fn $name(&self) -> i64 { 0 })*
        }
        async fn through_stub(names: NamesStub) -> Result<i64, Error> {
            let mut sum = 0;
            $(sum += names.$name().await?;)*
            Ok(sum)
        }
        async fn through_promise(names: NamesStub) -> Result<i64, Error> {
            let mut sum = 0;
            $(sum += names.me().$name().await?;)*
            Ok(sum)
        }
    };
}

hostile!(
    clone, new, deref, drop, call, r#await, r#type, poll, map, eq, cmp, to_string, to_owned, as_ref, borrow, node,
    default, fmt, hash, next, then, boxed, detach, closed, ready, same_target, handle, from_handle, into_handle,
    serialize, describe, encode, interface, serve, fetch, connect, write, read, iter, len, collect
);

/// What `futures::FutureExt` does to every future.
trait FutureExt: Future + Sized {
    fn map(self) {}
    fn then(self) {}
    fn boxed(self) {}
}
impl<F: Future> FutureExt for F {}

fn main() {
    let _ = (through_stub, through_promise);
    let _ = |f: std::future::Ready<()>| f.map();
    let _ = |f: std::future::Ready<()>| f.then();
    let _ = |f: std::future::Ready<()>| f.boxed();
}
