//! Promises and stubs of what a future of this process will give (row 134).

use std::future::Future;

use crate::function::RpcFn;
use crate::promise::Promise;
use crate::stub::Stub;
use crate::value::{RpcReturn, RpcValue};

impl<T: RpcValue, X> Promise<T, X> {
    /// The promise of what a future will give, which begins to run at once: on the current tokio runtime, or where
    /// methods that are not ready run otherwise.
    ///
    /// It is a promise like that of a call: it can be awaited, called through, passed as an argument, detached, and
    /// dropped to cancel the future. What a `Result` fails with is what the promise fails with; a panic is
    /// [`Panicked`](crate::error::ErrorKind::Panicked).
    pub fn from_future<R>(future: impl Future<Output = R> + Send + 'static) -> Self
    where
        R: RpcReturn<Value = T, Error = X> + 'static,
    {
        let mut once = Some(future);
        let function: RpcFn<fn() -> R> = RpcFn::new_async(move || {
            let future = once.take();
            async move {
                match future {
                    Some(future) => future.await,
                    // It is called once.
                    None => std::future::pending().await,
                }
            }
        });
        function.call()
    }
}

/// A stub of the target that a future will give, before it exists: for what connects lazily, or again. Row 134.
///
/// The future begins to run at once. Calls on the stub wait for it and are made in order; if it fails, they fail with
/// [`Upstream`](crate::error::ErrorKind::Upstream) and what it failed with. It is cancelled when the last stub and the
/// last call that waits for it are gone.
///
/// ```
/// # use farcall_core as farcall;
/// use farcall::function::RpcFn;
///
/// # async fn example() -> Result<(), farcall::error::Error> {
/// let double: RpcFn<fn(i64) -> i64> = farcall::stub_from(async { RpcFn::new(|n: i64| 2 * n) });
/// assert_eq!(double.call(4).await?, 8);
/// # Ok(()) }
/// ```
pub fn stub_from<S: Stub, R: RpcReturn<Value = S> + 'static>(
    future: impl Future<Output = R> + Send + 'static,
) -> S {
    S::from_handle(Promise::into_handle(Promise::<S, R::Error>::from_future(future)))
}
