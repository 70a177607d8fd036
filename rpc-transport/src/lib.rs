//! Moves farcall's frames over byte streams: TCP, Unix sockets, and anything that is `AsyncRead + AsyncWrite`.
//!
//! # Layout
//!
//! - `endpoint`: connecting and serving; `server`: what accepts;
//! - `tls`: certificates, and TLS on top of TCP, with the feature `tls`;
//! - `offer`, `peer`: what is offered, by name, and to whom;
//! - `driver`: the loop that pumps a connection through a byte stream;
//! - `probe`: byte streams that count frames and round trips, and that add delay;
//! - `testing`: what tests of programs assert;
//! - `uri`: addresses;
//! - `watch`: the one timer of a connection.

mod driver;
mod endpoint;
mod offer;
mod peer;
pub mod probe;
mod server;
mod tap;
pub mod testing;
#[cfg_attr(not(feature = "tls"), path = "tls/absent.rs")]
mod tls;
mod uri;
mod watch;

pub use driver::Driver;
pub use endpoint::{Endpoint, connect, main_stub, serve};
pub use offer::Asked;
pub use peer::{Certificate, Peer};
pub use server::Server;
#[cfg(feature = "tls")]
pub use tls::Tls;
pub use uri::Uri;
