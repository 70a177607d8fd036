//! The limit of small calls with many under way: each call is a future, as anything that offers
//! `connection.add(1, 2).await` must have it.
//!
//! A call takes a slot, leaves its waker there and encodes straight into the buffer that all calls share. One
//! task owns the socket in both directions. It writes all that is queued at once, and reads all answers that
//! are there at once, under one hold of the lock, and wakes their callers after it. No channel, no task for a
//! call, no allocation. The link is `Send + Sync`, as a stub is.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use super::inbox::Inbox;
use super::slots::Slots;
use super::wire::{ADD, ECHO, Fields, Head, Message, SERVICE, malformed};
use crate::measure::{Plan, Sample, Stop, workers};
use crate::{Outcome, check};

/// Keeps so many calls of `add` under way.
pub(super) async fn add(stream: TcpStream, outstanding: usize, plan: &Plan) -> Outcome<Sample> {
    let link = Link::open(stream);
    plan.measure(async |stop| workers(outstanding, |_| adder(link.clone(), stop.clone())).await).await
}

async fn adder(link: Arc<Link<i64>>, stop: Stop) -> Outcome<u64> {
    let mut calls = 0;
    while !stop.is_due() {
        let (a, b) = check::operands(calls);
        let encode = |slot, out: &mut Vec<u8>| Head::call(slot, SERVICE, ADD).number(a).number(b).put(out);
        check::sum((a, b), link.call(encode).await?)?;
        calls += 1;
    }
    Ok(calls)
}

/// Keeps so many calls of `echo` under way.
pub(super) async fn echo(
    stream: TcpStream,
    length: usize,
    outstanding: usize,
    plan: &Plan,
) -> Outcome<Sample> {
    let link = Link::open(stream);
    let worker = |index, stop| echoer(link.clone(), check::payload(index, length), stop);
    plan.measure(async |stop| workers(outstanding, |index| worker(index, stop.clone())).await).await
}

async fn echoer(link: Arc<Link<Vec<u8>>>, payload: Bytes, stop: Stop) -> Outcome<u64> {
    let mut calls = 0;
    while !stop.is_due() {
        let encode = |slot, out: &mut Vec<u8>| Head::call(slot, SERVICE, ECHO).put_with(&payload, out);
        check::echo(&payload, &link.call(encode).await?)?;
        calls += 1;
    }
    Ok(calls)
}

/// What a caller gets, read from the frame of its answer.
trait Answer: Sized + Send + 'static {
    fn read(result: Fields<'_>) -> io::Result<Self>;
}

impl Answer for i64 {
    #[inline]
    fn read(mut result: Fields<'_>) -> io::Result<Self> {
        result.number()
    }
}

impl Answer for Vec<u8> {
    #[inline]
    fn read(result: Fields<'_>) -> io::Result<Self> {
        Ok(result.rest().to_vec())
    }
}

/// A connection as its callers see it.
#[derive(Debug)]
struct Link<A>(Mutex<State<A>>);

#[derive(Debug)]
struct State<A> {
    slots: Slots<A>,
    out: Vec<u8>,
    driver: Option<Waker>,
    lost: bool,
}

impl<A: Answer> Link<A> {
    fn open(stream: TcpStream) -> Arc<Self> {
        let state = State { slots: Slots::new(), out: Vec::new(), driver: None, lost: false };
        let link = Arc::new(Self(Mutex::new(state)));
        tokio::spawn(Driver::new(stream, link.clone()).run());
        link
    }

    /// A call that is sent when it is first polled.
    #[inline]
    fn call<E: Fn(u32, &mut Vec<u8>)>(&self, encode: E) -> Call<'_, E, A> {
        Call { link: self, encode, slot: None }
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, State<A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call under way.
struct Call<'l, E, A> {
    link: &'l Link<A>,
    encode: E,
    slot: Option<u32>,
}

impl<E: Fn(u32, &mut Vec<u8>) + Unpin, A: Answer> Future for Call<'_, E, A> {
    type Output = io::Result<A>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut guard = self.link.lock();
        let state = &mut *guard;
        if let Some(slot) = self.slot
            && let Poll::Ready(answer) = state.slots.poll(slot, cx)
        {
            return Poll::Ready(Ok(answer));
        }
        if state.lost {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if self.slot.is_none() {
            let slot = state.slots.take(cx.waker().clone());
            if state.out.is_empty()
                && let Some(driver) = &state.driver
            {
                driver.wake_by_ref();
            }
            (self.encode)(slot, &mut state.out);
            drop(guard);
            self.slot = Some(slot);
        }
        Poll::Pending
    }
}

/// The task that owns the socket.
struct Driver<A> {
    link: Arc<Link<A>>,
    stream: TcpStream,
    inbox: Inbox,
    /// What is being written, and how much of it has been.
    leaving: Vec<u8>,
    written: usize,
    /// Callers to wake once the lock is free.
    answered: Vec<Waker>,
}

impl<A: Answer> Driver<A> {
    fn new(stream: TcpStream, link: Arc<Link<A>>) -> Self {
        Self { link, stream, inbox: Inbox::new(), leaving: Vec::new(), written: 0, answered: Vec::new() }
    }

    async fn run(mut self) {
        // Why it ended does not matter: the callers fail, and with them the run.
        let _ = poll_fn(|cx| self.poll(cx)).await;
        let mut state = self.link.lock();
        state.lost = true;
        let waiting: Vec<Waker> = state.slots.waiting().collect();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Poll::Ready(Err(error)) = self.poll_write(cx) {
                return Poll::Ready(Err(error));
            }
            if !ready!(self.inbox.poll_fill(&mut self.stream, cx))? {
                return Poll::Ready(Ok(()));
            }
            self.settle()?;
        }
    }

    /// Writes all that is queued, in one piece if the socket takes it.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.written == self.leaving.len() {
                self.leaving.clear();
                self.written = 0;
                let mut state = self.link.lock();
                std::mem::swap(&mut self.leaving, &mut state.out);
                if !state.driver.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                    state.driver = Some(cx.waker().clone());
                }
            }
            if self.leaving.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let rest = &self.leaving[self.written..];
            self.written += ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
        }
    }

    /// Hands the answers that have come in to their callers.
    fn settle(&mut self) -> io::Result<()> {
        let mut state = self.link.lock();
        while let Some(frame) = self.inbox.next_frame() {
            let Message::Answer { slot, result } = Message::parse(frame)? else { return Err(malformed()) };
            self.answered.push(state.slots.answer(slot, A::read(result)?)?);
        }
        drop(state);
        self.answered.drain(..).for_each(Waker::wake);
        Ok(())
    }
}
