//! What tests of programs that use farcall assert.

use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use farcall_core::connection::Connection;

/// How long what was dropped may take to be given back.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits until nothing is held over the connection but the main objects, and no call is under way in either direction.
/// What was dropped is given back with the next messages, so this may take a moment. Row 159.
///
/// Either end will do: what one side holds the other lends. A connection that has ended holds nothing.
///
/// # Panics
/// If something is still held after five seconds: with the list of it, by interface and, on a connection that
/// [records](crate::Endpoint::record_sites) them, by the places that it comes from.
#[track_caller]
pub fn assert_no_leaks(connection: &Connection) -> impl Future<Output = ()> + Send {
    let (connection, caller) = (connection.clone(), Location::caller());
    async move {
        let clean = async {
            while !connection.snapshot().is_clean() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, clean).await.is_ok();
        assert!(in_time, "still held over the connection at {caller}:\n{}", connection.snapshot());
    }
}
