//! A stream of large payloads: each read straight into its own allocation, each written from where it lies.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::wire::{Fields, Head, LENGTH, Message, malformed};

/// What is read of a frame before its payload is allocated: at least the longest head of an `echo` and of its
/// answer. What it holds of the payload is all that is copied.
const PREFIX: usize = 32;
/// Longer payloads than this are refused before anything is allocated.
const LONGEST_PAYLOAD: usize = 16 << 20;
/// How many frames one write takes.
const FRAMES_A_WRITE: usize = 16;
/// So many bytes are written before more is read: answers set off while calls still come in.
const WORTH_A_WRITE: usize = 256 * 1024;

/// Both directions of one connection.
#[derive(Debug)]
pub(super) struct Pipe {
    stream: TcpStream,
    leaving: VecDeque<Leaving>,
    /// How many bytes of payload that is.
    queued: usize,
    /// How much of the first of them has been written.
    written: usize,
    prefix: [u8; PREFIX],
    prefix_filled: usize,
    arriving: Option<Arriving>,
}

/// A frame that came in whole.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) kind: Kind,
    pub(super) slot: u32,
    pub(super) payload: Bytes,
}

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Call { method: u64 },
    Answer,
}

/// A frame that waits to be written.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) head: Head,
    pub(super) payload: Bytes,
}

#[derive(Debug)]
struct Arriving {
    kind: Kind,
    slot: u32,
    payload: Vec<u8>,
    missing: usize,
}

impl Pipe {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            leaving: VecDeque::new(),
            queued: 0,
            written: 0,
            prefix: [0; PREFIX],
            prefix_filled: 0,
            arriving: None,
        }
    }

    /// Queues frames behind those that wait already, and leaves `frames` empty.
    pub(super) fn append(&mut self, frames: &mut VecDeque<Leaving>) {
        self.queued += frames.iter().map(|frame| frame.payload.len()).sum::<usize>();
        self.leaving.append(frames);
    }

    /// Queues a frame.
    pub(super) fn push(&mut self, head: Head, payload: Bytes) {
        self.queued += payload.len();
        self.leaving.push_back(Leaving { head, payload });
    }

    /// The next frame that has come in; `None`: the peer has closed the stream. What is queued is written
    /// when nothing more is there to read, or when there is much of it.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Arrived>>> {
        if self.queued < WORTH_A_WRITE
            && let Poll::Ready(arrived) = self.poll_read(cx)
        {
            return Poll::Ready(arrived);
        }
        if let Poll::Ready(Err(error)) = self.poll_write(cx) {
            return Poll::Ready(Err(error));
        }
        self.poll_read(cx)
    }

    /// Writes all that is queued.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.leaving.is_empty() {
            let mut slices = [IoSlice::new(&[]); 2 * FRAMES_A_WRITE];
            for (pair, frame) in slices.chunks_exact_mut(2).zip(&mut self.leaving) {
                pair[0] = IoSlice::new(frame.head.before(frame.payload.len()));
                pair[1] = IoSlice::new(&frame.payload);
            }
            let mut slices = slices.as_mut_slice();
            IoSlice::advance_slices(&mut slices, self.written);
            let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))?;
            self.forget(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Lets go of the frames that the last write has finished.
    fn forget(&mut self, written: usize) {
        self.written += written;
        while let Some(first) = self.leaving.front_mut() {
            let length = first.head.before(first.payload.len()).len() + first.payload.len();
            if self.written < length {
                return;
            }
            self.written -= length;
            self.queued -= first.payload.len();
            self.leaving.pop_front();
        }
    }

    /// Reads on until a frame is whole.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Arrived>>> {
        loop {
            let Some(arriving) = &mut self.arriving else {
                if !ready!(self.poll_prefix(cx))? {
                    return Poll::Ready(Ok(None));
                }
                continue;
            };
            if arriving.missing > 0 {
                let mut room = (&mut arriving.payload).limit(arriving.missing);
                match ready!(pin!(self.stream.read_buf(&mut room)).poll(cx))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                    read => arriving.missing -= read,
                }
            }
            if arriving.missing == 0
                && let Some(Arriving { kind, slot, payload, .. }) = self.arriving.take()
            {
                return Poll::Ready(Ok(Some(Arrived { kind, slot, payload: payload.into() })));
            }
        }
    }

    /// Reads towards the next prefix, and starts a payload once it is whole.
    fn poll_prefix(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut room = ReadBuf::new(&mut self.prefix[self.prefix_filled..]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut room))?;
        let read = room.filled().len();
        self.prefix_filled += read;
        if self.prefix_filled == PREFIX {
            self.prefix_filled = 0;
            self.arriving = Some(Arriving::after(&self.prefix)?);
        }
        Poll::Ready(Ok(read > 0))
    }
}

impl Arriving {
    fn after(prefix: &[u8; PREFIX]) -> io::Result<Self> {
        let (&length, start) = prefix.split_first_chunk::<LENGTH>().ok_or_else(malformed)?;
        let (kind, slot, start) = match Message::parse(start)? {
            Message::Call { slot, method, arguments, .. } => (Kind::Call { method }, slot, arguments),
            Message::Answer { slot, result } => (Kind::Answer, slot, result),
            Message::Drop { .. } => return Err(malformed()),
        };
        let start = Fields::rest(start);
        let frame = LENGTH + u32::from_le_bytes(length) as usize;
        let whole = frame.checked_sub(PREFIX - start.len()).ok_or_else(malformed)?;
        let missing = whole.checked_sub(start.len()).ok_or_else(malformed)?;
        if whole > LONGEST_PAYLOAD {
            return Err(malformed());
        }
        let mut payload = Vec::with_capacity(whole);
        payload.extend_from_slice(start);
        Ok(Self { kind, slot, payload, missing })
    }
}
