//! Byte streams to look at: [`Probe`] counts the frames and round trips that cross it, and delays them.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// What has crossed a [`Probe`]. Handles to one count are shared.
#[derive(Clone, Debug, Default)]
pub struct Counters(Arc<Mutex<Counts>>);

/// Figures read from [`Counters`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames written, the greeting included.
    pub frames_out: u64,
    /// Frames read, the greeting included.
    pub frames_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// How often something was read after something was written: round trips, seen from this side.
    pub round_trips: u64,
    asked: bool,
}

impl Counters {
    /// The figures now.
    pub fn read(&self) -> Counts {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was added since `earlier`.
    pub fn since(&self, earlier: Counts) -> Counts {
        let now = self.read();
        Counts {
            frames_out: now.frames_out - earlier.frames_out,
            frames_in: now.frames_in - earlier.frames_in,
            bytes_out: now.bytes_out - earlier.bytes_out,
            bytes_in: now.bytes_in - earlier.bytes_in,
            round_trips: now.round_trips - earlier.round_trips,
            asked: now.asked,
        }
    }

    fn wrote(&self, frames: u64, bytes: usize) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.frames_out += frames;
        counts.bytes_out += bytes as u64;
        counts.asked = true;
    }

    fn got(&self, frames: u64, bytes: usize) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.frames_in += frames;
        counts.bytes_in += bytes as u64;
        if std::mem::take(&mut counts.asked) {
            counts.round_trips += 1;
        }
    }
}

/// Counts the frames in a stream of bytes by their length fields.
#[derive(Debug, Default)]
struct FrameCount {
    header: [u8; 4],
    filled: usize,
    left: usize,
}

impl FrameCount {
    fn feed(&mut self, mut bytes: &[u8]) -> u64 {
        let mut frames = 0;
        while !bytes.is_empty() {
            if self.left > 0 {
                let part = self.left.min(bytes.len());
                self.left -= part;
                bytes = &bytes[part..];
                frames += u64::from(self.left == 0);
                continue;
            }
            self.header[self.filled] = bytes[0];
            self.filled += 1;
            bytes = &bytes[1..];
            if self.filled == self.header.len() {
                self.filled = 0;
                self.left = u32::from_le_bytes(self.header) as usize;
            }
        }
        frames
    }
}

/// A byte stream around another that counts what crosses it and delays each direction.
#[derive(Debug)]
pub struct Probe<S> {
    stream: S,
    counters: Counters,
    delay: Duration,
    outgoing: FrameCount,
    incoming: FrameCount,
    /// Written, and not yet due to be passed on.
    out_line: VecDeque<(Instant, Bytes)>,
    /// Read, and not yet due to be handed over.
    in_line: VecDeque<(Instant, Bytes)>,
    ended: bool,
    timer: Pin<Box<Sleep>>,
}

impl<S> Probe<S> {
    /// Counts what crosses `stream`, and holds it up for `delay` in each direction. It must be made inside a tokio
    /// runtime with a timer.
    pub fn new(stream: S, delay: Duration) -> (Self, Counters) {
        let counters = Counters::default();
        let probe = Self {
            stream,
            counters: counters.clone(),
            delay,
            outgoing: FrameCount::default(),
            incoming: FrameCount::default(),
            out_line: VecDeque::new(),
            in_line: VecDeque::new(),
            ended: false,
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
        };
        (probe, counters)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Probe<S> {
    /// Waits for a time; `Ready` when it has come.
    fn poll_due(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= due {
            return Poll::Ready(());
        }
        self.timer.as_mut().reset(due);
        self.timer.as_mut().poll(cx)
    }

    /// Passes on what is due. `Ready` when nothing is left.
    fn poll_pass_on(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((due, _)) = self.out_line.front() {
            let due = *due;
            if self.poll_due(due, cx).is_pending() {
                return Poll::Pending;
            }
            let Some((_, bytes)) = self.out_line.front_mut() else { break };
            match Pin::new(&mut self.stream).poll_write(cx, bytes) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(written)) => bytes.advance(written),
            }
            if bytes.is_empty() {
                self.out_line.pop_front();
            }
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Reads whatever has come in. `Pending` when the stream has no more for now.
    fn poll_take_in(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut space = [0; 16 * 1024];
        while !self.ended {
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {}
            }
            let bytes = buffer.filled();
            self.ended = bytes.is_empty();
            if !bytes.is_empty() {
                self.in_line.push_back((Instant::now() + self.delay, Bytes::copy_from_slice(bytes)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Probe<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // What was written is passed on also while its writer only reads.
        if let Poll::Ready(Err(error)) = this.poll_pass_on(cx) {
            return Poll::Ready(Err(error));
        }
        if let Poll::Ready(Err(error)) = this.poll_take_in(cx) {
            return Poll::Ready(Err(error));
        }
        let Some((due, _)) = this.in_line.front() else {
            return if this.ended { Poll::Ready(Ok(())) } else { Poll::Pending };
        };
        let due = *due;
        if this.poll_due(due, cx).is_pending() {
            return Poll::Pending;
        }
        if let Some((_, bytes)) = this.in_line.front_mut() {
            let part = bytes.split_to(bytes.len().min(buf.remaining()));
            if bytes.is_empty() {
                this.in_line.pop_front();
            }
            let frames = this.incoming.feed(&part);
            this.counters.got(frames, part.len());
            buf.put_slice(&part);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Probe<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let frames = this.outgoing.feed(buf);
        this.counters.wrote(frames, buf.len());
        this.out_line.push_back((Instant::now() + this.delay, Bytes::copy_from_slice(buf)));
        match this.poll_pass_on(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(buf.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Holding bytes back is what this stream is for: a flush does not wait for them.
        match self.get_mut().poll_pass_on(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.poll_pass_on(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut this.stream).poll_shutdown(cx),
            other => other,
        }
    }
}
