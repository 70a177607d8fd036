//! A network of byte streams that delays, holds and cuts, and what drives a connection through one.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::BufMut;
use farcall::Connection;
use farcall_core::Segment;
use farcall_core::connection::{Input, Turned};

/// One direction of a link. Bytes stay in order.
#[derive(Default)]
pub struct Wire {
    /// Sent, and not there yet.
    under_way: VecDeque<u8>,
    /// There, and not read yet.
    arrived: Vec<u8>,
    /// Nothing more will be sent.
    closed: bool,
    /// The end has arrived.
    ended: bool,
    /// Nothing arrives for a while.
    pub held: bool,
    /// It takes nothing for a while.
    blocked: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

pub type SharedWire = Arc<Mutex<Wire>>;

impl Wire {
    /// Whether there is something to deliver.
    pub fn is_busy(&self) -> bool {
        !self.held && (!self.under_way.is_empty() || (self.closed && !self.ended))
    }

    /// Whether it is empty and will stay so until somebody writes.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty() && self.arrived.is_empty() && !self.blocked && self.closed == self.ended
    }

    pub fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// So many bytes arrive, or the end does.
    pub fn deliver(&mut self, bytes: usize) {
        let bytes = bytes.min(self.under_way.len());
        self.arrived.extend(self.under_way.drain(..bytes));
        self.ended |= self.closed && self.under_way.is_empty();
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// Takes nothing from now on, or something again.
    pub fn block(&mut self, blocked: bool) {
        self.blocked = blocked;
        if !blocked && let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }

    pub fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Its writer is gone. What is under way may be lost.
    pub fn close(&mut self, lose: bool) {
        self.closed = true;
        if lose {
            self.under_way.clear();
        }
    }
}

/// Drives one end of a link, in the order in which the real driver does.
pub struct Pump {
    connection: Connection,
    input: Input,
    unwritten: Vec<u8>,
    incoming: SharedWire,
    outgoing: SharedWire,
    connecting: bool,
    closing: bool,
    lingering: bool,
    turned: Turned,
}

enum Read {
    Bytes,
    End,
    Nothing,
}

impl Pump {
    pub fn new(connection: Connection, incoming: SharedWire, outgoing: SharedWire, connecting: bool) -> Self {
        Self {
            connection,
            input: Input::default(),
            unwritten: Vec::new(),
            incoming,
            outgoing,
            connecting,
            closing: false,
            lingering: false,
            turned: Turned::NeedInput,
        }
    }

    fn read(&mut self, cx: &Context<'_>) -> Read {
        if self.lingering {
            return Read::Nothing;
        }
        let mut wire = self.incoming.lock().unwrap();
        if wire.arrived.is_empty() {
            if wire.ended {
                return Read::End;
            }
            wire.reader = Some(cx.waker().clone());
            return Read::Nothing;
        }
        let mut space = self.input.space();
        let bytes = wire.arrived.len().min(space.remaining_mut());
        space.put_slice(&wire.arrived[..bytes]);
        wire.arrived.drain(..bytes);
        self.input.read(bytes);
        Read::Bytes
    }

    /// Whether all is written.
    fn write(&mut self, cx: &Context<'_>) -> bool {
        if self.lingering {
            return false;
        }
        loop {
            if self.unwritten.is_empty() {
                let mut segment = Segment::default();
                if !self.connection.take_output(&mut segment) {
                    return true;
                }
                self.unwritten = flatten(&segment);
            }
            let mut wire = self.outgoing.lock().unwrap();
            if wire.blocked {
                wire.writer = Some(cx.waker().clone());
                return false;
            }
            wire.under_way.extend(self.unwritten.drain(..));
        }
    }
}

impl Future for Pump {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            let read = if this.turned == Turned::NeedInput { this.read(cx) } else { Read::Bytes };
            match read {
                Read::Bytes => this.turned = this.connection.turn(&mut this.input, || false),
                Read::End => {
                    if !this.connection.input_ended() {
                        return Poll::Ready(());
                    }
                    this.lingering = true;
                    continue;
                }
                Read::Nothing => {}
            }
            let written = this.write(cx);
            if this.turned == Turned::Ended || this.connection.ended().is_some() {
                return Poll::Ready(());
            }
            if this.turned == Turned::Yield {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if matches!(read, Read::Nothing) {
                if written && (this.closing || this.connection.may_close(this.connecting)) {
                    this.closing = true;
                    this.outgoing.lock().unwrap().close(false);
                }
                if !this.connection.sleep(cx.waker(), !written) {
                    return Poll::Pending;
                }
                this.turned = this.connection.turn(&mut this.input, || false);
            }
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.connection.transport_ended(None);
        self.outgoing.lock().unwrap().close(false);
    }
}

fn flatten(segment: &Segment) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut done = 0;
    for (at, payload) in segment.payloads() {
        bytes.extend_from_slice(&segment.bytes()[done..*at]);
        bytes.extend_from_slice(payload);
        done = *at;
    }
    bytes.extend_from_slice(&segment.bytes()[done..]);
    bytes
}
