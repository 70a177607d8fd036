//! The limit of large payloads: each has a buffer of its own, from the socket to the socket.
//!
//! A payload is read straight into its own allocation, is handed on by reference count, and leaves with its
//! head by a vectored write (see [`pipe`](super::pipe)). Nothing is copied between the two, and no buffer is
//! used twice, for the callee might keep what it was given. A relay that passes bytes on before a payload is
//! whole would be faster, but it has no argument to call a method with. Calls are futures in slots, as in
//! [`fut`](super::fut).

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use tokio::net::TcpStream;

use super::pipe::{Arrived, Kind, Leaving, Pipe};
use super::slots::Slots;
use super::wire::{ECHO, Head, SERVICE, malformed};
use crate::measure::{Plan, Sample, Stop, workers};
use crate::{Outcome, check};

/// Echoes payloads until the peer closes the stream.
pub(super) async fn serve(stream: TcpStream) -> io::Result<()> {
    let mut pipe = Pipe::new(stream);
    while let Some(arrived) = poll_fn(|cx| pipe.poll_next(cx)).await? {
        match arrived {
            Arrived { kind: Kind::Call { method: ECHO }, slot, payload } => {
                pipe.push(Head::answer(slot), payload);
            }
            _ => return Err(malformed()),
        }
    }
    Ok(())
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

async fn echoer(link: Arc<Link>, payload: Bytes, stop: Stop) -> Outcome<u64> {
    let mut calls = 0;
    while !stop.is_due() {
        check::echo(&payload, &link.echo(&payload).await?)?;
        calls += 1;
    }
    Ok(calls)
}

/// A connection as its callers see it.
#[derive(Debug)]
struct Link(Mutex<State>);

#[derive(Debug)]
struct State {
    slots: Slots<Bytes>,
    leaving: VecDeque<Leaving>,
    driver: Option<Waker>,
    lost: bool,
}

impl Link {
    fn open(stream: TcpStream) -> Arc<Self> {
        let state = State { slots: Slots::new(), leaving: VecDeque::new(), driver: None, lost: false };
        let link = Arc::new(Self(Mutex::new(state)));
        tokio::spawn(drive(Pipe::new(stream), link.clone()));
        link
    }

    fn echo<'l>(&'l self, payload: &'l Bytes) -> Echo<'l> {
        Echo { link: self, payload, slot: None }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call under way.
struct Echo<'l> {
    link: &'l Link,
    payload: &'l Bytes,
    slot: Option<u32>,
}

impl Future for Echo<'_> {
    type Output = io::Result<Bytes>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.link.lock();
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
            if state.leaving.is_empty()
                && let Some(driver) = &state.driver
            {
                driver.wake_by_ref();
            }
            let head = Head::call(slot, SERVICE, ECHO);
            state.leaving.push_back(Leaving { head, payload: self.payload.clone() });
            drop(state);
            self.slot = Some(slot);
        }
        Poll::Pending
    }
}

/// Owns the socket: writes what callers queue and hands them their answers.
async fn drive(mut pipe: Pipe, link: Arc<Link>) {
    // Why it ended does not matter: the callers fail, and with them the run.
    let _ = poll_fn(|cx| poll_drive(&mut pipe, &link, cx)).await;
    let mut state = link.lock();
    state.lost = true;
    let waiting: Vec<Waker> = state.slots.waiting().collect();
    drop(state);
    waiting.into_iter().for_each(Waker::wake);
}

fn poll_drive(pipe: &mut Pipe, link: &Link, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    loop {
        let mut state = link.lock();
        pipe.append(&mut state.leaving);
        if !state.driver.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            state.driver = Some(cx.waker().clone());
        }
        drop(state);
        match ready!(pipe.poll_next(cx))? {
            Some(Arrived { kind: Kind::Answer, slot, payload }) => {
                let caller = link.lock().slots.answer(slot, payload)?;
                caller.wake();
            }
            Some(_) => return Poll::Ready(Err(malformed())),
            None => return Poll::Ready(Ok(())),
        }
    }
}
