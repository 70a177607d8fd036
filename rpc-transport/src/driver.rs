//! [`Driver`]: the loop that pumps a connection through a byte stream.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes};
use farcall_core::Segment;
use farcall_core::connection::{Connection, Input, Turned};
use farcall_core::limits::Limits;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::tap::Tapped;
use crate::watch::{Waiting, Watch};

/// How long a turn may go on once its first calls have run, before what is there is written and others run.
const TURN_TIME: Duration = Duration::from_micros(100);

/// Which side of a connection a driver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// It asked for the connection, and closes it when nothing keeps it (R17b).
    Connecting,
    /// It was asked.
    Accepting,
}

/// Owns one transport and moves everything between it and its connection, in both directions, in one task. Reading
/// never waits for writing: two full socket buffers must not be a deadlock.
///
/// Dropping it ends the connection: every promise settles, every target is given up (R17c).
#[derive(Debug)]
pub struct Driver<S> {
    stream: Tapped<S>,
    connection: Connection,
    side: Side,
    input: Input,
    writing: Writing,
    closing: bool,
    /// The peer has closed its direction, and calls that it detached still run.
    lingering: bool,
    watch: Watch,
    /// How the last turn ended: after a bounded one, what has come in is handled before more is read.
    turned: Turned,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    pub(crate) fn new(stream: S, connection: Connection, side: Side, limits: &Limits) -> Self {
        Self {
            stream: Tapped::new(stream, connection.number()),
            connection,
            side,
            input: Input::default(),
            writing: Writing::default(),
            closing: false,
            lingering: false,
            watch: Watch::new(limits),
            turned: Turned::NeedInput,
        }
    }

    /// Handles what has come in, for a bounded while.
    fn turn(&mut self) {
        let mut asked = None;
        // A clock that is asked before much was done would cost more than what was done.
        let enough = || asked.get_or_insert_with(Instant::now).elapsed() > TURN_TIME;
        self.turned = self.connection.turn(&mut self.input, enough);
    }

    /// Reads once. `true`: there may be more to handle.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.lingering {
            return Poll::Pending;
        }
        let space = self.input.space();
        let bytes = ready!(read_into(Pin::new(&mut self.stream), cx, space))?;
        if bytes == 0 {
            return Poll::Ready(Ok(false));
        }
        self.watch.heard();
        self.input.read(bytes);
        Poll::Ready(Ok(true))
    }

    /// Writes what can be written now, up to the end of one piece of a large body.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Wrote>> {
        if self.lingering {
            return Poll::Pending;
        }
        loop {
            if self.writing.is_empty() {
                if self.writing.segment.ends_with_piece() {
                    self.writing.clear();
                    return Poll::Ready(Ok(Wrote::Piece));
                }
                if !self.writing.refill(&self.connection) {
                    return Pin::new(&mut self.stream).poll_flush(cx).map_ok(|()| Wrote::All);
                }
            }
            ready!(self.writing.poll(Pin::new(&mut self.stream), cx))?;
            self.watch.took();
        }
    }

    /// Whether the peer has taken too long, or was asked for a sign of life: then there is something to write.
    #[inline]
    fn poll_watch(&mut self, cx: &mut Context<'_>, blocked: bool) -> Poll<()> {
        // Calls that run for a peer which has closed its direction need it no more.
        if self.lingering {
            return Poll::Pending;
        }
        self.watch.poll(cx, &self.connection, Waiting { blocked, closing: self.closing })
    }
}

/// How far writing came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrote {
    /// Nothing is left.
    All,
    /// A piece of a large body has left. There may be more, and what came up meanwhile goes before it.
    Piece,
}

/// Pieces that are written in one go before others run.
const PIECES: u32 = 4;

/// `poll_read` into the spare room of a buffer, without filling the room first.
fn read_into<S: AsyncRead>(
    mut stream: Pin<&mut S>,
    cx: &mut Context<'_>,
    mut space: impl BufMut,
) -> Poll<io::Result<usize>> {
    use tokio::io::AsyncReadExt;
    let mut read = std::pin::pin!(stream.read_buf(&mut space));
    read.as_mut().poll(cx)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Driver<S> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let mut pieces = 0;
        loop {
            let read =
                if this.turned == Turned::NeedInput { this.poll_read(cx) } else { Poll::Ready(Ok(true)) };
            match &read {
                Poll::Ready(Ok(true)) => this.turn(),
                Poll::Ready(Ok(false)) => {
                    if !this.connection.input_ended() {
                        return Poll::Ready(Ok(()));
                    }
                    this.lingering = true;
                    continue;
                }
                Poll::Ready(Err(error)) => {
                    this.connection.transport_ended(Some(error));
                    return read.map(|read| read.map(|_| ()));
                }
                Poll::Pending => {}
            }
            let wrote = this.poll_write(cx);
            if let Poll::Ready(Err(error)) = wrote {
                this.connection.transport_ended(Some(&error));
                return Poll::Ready(Err(error));
            }
            let piece = matches!(wrote, Poll::Ready(Ok(Wrote::Piece)));
            pieces += u32::from(piece);
            if this.turned == Turned::Ended || this.connection.ended().is_some() {
                // The reason is on its way to the peer; whether it arrives is not worth waiting for long.
                let _ = Pin::new(&mut this.stream).poll_shutdown(cx);
                return Poll::Ready(Ok(()));
            }
            if this.turned == Turned::Yield || pieces == PIECES {
                // Others run before the next turn.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if (wrote.is_pending() || read.is_pending()) && this.poll_watch(cx, wrote.is_pending()).is_ready()
            {
                continue;
            }
            if read.is_pending() {
                if wrote.is_ready()
                    && !piece
                    && (this.closing || this.connection.may_close(this.side == Side::Connecting))
                {
                    this.closing = true;
                    if let Poll::Ready(Err(error)) = Pin::new(&mut this.stream).poll_shutdown(cx) {
                        this.connection.transport_ended(Some(&error));
                        return Poll::Ready(Err(error));
                    }
                }
                if !piece && !this.connection.sleep(cx.waker(), wrote.is_pending()) {
                    this.input.rest();
                    return Poll::Pending;
                }
                this.turn();
            }
        }
    }
}

impl<S> Drop for Driver<S> {
    fn drop(&mut self) {
        self.connection.transport_ended(None);
    }
}

/// Output that left the connection's buffer and is being written: bytes, with payloads between them.
#[derive(Debug, Default)]
struct Writing {
    segment: Segment,
    /// How far `segment.bytes` is written.
    done: usize,
}

/// Slices given to one vectored write.
const SLICES: usize = 64;

impl Writing {
    fn is_empty(&self) -> bool {
        self.segment.is_written(self.done)
    }

    fn refill(&mut self, connection: &Connection) -> bool {
        self.clear();
        connection.take_output(&mut self.segment)
    }

    fn clear(&mut self) {
        self.segment.clear();
        self.done = 0;
    }

    fn poll<S: AsyncWrite>(&mut self, stream: Pin<&mut S>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = match self.segment.payloads() {
            payloads if payloads.is_empty() => {
                ready!(stream.poll_write(cx, &self.segment.bytes()[self.done..]))?
            }
            payloads => {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let used = fill(&mut slices, self.segment.bytes(), self.done, payloads);
                ready!(stream.poll_write_vectored(cx, &slices[..used]))?
            }
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.advance(written);
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        while written > 0 {
            let next = self.segment.payloads_mut().front_mut();
            match next {
                Some((at, payload)) if *at == self.done => {
                    let part = written.min(payload.len());
                    payload.advance(part);
                    written -= part;
                    if payload.is_empty() {
                        self.segment.payloads_mut().pop_front();
                    }
                }
                Some((at, _)) => {
                    let part = written.min(*at - self.done);
                    self.done += part;
                    written -= part;
                }
                None => {
                    self.done += written;
                    return;
                }
            }
        }
    }
}

fn fill<'a>(
    slices: &mut [IoSlice<'a>; SLICES],
    bytes: &'a [u8],
    mut done: usize,
    payloads: &'a VecDeque<(usize, Bytes)>,
) -> usize {
    let mut used = 0;
    for (at, payload) in payloads {
        if used + 2 > SLICES {
            return used;
        }
        if *at > done {
            slices[used] = IoSlice::new(&bytes[done..*at]);
            used += 1;
            done = *at;
        }
        slices[used] = IoSlice::new(payload);
        used += 1;
    }
    if done < bytes.len() && used < SLICES {
        slices[used] = IoSlice::new(&bytes[done..]);
        used += 1;
    }
    used
}
