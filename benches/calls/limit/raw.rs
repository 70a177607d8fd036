//! The physical limit of small calls: one task on each side, a batch of frames in, a batch of frames out, one
//! write for each batch. No future per call, no table, no lock.
//!
//! With one call under way it is what two processes on one core must pay for passing a message there and back:
//! six system calls and two switches. Nothing that waits for an answer can be faster on tokio, so it is the
//! limit of `add-1`. The server is also the one of [`fut`](super::fut): a server needs no future per call
//! either, as its methods run where their frame is read and answer into the one buffer that leaves with the next
//! write.

use std::io;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::inbox::Inbox;
use super::wire::{ADD, ECHO, Head, Message, SERVICE, malformed};
use crate::measure::{Plan, Sample};
use crate::{Outcome, check};

/// Answers calls until the peer closes the stream.
pub(super) async fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut inbox = Inbox::new();
    let mut out = Vec::new();
    while inbox.fill(&mut stream).await? {
        while let Some(frame) = inbox.next_frame() {
            answer(frame, &mut out)?;
        }
        stream.write_all(&out).await?;
        out.clear();
    }
    Ok(())
}

#[inline]
fn answer(frame: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    match Message::parse(frame)? {
        Message::Call { slot, method: ADD, mut arguments, .. } => {
            let (a, b) = (arguments.number()?, arguments.number()?);
            Head::answer(slot).number(a + b).put(out);
            Ok(())
        }
        Message::Call { slot, method: ECHO, arguments, .. } => {
            Head::answer(slot).put_with(arguments.rest(), out);
            Ok(())
        }
        _ => Err(malformed()),
    }
}

/// Calls `add`, one call after the other.
pub(super) async fn call(mut stream: TcpStream, plan: &Plan) -> Outcome<Sample> {
    let mut inbox = Inbox::new();
    let mut out = Vec::new();
    plan.measure(async |stop| {
        let mut calls = 0;
        while !stop.is_due() {
            let operands = check::operands(calls);
            Head::call(0, SERVICE, ADD).number(operands.0).number(operands.1).put(&mut out);
            stream.write_all(&out).await?;
            out.clear();
            check::sum(operands, answered_number(&mut inbox, &mut stream).await?)?;
            calls += 1;
        }
        Ok(calls)
    })
    .await
}

/// Waits for an answer that is a number.
pub(super) async fn answered_number(inbox: &mut Inbox, stream: &mut TcpStream) -> io::Result<i64> {
    loop {
        if let Some(frame) = inbox.next_frame() {
            return match Message::parse(frame)? {
                Message::Answer { mut result, .. } => result.number(),
                _ => Err(malformed()),
            };
        }
        if !inbox.fill(stream).await? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
