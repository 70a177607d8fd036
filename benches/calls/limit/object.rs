//! The limit of remote objects: make a counter, increment it three times, drop it, as the same frames written
//! by hand. One task on each side, no future per call, but the server keeps a real table: it looks a target
//! up, refuses one that is not there, and frees a place when its object is dropped.
//!
//! The client names the object that a call makes, so calls on it can leave together with the call that makes
//! it: *stepwise* is four round trips, *pipelined* is one. A drop gets no answer and leaves with the next
//! frames.

use std::io;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::inbox::Inbox;
use super::raw::answered_number;
use super::wire::{COUNTER, Head, INCREMENT, Message, SERVICE, malformed};
use crate::measure::{Plan, Sample};
use crate::{Outcome, check};

/// Serves counters until the peer closes the stream.
pub(super) async fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut inbox = Inbox::new();
    let mut out = Vec::new();
    let mut objects = Objects::default();
    while inbox.fill(&mut stream).await? {
        while let Some(frame) = inbox.next_frame() {
            objects.handle(frame, &mut out)?;
        }
        stream.write_all(&out).await?;
        out.clear();
    }
    Ok(())
}

/// The objects of one connection, at the places that the client chose.
#[derive(Debug, Default)]
struct Objects(Vec<Option<Counter>>);

#[derive(Debug, Default)]
struct Counter {
    value: i64,
}

impl Objects {
    fn handle(&mut self, frame: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        match Message::parse(frame)? {
            Message::Call { slot, target: SERVICE, method: COUNTER, answered, .. } => {
                self.insert(slot, Counter::default())?;
                if answered {
                    Head::answer(slot).number(slot.into()).put(out);
                }
            }
            Message::Call { slot, target, method: INCREMENT, mut arguments, .. } => {
                let counter =
                    self.0.get_mut(target as usize).and_then(Option::as_mut).ok_or_else(malformed)?;
                counter.value += arguments.number()?;
                Head::answer(slot).number(counter.value).put(out);
            }
            Message::Drop { target } => {
                let place = self.0.get_mut(target as usize).ok_or_else(malformed)?;
                place.take().ok_or_else(malformed)?;
            }
            _ => return Err(malformed()),
        }
        Ok(())
    }

    fn insert(&mut self, slot: u32, counter: Counter) -> io::Result<()> {
        let place = slot as usize;
        if place > self.0.len() + 1 {
            return Err(malformed());
        }
        if place >= self.0.len() {
            self.0.resize_with(place + 1, || None);
        }
        match self.0[place].replace(counter) {
            None => Ok(()),
            Some(_) => Err(malformed()),
        }
    }
}

/// The slot of the counter, and so its place in the server's table. 0 is the service.
const COUNTER_SLOT: u32 = 1;
/// The slots of the three increments come after it.
const INCREMENT_SLOT: u32 = 2;

/// One object after the other, each call awaited before the next is made.
pub(super) async fn stepwise(stream: TcpStream, plan: &Plan) -> Outcome<Sample> {
    let mut client = Client::new(stream);
    plan.measure(async |stop| {
        let mut objects = 0;
        while !stop.is_due() {
            Head::call(COUNTER_SLOT, SERVICE, COUNTER).put(&mut client.out);
            client.flush().await?;
            check::number(COUNTER_SLOT.into(), client.answer().await?)?;
            for (amount, value) in check::INCREMENTS {
                Head::call(INCREMENT_SLOT, COUNTER_SLOT, INCREMENT).number(amount).put(&mut client.out);
                client.flush().await?;
                check::number(value, client.answer().await?)?;
            }
            Head::drop(COUNTER_SLOT).put(&mut client.out);
            objects += 1;
        }
        Ok(objects)
    })
    .await
}

/// One object after the other, all four calls of an object sent together. Nobody asks for the counter itself.
pub(super) async fn pipelined(stream: TcpStream, plan: &Plan) -> Outcome<Sample> {
    let mut client = Client::new(stream);
    plan.measure(async |stop| {
        let mut objects = 0;
        while !stop.is_due() {
            Head::quiet_call(COUNTER_SLOT, SERVICE, COUNTER).put(&mut client.out);
            for (slot, (amount, _)) in (INCREMENT_SLOT..).zip(check::INCREMENTS) {
                Head::call(slot, COUNTER_SLOT, INCREMENT).number(amount).put(&mut client.out);
            }
            client.flush().await?;
            for (_, value) in check::INCREMENTS {
                check::number(value, client.answer().await?)?;
            }
            Head::drop(COUNTER_SLOT).put(&mut client.out);
            objects += 1;
        }
        Ok(objects)
    })
    .await
}

struct Client {
    stream: TcpStream,
    inbox: Inbox,
    out: Vec<u8>,
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        Self { stream, inbox: Inbox::new(), out: Vec::new() }
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.out).await?;
        self.out.clear();
        Ok(())
    }

    async fn answer(&mut self) -> io::Result<i64> {
        answered_number(&mut self.inbox, &mut self.stream).await
    }
}
