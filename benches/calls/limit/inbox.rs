//! Whole frames out of a stream: one buffer, one read for as many frames as it holds.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

use super::wire::LENGTH;

/// Holds all that a thousand small calls send at once.
const CAPACITY: usize = 64 * 1024;

/// What has come in and has not been handled.
#[derive(Debug)]
pub(super) struct Inbox {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self { buffer: vec![0; CAPACITY], start: 0, end: 0 }
    }

    /// Reads once. `false`: the peer has closed the stream.
    pub(super) fn poll_fill(
        &mut self,
        stream: &mut TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<bool>> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let mut free = ReadBuf::new(&mut self.buffer[self.end..]);
        if free.remaining() == 0 {
            return Poll::Ready(Err(io::Error::other("a frame is longer than the buffer")));
        }
        ready!(Pin::new(stream).poll_read(cx, &mut free))?;
        let read = free.filled().len();
        self.end += read;
        Poll::Ready(Ok(read > 0))
    }

    /// Reads once, as [`Self::poll_fill`].
    pub(super) async fn fill(&mut self, stream: &mut TcpStream) -> io::Result<bool> {
        std::future::poll_fn(|cx| self.poll_fill(stream, cx)).await
    }

    /// The next whole frame, its length taken off.
    #[inline]
    pub(super) fn next_frame(&mut self) -> Option<&[u8]> {
        let waiting = &self.buffer[self.start..self.end];
        let (&length, rest) = waiting.split_first_chunk::<LENGTH>()?;
        let frame = rest.get(..u32::from_le_bytes(length) as usize)?;
        self.start += LENGTH + frame.len();
        Some(frame)
    }
}
