//! [`Side`]: one side of a connection without a transport, a lock or a task.

use std::sync::{Arc, LazyLock};

use super::{encoded, flatten};
use crate::codec::{Capability, Encoded, PromiseArg};
use crate::connection::{Connection, SlotRef};
use crate::error::{Error, ErrorKind};
use crate::function::RpcFn;
use crate::handle::{Handle, Repr};
use crate::interface::Interface;
use crate::limits::Limits;
use crate::local::LocalSlot;
use crate::outcome::{Outcome, Reply, Status};
use crate::schema::Schema;
use crate::session::{
    Called, Cap, Event, Incoming, IncomingBody, Parts, Polled, Room, Session, SlotKey, What,
};
use crate::wire::{LENGTH_BYTES, Path};

/// A capability of this process, different from every other.
pub(crate) fn local() -> Capability {
    let (_, handle) = LocalSlot::new(None, None);
    Capability { handle: Handle(Repr::LocalCall(handle)), interface: None }
}

/// Parts that are nothing but numbers.
pub(crate) struct Simple;

impl Parts for Simple {
    type Waiter = Option<u8>;
    type Running = i64;
    type Watcher = i64;

    fn identity(watcher: &i64) -> usize {
        *watcher as usize
    }

    fn stand_in(_: Option<&'static Interface>, _: &Arc<Room>) -> (i64, Capability) {
        (0, local())
    }

    fn is_empty(waiter: &Self::Waiter) -> bool {
        waiter.is_none()
    }
}

/// What every method returns: a number, a stub and perhaps another.
pub(crate) static RESULT: LazyLock<Schema> =
    LazyLock::new(Schema::of::<(u8, RpcFn<fn()>, Option<RpcFn<fn()>>)>);

/// What the methods of a [`Side`] do, by the low two bits of their number.
pub(crate) mod does {
    pub(crate) const RETURN: u64 = 0;
    pub(crate) const FAIL: u64 = 1;
    /// Runs until it is told to return.
    pub(crate) const WAIT: u64 = 2;
    pub(crate) const RETURN_ERROR: u64 = 3;
    /// The result holds a second stub, which is the same every time.
    pub(crate) const SHARED: u64 = 4;
    /// The result holds the first capability among the arguments.
    pub(crate) const PASS_BACK: u64 = 8;
    /// The result holds no stub at all.
    pub(crate) const PLAIN: u64 = 16;
}

/// One side of a connection, without a transport, a lock or a task.
pub(crate) struct Side {
    pub(crate) session: Session<Simple>,
    /// Handles on slots: one entry, one handle.
    pub(crate) handles: Vec<SlotKey>,
    /// Sole handles that were polled. Nothing else is done with them: awaiting a promise uses it up.
    awaited: Vec<SlotKey>,
    /// Methods that have not returned.
    pub(crate) running: Vec<(i64, u64, Option<Capability>)>,
    /// Methods in the order in which they were started.
    pub(crate) started: Vec<u64>,
    /// Their arguments, with those that stood beside the others in front.
    pub(crate) received: Vec<Vec<u8>>,
    pub(crate) cancelled: Vec<i64>,
    /// Calls and watched answers that settled.
    pub(crate) settled: Vec<SlotKey>,
    pub(crate) watched: Vec<Result<(), ErrorKind>>,
    /// Embargoes that were lifted.
    pub(crate) lifted: usize,
    pub(super) shared: Capability,
    /// Its number is that of the session, so that handles over it are slots of the session.
    link: Connection,
    input: Vec<u8>,
    /// Whether small calls go the short way, as they do on a connection.
    pub(crate) short: bool,
}

impl Side {
    pub(crate) fn new(limits: &Limits) -> Self {
        let link = Connection::new(limits.clone(), None);
        let session = Session::new(link.id(), limits.clone(), Some(local()), "");
        Self {
            session,
            handles: Vec::new(),
            awaited: Vec::new(),
            running: Vec::new(),
            started: Vec::new(),
            received: Vec::new(),
            cancelled: Vec::new(),
            settled: Vec::new(),
            watched: Vec::new(),
            lifted: 0,
            shared: local(),
            link,
            input: Vec::new(),
            short: false,
        }
    }

    /// A capability that is a slot of this session.
    pub(crate) fn capability(&self, key: SlotKey, path: Path) -> Capability {
        let slot = SlotRef::new(self.link.clone(), key, path);
        Capability { handle: Handle(Repr::Shared(Arc::new(slot))), interface: None }
    }

    pub(crate) fn promise(&self, param: u8, key: SlotKey, path: Path) -> PromiseArg {
        PromiseArg { param, handle: self.capability(key, path).handle }
    }

    pub(crate) fn main(&mut self) -> SlotKey {
        let key = self.session.import_main();
        self.handles.push(key);
        key
    }

    /// Calls a method. The handle on the result is one of `handles`, if there is a result.
    pub(crate) fn call(
        &mut self,
        target: SlotKey,
        path: &[u16],
        method: u64,
        mut args: Encoded,
    ) -> Result<SlotKey, Error> {
        let path = Path::from_steps(path);
        if self.short
            && path.is_empty()
            && let Some(key) = self.session.call_plain(target, method, &args, &RESULT)
        {
            self.after();
            self.handles.push(key);
            return Ok(key);
        }
        let called = self.session.call((target, &path), method, &mut args, Some(&RESULT));
        self.after();
        match called? {
            Called::Sent(key) => {
                self.handles.push(key);
                Ok(key)
            }
            Called::Local(_) => Err(Error::new(ErrorKind::Unsupported, "local")),
        }
    }

    /// Asks for the outcome of a call, and takes what is in it.
    pub(crate) fn poll(&mut self, key: SlotKey) -> Option<Result<Vec<u8>, ErrorKind>> {
        if self.short
            && let Some((body, _)) = self.session.take_plain(key)
        {
            self.after();
            self.forget(key);
            return Some(Ok(body.as_slice().to_vec()));
        }
        let polled = self.session.poll(key);
        self.after();
        let Polled::Settled { outcome, removed, .. } = polled else {
            if self.handles.iter().filter(|other| **other == key).count() == 1 {
                self.awaited.push(key);
            }
            return None;
        };
        if removed {
            self.forget(key);
        }
        let body = match &outcome {
            Outcome::Value(answer) => Ok(answer.body.as_slice().to_vec()),
            Outcome::User(..) => Err(ErrorKind::Upstream),
            Outcome::Failed(error) => Err(error.kind()),
        };
        outcome.map_caps(|cap| {
            self.take(cap);
        });
        Some(body)
    }

    /// Handles that calls can be made through.
    pub(super) fn usable(&self) -> Vec<SlotKey> {
        self.handles.iter().copied().filter(|key| !self.awaited.contains(key)).collect()
    }

    fn forget(&mut self, key: SlotKey) {
        if let Some(place) = self.handles.iter().position(|other| *other == key) {
            self.handles.swap_remove(place);
        }
    }

    pub(crate) fn drop_handle(&mut self, key: SlotKey) {
        self.forget(key);
        self.session.release(key);
        self.after();
    }

    fn take(&mut self, cap: Cap) -> Option<Capability> {
        match cap {
            Cap::Import(key) => {
                self.handles.push(key);
                Some(self.capability(key, Path::EMPTY))
            }
            Cap::Hosted(capability) => Some(capability),
            Cap::Pending(id, path) => {
                self.session.watch((id, path), id, false);
                self.after();
                None
            }
            Cap::Broken(_) => None,
        }
    }

    /// Does what has to follow every use of a session.
    pub(crate) fn after(&mut self) {
        loop {
            let events = self.session.take_events(Vec::new());
            if events.is_empty() {
                break;
            }
            for event in events {
                match event {
                    Event::Settled(_, key) => self.settled.push(key),
                    Event::Cancelled(id) => {
                        self.cancelled.push(id);
                        self.complete(id, Some(Error::new(ErrorKind::Cancelled, "cancelled")));
                    }
                    Event::Watched(_, target) => {
                        self.watched.push(target.map(|_| ()).map_err(|error| error.kind()));
                    }
                    Event::Lifted(watcher, Cap::Pending(id, path)) => {
                        self.session.watch((id, path), watcher, true);
                    }
                    Event::Lifted(_, held) => {
                        self.lifted += 1;
                        self.take(held);
                    }
                    Event::Retired(_) => {}
                }
            }
        }
        self.session.check();
    }

    /// Lets a running method return, or fail.
    pub(crate) fn complete(&mut self, id: i64, error: Option<Error>) {
        let Some(place) = self.running.iter().position(|(other, ..)| *other == id) else { return };
        let (id, method, received) = self.running.swap_remove(place);
        let mut reply = match error {
            Some(error) => Reply::failed(error),
            None => self.reply(method & !3, received),
        };
        self.session.complete(id, &mut reply);
        self.after();
    }

    fn reply(&self, method: u64, received: Option<Capability>) -> Reply {
        let status = match method & 3 {
            does::FAIL => return Reply::failed(Error::new(ErrorKind::Panicked, "it failed")),
            does::RETURN_ERROR => Status::User("an error".to_owned()),
            _ => Status::Value,
        };
        if method & does::PLAIN != 0 {
            return Reply { status, encoded: encoded(&[7]).into(), start: 0, schema: Some(&RESULT) };
        }
        let first = received.filter(|_| method & does::PASS_BACK != 0).unwrap_or_else(local);
        let mut encoded = encoded(&[7, 0, 0]);
        encoded.caps.push(first);
        if method & does::SHARED != 0 {
            encoded.bytes = vec![7, 0, 1, 1];
            encoded.caps.push(self.shared.clone());
        }
        Reply { status, encoded: encoded.into(), start: 0, schema: Some(&RESULT) }
    }

    /// Runs a call that came in.
    pub(crate) fn deliver(&mut self, incoming: Incoming, frame: &[u8]) {
        let Incoming { id, flags, method, caps, filled, body, what, .. } = incoming;
        if what != What::Call {
            return self.echo(id);
        }
        self.started.push(method);
        let mut bytes: Vec<u8> = filled.iter().flat_map(|arg| arg.body.to_vec()).collect();
        match &body {
            IncomingBody::Frame(span) => bytes.extend_from_slice(&frame[span.clone()]),
            IncomingBody::Kept(body) => bytes.extend_from_slice(body),
            IncomingBody::Arriving(body) => panic!("a call runs without its body {body}"),
        }
        self.received.push(bytes);
        let mut received = None;
        for cap in caps.into_iter().chain(filled.into_iter().flat_map(|arg| arg.caps)) {
            let taken = self.take(cap);
            received = received.or(taken);
        }
        if method & 3 == does::WAIT {
            // Some of them are long: what is counted is what they say.
            self.session.running(id, flags, if method & 16 == 0 { 0 } else { 5000 });
            self.running.push((id, method, received));
            if self.session.set_running(id, id).is_some() {
                self.complete(id, Some(Error::new(ErrorKind::Cancelled, "cancelled before it began")));
            }
        } else {
            let mut reply = self.reply(method, received);
            self.session.complete_inline(id, flags, &mut reply);
        }
        self.after();
    }

    /// Sends an echo back: no calls wait outside the session here.
    fn echo(&mut self, id: i64) {
        self.session.echo_runs(id);
        self.session.echo_back(id);
        self.after();
    }

    /// Handles one frame, without its length field, and runs what can be run.
    pub(crate) fn handle(&mut self, frame: &[u8]) -> Result<(), Error> {
        if self.short && self.handle_short(frame) {
            return Ok(());
        }
        let handled = self.session.handle_frame(frame, None);
        self.after();
        if let Some(incoming) = handled? {
            self.deliver(incoming, frame);
        }
        self.run_ready();
        Ok(())
    }

    /// Handles a frame by the short way, if it is one for that.
    fn handle_short(&mut self, frame: &[u8]) -> bool {
        if self.session.ended().is_some() {
            return false;
        }
        if self.session.settle_plain(frame, None) {
            self.after();
            return true;
        }
        let Some(call) = self.session.accept_plain(frame, 0, None) else { return false };
        self.after();
        let incoming = Incoming {
            id: call.id,
            flags: call.flags,
            target: call.target.expect("no target was said to be known"),
            method: call.method,
            caps: Vec::new(),
            filled: Vec::new(),
            metadata: None,
            body: IncomingBody::Frame(frame.len() - call.body..frame.len()),
            cost: 0,
            what: What::Call,
        };
        self.deliver(incoming, frame);
        self.run_ready();
        true
    }

    pub(crate) fn run_ready(&mut self) {
        while let Some(incoming) = self.session.next_ready() {
            self.deliver(incoming, &[]);
        }
        self.after();
    }

    /// Takes bytes from the peer, and handles the frames that are whole.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        while let Some(length) = self.input.first_chunk::<LENGTH_BYTES>() {
            let whole = LENGTH_BYTES + u32::from_le_bytes(*length) as usize;
            if self.input.len() < whole || self.session.ended().is_some() {
                return;
            }
            let rest = self.input.split_off(whole);
            let frame = std::mem::replace(&mut self.input, rest);
            self.handle(&frame[LENGTH_BYTES..]).expect("an honest peer breaks no rule");
        }
    }

    /// What is to be written.
    pub(crate) fn flush(&mut self) -> Vec<u8> {
        self.session.serve_line();
        let bytes = flatten(&mut self.session.out);
        self.session.set_writing_answers(0);
        self.after();
        self.run_ready();
        bytes
    }
}
