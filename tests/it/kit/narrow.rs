//! [`Narrow`]: a byte stream that comes in small portions.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most that is read at once, in bytes.
const PORTION: usize = 8;

/// A byte stream of which little is read at once, and others run in between: what was written together does not arrive
/// together.
pub struct Narrow<S> {
    stream: S,
    rested: bool,
}

impl<S> Narrow<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, rested: false }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Narrow<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !std::mem::replace(&mut this.rested, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut portion = [0; PORTION];
        let most = PORTION.min(buf.remaining());
        let mut part = ReadBuf::new(&mut portion[..most]);
        ready!(Pin::new(&mut this.stream).poll_read(cx, &mut part))?;
        this.rested = false;
        buf.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Narrow<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
