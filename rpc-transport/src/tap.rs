//! [`Tapped`]: a stream whose frames are logged, each as one line.
//!
//! With the environment variable `FARCALL_LOG=wire` they go to standard error; else to `tracing`, at the level TRACE
//! and under the target `farcall::wire`, if anybody wants that when the connection is made.

use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use farcall_core::Describer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that may be listened to. Where nobody listens, that costs a look at a pointer for each read and write.
#[derive(Debug)]
pub(crate) struct Tapped<S> {
    stream: S,
    log: Option<Box<Log>>,
}

/// Both directions of a connection.
#[derive(Debug)]
struct Log {
    connection: u64,
    to_stderr: bool,
    sent: Describer,
    received: Describer,
}

fn is_asked_for_by_environment() -> bool {
    static ASKED: OnceLock<bool> = OnceLock::new();
    *ASKED.get_or_init(|| {
        std::env::var("FARCALL_LOG").is_ok_and(|what| what.split(',').any(|part| part == "wire"))
    })
}

impl Log {
    fn new(connection: u64) -> Option<Box<Self>> {
        let to_stderr = is_asked_for_by_environment();
        let wanted = to_stderr || tracing::enabled!(target: "farcall::wire", tracing::Level::TRACE);
        let (sent, received) = (Describer::default(), Describer::default());
        wanted.then(|| Box::new(Self { connection, to_stderr, sent, received }))
    }

    fn sent(&mut self, bytes: &[u8]) {
        let (connection, to_stderr) = (self.connection, self.to_stderr);
        self.sent.feed(bytes, |line| say(connection, to_stderr, "->", line));
    }

    fn received(&mut self, bytes: &[u8]) {
        let (connection, to_stderr) = (self.connection, self.to_stderr);
        self.received.feed(bytes, |line| say(connection, to_stderr, "<-", line));
    }
}

fn say(connection: u64, to_stderr: bool, way: &str, line: &str) {
    if to_stderr {
        // Nobody can be told that this failed.
        let _ = writeln!(io::stderr().lock(), "farcall {connection} {way} {line}");
    } else {
        tracing::trace!(target: "farcall::wire", connection, "{way} {line}");
    }
}

impl<S> Tapped<S> {
    pub(crate) fn new(stream: S, connection: u64) -> Self {
        Self { stream, log: Log::new(connection) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tapped<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if let Some(log) = &mut this.log {
            log.received(buffer.filled().get(before..).unwrap_or_default());
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tapped<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.stream).poll_write(cx, bytes);
        if let (Some(log), Poll::Ready(Ok(wrote))) = (&mut this.log, &wrote) {
            log.sent(bytes.get(..*wrote).unwrap_or_default());
        }
        wrote
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        if let (Some(log), Poll::Ready(Ok(wrote))) = (&mut this.log, &wrote) {
            let mut left = *wrote;
            for slice in slices {
                let part = left.min(slice.len());
                log.sent(&slice[..part]);
                left -= part;
            }
        }
        wrote
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
