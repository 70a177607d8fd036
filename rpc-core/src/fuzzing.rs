//! What is fuzzed: frames, and sessions. Compiled for tests and for `cargo fuzz` only.
//!
//! Every function here takes arbitrary bytes and panics if the library does what it must not. `fuzz/` feeds them
//! what libFuzzer finds, the tests what a small generator of random numbers gives.

use std::sync::{Arc, LazyLock};

use crate::codec::{Capability, Encoded, FilledArg, PromiseArg};
use crate::connection::{Connection, SlotRef};
use crate::error::{Error, ErrorKind};
use crate::function::RpcFn;
use crate::handle::{Handle, Repr};
use crate::limits::Limits;
use crate::local::LocalSlot;
use crate::outcome::{Reply, Status};
use crate::schema::Schema;
use crate::session::{Called, Cap, Event, Incoming, Parts, Polled, Session, SlotKey};
use crate::wire::{self, CallFrame, LENGTH_BYTES, Message, Out, Path, Segment, WireArg, decode, flag};

/// Takes bytes apart as one frame. What is a frame is the same after it was written and read again.
pub fn frames(data: &[u8]) {
    let limits = Limits::default();
    let Ok(message) = decode(data, &limits) else { return };
    let exceeds = match &message {
        Message::Call(call) => call.over.is_some(),
        Message::Answer { over, .. } => over.is_some(),
        _ => false,
    };
    if exceeds {
        return;
    }
    let written = encode(&message);
    let again = decode(&written, &limits).expect("what was written can be read");
    assert_eq!(encode(&again), written, "{message:?}");
}

/// Writes a message as a frame, without its length field.
pub(crate) fn encode(message: &Message<'_>) -> Vec<u8> {
    let mut out = Out::default();
    match message {
        Message::Hello { version: _, window, frame_bytes, name } => {
            out.hello(*window as usize, *frame_bytes as usize, name);
        }
        Message::Call(call) => encode_call(call, &mut out),
        Message::Answer { id, user, caps, over: _, body } => out.answer(*id, *user, caps, &encoded(body)),
        Message::Reject { id, kind, origin, may_have_run, message, user } => {
            let user = user.map(bytes::Bytes::copy_from_slice);
            let error = Error::from_wire(*kind, *origin, (*message).to_owned(), *may_have_run, user);
            out.reject(*id, &error, usize::MAX);
        }
        Message::Release { id, count } => out.release(*id, *count),
        Message::Finish { id, cancel } => out.finish(*id, *cancel),
        Message::Pull { id } => out.pull(*id),
        Message::Credit { bytes } => out.credit(*bytes),
        Message::Goaway { last } => out.goaway(*last),
        Message::Abort { kind, message } => out.abort(&Error::new(*kind, (*message).to_owned())),
    }
    let mut frame = flatten(&mut out);
    let length = u32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize;
    assert_eq!(frame.len(), LENGTH_BYTES + length, "the length field is right");
    frame.split_off(LENGTH_BYTES)
}

fn encode_call(call: &wire::CallMessage<'_>, out: &mut Out) {
    let mut promises = Vec::new();
    let mut filled = Vec::new();
    for arg in &call.args {
        match arg {
            WireArg::Promise { param, id, path } => promises.push((*param, *id, path.clone())),
            WireArg::Value { param, caps, body } => filled.push(FilledArg {
                param: *param,
                body: bytes::Bytes::copy_from_slice(body),
                caps: (0..*caps).map(|_| local()).collect(),
            }),
        }
    }
    out.call(&CallFrame {
        // Metadata is skipped by those who do not know it.
        flags: call.flags & !flag::META,
        target: call.target,
        path: &call.path,
        method: call.method,
        caps: &call.caps,
        promises: &promises,
        filled: &filled,
        encoded: &encoded(call.body),
    });
}

/// Everything that waits to be written, as bytes.
pub(crate) fn flatten(out: &mut Out) -> Vec<u8> {
    let mut segment = Segment::default();
    out.swap(&mut segment);
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

pub(crate) fn encoded(body: &[u8]) -> Encoded {
    Encoded { bytes: body.to_vec(), ..Encoded::default() }
}

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

    fn is_empty(waiter: &Self::Waiter) -> bool {
        waiter.is_none()
    }
}

/// What every method returns: a number, a stub and perhaps another.
pub(crate) static RESULT: LazyLock<Schema> = LazyLock::new(|| Schema::of::<(u8, RpcFn<fn()>, Option<RpcFn<fn()>>)>());

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
    pub(crate) cancelled: Vec<i64>,
    /// Calls and watched answers that settled.
    pub(crate) settled: Vec<SlotKey>,
    pub(crate) watched: Vec<Result<(), ErrorKind>>,
    shared: Capability,
    /// Its number is that of the session, so that handles over it are slots of the session.
    link: Connection,
    input: Vec<u8>,
}

impl Side {
    pub(crate) fn new(limits: &Limits) -> Self {
        let link = Connection::new(limits.clone(), None);
        Self {
            session: Session::new(link.id(), limits.clone(), Some(local()), ""),
            handles: Vec::new(),
            awaited: Vec::new(),
            running: Vec::new(),
            started: Vec::new(),
            cancelled: Vec::new(),
            settled: Vec::new(),
            watched: Vec::new(),
            shared: local(),
            link,
            input: Vec::new(),
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
    pub(crate) fn call(&mut self, target: SlotKey, path: &[u16], method: u64, mut args: Encoded) -> Result<SlotKey, Error> {
        let path = Path::from_steps(path);
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
            crate::outcome::Outcome::Value(answer) => Ok(answer.body.as_slice().to_vec()),
            crate::outcome::Outcome::User(..) => Err(ErrorKind::Upstream),
            crate::outcome::Outcome::Failed(error) => Err(error.kind()),
        };
        outcome.map_caps(|cap| {
            self.take(Some(key), cap);
        });
        Some(body)
    }

    /// Handles that calls can be made through.
    fn usable(&self) -> Vec<SlotKey> {
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

    fn take(&mut self, owner: Option<SlotKey>, cap: Cap) -> Option<Capability> {
        match cap {
            Cap::Import(key) => {
                self.handles.push(key);
                Some(self.capability(key, Path::EMPTY))
            }
            Cap::Hosted(capability) => Some(capability),
            Cap::Route(_) => {
                self.handles.extend(owner);
                None
            }
            Cap::Pending(id, path) => {
                self.session.watch(id, path, id);
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
        let first = received.filter(|_| method & does::PASS_BACK != 0).unwrap_or_else(local);
        let mut encoded = encoded(&[7, 0, 0]);
        encoded.caps.push(first);
        if method & does::SHARED != 0 {
            encoded.bytes = vec![7, 0, 1, 1];
            encoded.caps.push(self.shared.clone());
        }
        Reply { status, encoded: encoded.into(), schema: Some(&RESULT) }
    }

    /// Runs a call that came in.
    pub(crate) fn deliver(&mut self, incoming: Incoming) {
        let Incoming { id, flags, method, caps, filled, .. } = incoming;
        self.started.push(method);
        let mut received = None;
        for cap in caps.into_iter().chain(filled.into_iter().flat_map(|arg| arg.caps)) {
            let taken = self.take(None, cap);
            received = received.or(taken);
        }
        if method & 3 == does::WAIT {
            self.session.running(id, flags);
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

    /// Handles one frame, without its length field, and runs what can be run.
    pub(crate) fn handle(&mut self, frame: &[u8]) -> Result<(), Error> {
        let handled = self.session.handle_frame(frame, None);
        self.after();
        if let Some(incoming) = handled? {
            self.deliver(incoming);
        }
        self.run_ready();
        Ok(())
    }

    pub(crate) fn run_ready(&mut self) {
        while let Some(incoming) = self.session.next_ready() {
            self.deliver(incoming);
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

/// A source of small choices; nothing but zeros when it is used up.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn next(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    fn below(&mut self, most: usize) -> usize {
        usize::from(self.next()) % most.max(1)
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        if all.is_empty() { None } else { Some(all[self.below(all.len())]) }
    }

    fn path(&mut self) -> &'static [u16] {
        const PATHS: [&[u16]; 6] = [&[1], &[2], &[], &[0], &[9], &[1, 1]];
        PATHS[self.below(PATHS.len())]
    }
}

/// Limits that are reached soon.
fn small() -> Limits {
    Limits {
        window_bytes: 128 * 1024,
        running_calls: 4,
        parked_bytes: 1024,
        answer_bytes: 64,
        exports: 64,
        imports: 64,
        path_steps: 4,
        caps_per_message: 3,
        calls_in_flight: 32,
        unread_result_bytes: 64,
        line_bytes: 4096,
        ..Limits::default()
    }
}

/// A session, and a peer that sends whatever the bytes say.
pub fn session(data: &[u8]) {
    let mut choices = Choices(data);
    while !choices.0.is_empty() {
        let mut side = Side::new(&small());
        let main = side.main();
        let greeting = side.flush();
        assert!(side.handle(&greeting[LENGTH_BYTES..]).is_ok(), "a greeting is fine");
        while !choices.0.is_empty() && side.session.ended().is_none() {
            match choices.next() % 8 {
                0 => drop(side.call(main, &[], u64::from(choices.next()), arguments(&side, &mut choices))),
                1 => own_step(&mut side, &mut choices),
                2 => drop(side.flush()),
                _ => {
                    let frame = hostile(&mut choices);
                    let sizes = side.session.sizes();
                    let handled = side.handle(&frame);
                    assert_eq!(handled.is_err(), side.session.ended().is_some_and(is_violation), "{handled:?}, {sizes:?}");
                }
            }
        }
        side.session.end(Error::new(ErrorKind::Disconnected, "the end"));
        side.after();
        finish(&mut side);
        assert_eq!(side.session.sizes(), (0, 0), "after the end nothing is left");
    }
}

fn is_violation(error: &Error) -> bool {
    error.message().starts_with("the peer broke the protocol")
}

/// A frame that is well-formed more often than not.
fn hostile(choices: &mut Choices<'_>) -> Vec<u8> {
    let id = |choices: &mut Choices<'_>| {
        let mut bytes = Vec::new();
        wire::put_signed(&mut bytes, i64::from(choices.next() % 12) - 3);
        bytes
    };
    let mut frame = vec![choices.next() % 12];
    match frame[0] {
        wire::kind::CALL => {
            frame.push(choices.next() & 31);
            frame.extend(id(choices));
            if frame[1] & flag::PATH != 0 {
                path(&mut frame, choices);
            }
            frame.extend([choices.next(), 0, 0, 0, 0, 0, 0, 0]);
            if frame[1] & flag::CAPS != 0 {
                caps(&mut frame, choices, id);
            }
            if frame[1] & flag::ARGS != 0 {
                let count = choices.next() % 3;
                frame.push(count);
                for _ in 0..count {
                    frame.extend([choices.next() % 3, choices.next() % 2]);
                    if frame.last() == Some(&0) {
                        frame.extend(id(choices));
                        path(&mut frame, choices);
                    } else {
                        frame.extend([choices.next() % 2, 1, 0]);
                    }
                }
            }
        }
        wire::kind::ANSWER => {
            frame.extend(id(choices));
            frame.push(choices.next() & 3);
            if frame.last().is_some_and(|flags| flags & 2 != 0) {
                caps(&mut frame, choices, id);
            }
            frame.extend([7, 0, 1, 1]);
        }
        wire::kind::REJECT => {
            frame.extend(id(choices));
            frame.extend([choices.next() % 20, choices.next() % 20, choices.next() & 1, 1, b'x']);
        }
        wire::kind::RELEASE | wire::kind::FINISH => {
            frame.extend(id(choices));
            frame.push(choices.next() & 1);
        }
        wire::kind::PULL | wire::kind::GOAWAY => frame.extend(id(choices)),
        wire::kind::CREDIT => frame.push(choices.next() & 127),
        _ => frame.extend((0..choices.below(24)).map(|_| choices.next())),
    }
    frame
}

fn path(frame: &mut Vec<u8>, choices: &mut Choices<'_>) {
    let path = choices.path();
    frame.push(path.len() as u8);
    frame.extend(path.iter().map(|step| *step as u8));
}

fn caps(frame: &mut Vec<u8>, choices: &mut Choices<'_>, id: impl Fn(&mut Choices<'_>) -> Vec<u8>) {
    let count = choices.next() % 5;
    frame.push(count);
    for _ in 0..count {
        let tag = choices.next() % 3;
        frame.push(tag);
        frame.extend(id(choices));
        if tag == 2 {
            path(frame, choices);
        }
    }
}

/// Random arguments: capabilities of this process and of the session, and promises.
fn arguments(side: &Side, choices: &mut Choices<'_>) -> Encoded {
    let mut args = encoded(&vec![1; choices.below(32)]);
    for _ in 0..choices.next() % 3 {
        args.caps.push(match (choices.next() % 3, choices.one_of(&side.usable())) {
            (1, Some(key)) => side.capability(key, Path::from_steps(choices.path())),
            (2, _) => side.shared.clone(),
            _ => local(),
        });
    }
    if choices.next() % 4 == 0 {
        if let Some(key) = choices.one_of(&side.usable()) {
            args.promises.push(side.promise(0, key, Path::from_steps(choices.path())));
        }
    }
    args
}

/// One random thing that the user of a side may do at any time.
fn own_step(side: &mut Side, choices: &mut Choices<'_>) {
    match choices.next() % 8 {
        0 | 1 => {
            if let Some(target) = choices.one_of(&side.usable()) {
                let path = if choices.next() % 2 == 0 { &[][..] } else { choices.path() };
                let method = u64::from(choices.next() % 16);
                let args = arguments(side, choices);
                // Most calls may fail: paths lead nowhere, limits are small.
                drop(side.call(target, path, method, args));
            }
        }
        2 => {
            if let Some((id, ..)) = side.running.get(choices.below(side.running.len())) {
                let id = *id;
                side.complete(id, None);
            }
        }
        3 => {
            if let Some(key) = choices.one_of(&side.handles) {
                side.drop_handle(key);
            }
        }
        4 => {
            if let Some(key) = choices.one_of(&side.handles) {
                side.session.detach(key);
                side.after();
            }
        }
        5 => {
            if let Some(key) = choices.one_of(&side.usable()) {
                side.session.hold(key);
                side.handles.push(key);
            }
        }
        _ => {
            if let Some(key) = choices.one_of(&side.handles) {
                drop(side.poll(key));
            }
        }
    }
}

/// Lets everything go.
fn finish(side: &mut Side) {
    while let Some(key) = side.handles.pop() {
        side.session.release(key);
        side.after();
    }
    while let Some((id, ..)) = side.running.last() {
        let id = *id;
        side.complete(id, None);
    }
}

/// Two honest sessions that do random things, with bytes between them that come in any portions. In the end nothing
/// is left of all that.
pub fn pair(data: &[u8]) {
    let mut choices = Choices(data);
    let mut sides = [Side::new(&small()), Side::new(&small())];
    for side in &mut sides {
        side.main();
    }
    let mut between = [Vec::new(), Vec::new()];
    while !choices.0.is_empty() {
        let who = choices.below(2);
        match choices.next() % 4 {
            0 => {
                let bytes = sides[who].flush();
                between[who].extend(bytes);
            }
            1 => {
                let most = between[who].len();
                let portion = (choices.below(64) * choices.below(64)).min(most);
                let bytes: Vec<u8> = between[who].drain(..portion).collect();
                sides[1 - who].feed(&bytes);
            }
            _ => own_step(&mut sides[who], &mut choices),
        }
    }
    // Releases cross calls that cross releases; there are only so many of either.
    for _ in 0..10_000 {
        let mut moved = false;
        for who in [0, 1] {
            finish(&mut sides[who]);
            between[who].extend(sides[who].flush());
            let bytes = std::mem::take(&mut between[who]);
            moved |= !bytes.is_empty();
            sides[1 - who].feed(&bytes);
        }
        if !moved {
            break;
        }
    }
    for side in &mut sides {
        assert!(side.session.ended().is_none(), "{:?}", side.session.ended());
        assert_eq!(side.session.sizes(), (0, 0), "something is left");
        assert!(side.session.is_idle());
        side.session.check_empty();
    }
}

/// A run of random numbers (xorshift), for tests without a fuzzer.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// The run that a seed, which is not 0, begins.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// So many random bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| (self.next() >> 32) as u8).collect()
    }
}
