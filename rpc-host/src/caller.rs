//! [`Caller`]: who made a call.

use farcall_transport::Peer;
use tokio::sync::watch;

use farcall_core::error::Error;

/// Who made a call, as the host and the transport know it: nothing of this comes from the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Caller {
    /// A worker of the same host, by its name; empty for the program around the host.
    Worker(String),
    /// Somebody over a connection.
    Peer(Peer),
    /// A test that made the context by hand.
    Test,
}

/// Tells when the caller's connection is over.
pub(crate) type Gone = Option<watch::Receiver<Option<Error>>>;

/// Waits until the caller's connection is over; within a process there is none.
pub(crate) async fn gone(mut gone: Gone) -> Error {
    if let Some(receiver) = &mut gone
        && let Ok(reason) = receiver.wait_for(Option::is_some).await
        && let Some(reason) = &*reason
    {
        return reason.clone();
    }
    std::future::pending().await
}
