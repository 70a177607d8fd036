//! Moves farcall's frames over byte streams: TCP, Unix sockets, and anything that is `AsyncRead + AsyncWrite`.
//!
//! # Layout
//!
//! - `endpoint`: connecting and serving;
//! - `driver`: the loop that pumps a connection through a byte stream;
//! - `probe`: byte streams that count frames and round trips, and that add delay;
//! - `testing`: what tests of programs assert;
//! - `uri`: addresses;
//! - `watch`: the one timer of a connection.

mod driver;
mod endpoint;
pub mod probe;
pub mod testing;
mod uri;
mod watch;

pub use driver::Driver;
pub use endpoint::{Endpoint, Server, connect, main_stub, serve};
pub use uri::Uri;
