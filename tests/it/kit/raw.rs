//! A peer that writes its frames by hand, after PROTOCOL.md and not after the library: it may lie.

use std::time::Duration;

use farcall::{Connection, Endpoint, IntoStub, Limits, Stub};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::Transport;

pub const SEND: u8 = 1;
pub const FORGET: u8 = 2;

/// A number: seven bits a byte, low bits first.
pub fn number(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 128 {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// An id, zigzag-coded.
pub fn id(value: i64) -> Vec<u8> {
    number(((value << 1) ^ (value >> 63)) as u64)
}

pub fn text(text: &str) -> Vec<u8> {
    [number(text.len() as u64), text.as_bytes().to_vec()].concat()
}

/// A count, and each of the things.
fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [number(items.len() as u64), items.concat()].concat()
}

pub fn path(steps: &[u16]) -> Vec<u8> {
    list(&steps.iter().map(|step| number(u64::from(*step))).collect::<Vec<_>>())
}

/// A frame: its length, its kind and its fields.
pub fn frame(kind: u8, fields: &[&[u8]]) -> Vec<u8> {
    let fields = fields.concat();
    [&(fields.len() as u32 + 1).to_le_bytes()[..], &[kind], &fields].concat()
}

pub fn hello() -> Vec<u8> {
    greeting(64 << 20, "", "")
}

pub fn hello_with_window(bytes: u64) -> Vec<u8> {
    greeting(bytes, "", "")
}

/// A greeting that wants what has this name, with these props.
pub fn hello_for(name: &str, props: &str) -> Vec<u8> {
    greeting(64 << 20, name, props)
}

fn greeting(window: u64, name: &str, props: &str) -> Vec<u8> {
    let props = if props.is_empty() { Vec::new() } else { text(props) };
    frame(0, &[b"FARC", &[1, 0], &number(window), &number(32 << 20), &text(name), &props])
}

pub fn finish(call: i64, cancel: bool) -> Vec<u8> {
    frame(5, &[&id(call), &[u8::from(cancel)]])
}

pub fn pull(call: i64) -> Vec<u8> {
    frame(6, &[&id(call)])
}

/// A part of the body of this number.
pub fn piece(body: u64, bytes: &[u8]) -> Vec<u8> {
    frame(14, &[&number(body), bytes])
}

/// The rest of the body of this number will not come.
pub fn discard(body: u64) -> Vec<u8> {
    frame(15, &[&number(body)])
}

/// The head of an answer whose body comes in pieces.
pub fn answer_head(call: i64, length: u64) -> Vec<u8> {
    frame(2, &[&id(call), &[4], &number(length)])
}

pub fn release(export: i64, count: u64) -> Vec<u8> {
    frame(4, &[&id(export), &number(count)])
}

pub fn echo(call: i64, steps: &[u16]) -> Vec<u8> {
    frame(10, &[&id(call), &path(steps)])
}

pub fn echo_back(call: i64) -> Vec<u8> {
    frame(11, &[&id(call)])
}

pub fn ping() -> Vec<u8> {
    frame(12, &[])
}

pub fn pong() -> Vec<u8> {
    frame(13, &[])
}

/// A capability in a message.
pub fn own(id_of_sender: i64) -> Vec<u8> {
    [vec![0], id(id_of_sender)].concat()
}

/// The receiver's export, which comes home.
pub fn home(id_of_receiver: i64) -> Vec<u8> {
    [vec![1], id(id_of_receiver)].concat()
}

/// An answer that is one capability.
pub fn answer(call: i64, cap: &[u8]) -> Vec<u8> {
    frame(2, &[&id(call), &[2, 1], cap, &[0]])
}

pub fn promised(call: i64, steps: &[u16]) -> Vec<u8> {
    [vec![2], id(call), path(steps)].concat()
}

/// A call, field by field.
#[derive(Clone, Default)]
pub struct Call {
    pub flags: u8,
    pub target: i64,
    pub path: Vec<u16>,
    pub method: u64,
    pub caps: Vec<Vec<u8>>,
    pub args: Vec<Vec<u8>>,
    /// The length of the body, if it comes in pieces.
    pub in_pieces: Option<u64>,
    pub body: Vec<u8>,
}

impl Call {
    /// A call of the main object, whose answer is wanted and kept.
    pub fn of(method: u64, body: &[u8]) -> Self {
        Self { flags: SEND, method, body: body.to_vec(), ..Self::default() }
    }

    /// The same call to a part of the answer to an earlier one.
    #[must_use]
    pub fn on(self, target: i64, path: &[u16]) -> Self {
        Self { target, path: path.to_vec(), ..self }
    }

    #[must_use]
    pub fn caps(self, caps: &[Vec<u8>]) -> Self {
        Self { caps: caps.to_vec(), ..self }
    }

    /// The same call, with a body of so many bytes that comes in pieces.
    #[must_use]
    pub fn in_pieces(self, length: u64) -> Self {
        Self { in_pieces: Some(length), body: Vec::new(), ..self }
    }

    pub fn frame(&self) -> Vec<u8> {
        let with = |flag: u8, is: bool| if is { flag } else { 0 };
        let (has_path, has_caps, has_args) =
            (!self.path.is_empty(), !self.caps.is_empty(), !self.args.is_empty());
        let flags = self.flags | with(4, has_path) | with(8, has_caps) | with(16, has_args);
        let flags = flags | with(64, self.in_pieces.is_some());
        let part = |is: bool, bytes: Vec<u8>| if is { bytes } else { Vec::new() };
        let fields: [&[u8]; 8] = [
            &[flags],
            &id(self.target),
            &part(has_path, path(&self.path)),
            &self.method.to_le_bytes(),
            &part(has_caps, list(&self.caps)),
            &part(has_args, list(&self.args)),
            &self.in_pieces.map(number).unwrap_or_default(),
            &self.body,
        ];
        frame(1, &fields)
    }
}

/// The hash of a method's name: FNV-1a, folded.
pub fn name_hash(name: &str) -> u32 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let wide = name.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, step);
    (wide >> 32) as u32 ^ wide as u32
}

/// The id of a method that `S` has.
pub fn method<S: Stub>(name: &str) -> u64 {
    let methods = S::interface().methods();
    let info = methods.iter().find(|info| info.name == name).unwrap();
    let id = info.id(info.params_count()).0;
    assert_eq!((id >> 32) as u32, name_hash(name));
    id
}

/// The name of one method with the signature of another.
pub fn disguised(name: &str, like: u64) -> u64 {
    u64::from(name_hash(name)) << 32 | (like & 0xffff_ffff)
}

/// What the library sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Got {
    Hello,
    Call {
        target: i64,
        method: u64,
    },
    /// A call whose body, which has so many bytes, comes in pieces.
    LargeCall {
        target: i64,
        method: u64,
        length: u64,
    },
    /// An answer whose body comes in pieces.
    LargeAnswer {
        id: i64,
        length: u64,
    },
    Piece {
        body: u64,
        bytes: Vec<u8>,
    },
    Discard {
        body: u64,
    },
    Answer {
        id: i64,
        user: bool,
        caps: Vec<(u8, i64)>,
        body: Vec<u8>,
    },
    Reject {
        id: i64,
        kind: u8,
        origin: u8,
        may_have_run: bool,
        text: String,
    },
    Release {
        id: i64,
        count: u64,
    },
    Finish {
        id: i64,
    },
    Pull {
        id: i64,
    },
    Credit {
        bytes: u64,
    },
    Goaway {
        last: i64,
    },
    Abort {
        kind: u8,
        text: String,
    },
    Echo {
        target: i64,
        path: Vec<u64>,
    },
    EchoBack {
        id: i64,
    },
    Ping,
    Pong,
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(count);
        self.0 = rest;
        bytes
    }

    fn byte(&mut self) -> u8 {
        self.bytes(1)[0]
    }

    fn number(&mut self) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = self.byte();
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                break;
            }
        }
        value
    }

    fn id(&mut self) -> i64 {
        let raw = self.number();
        (raw >> 1) as i64 ^ -((raw & 1) as i64)
    }

    fn text(&mut self) -> String {
        let length = self.number() as usize;
        String::from_utf8(self.bytes(length).to_vec()).unwrap()
    }

    fn cap(&mut self) -> (u8, i64) {
        let cap = (self.byte(), self.id());
        assert!(cap.0 < 2, "the library names no answer of ours in these tests");
        cap
    }

    fn message(mut self) -> Got {
        match self.byte() {
            0 => Got::Hello,
            1 => {
                let (flags, target) = (self.byte(), self.id());
                assert_eq!(flags & 4, 0, "exports have no parts");
                let method = u64::from_le_bytes(self.bytes(8).try_into().unwrap());
                if flags & 64 == 0 {
                    return Got::Call { target, method };
                }
                assert_eq!(flags & 56, 0, "these tests have no capabilities in large calls");
                Got::LargeCall { target, method, length: self.number() }
            }
            2 => {
                let (id, flags) = (self.id(), self.byte());
                let count = if flags & 2 == 0 { 0 } else { self.number() };
                let caps = (0..count).map(|_| self.cap()).collect();
                if flags & 4 != 0 {
                    return Got::LargeAnswer { id, length: self.number() };
                }
                Got::Answer { id, user: flags & 1 != 0, caps, body: self.0.to_vec() }
            }
            3 => {
                let (id, kind, origin, flags) = (self.id(), self.byte(), self.byte(), self.byte());
                Got::Reject { id, kind, origin, may_have_run: flags & 1 != 0, text: self.text() }
            }
            4 => Got::Release { id: self.id(), count: self.number() },
            5 => Got::Finish { id: self.id() },
            6 => Got::Pull { id: self.id() },
            7 => Got::Credit { bytes: self.number() },
            8 => Got::Goaway { last: self.id() },
            9 => Got::Abort { kind: self.byte(), text: self.text() },
            10 => {
                let target = self.id();
                let steps = self.number();
                Got::Echo { target, path: (0..steps).map(|_| self.number()).collect() }
            }
            11 => Got::EchoBack { id: self.id() },
            14 => Got::Piece { body: self.number(), bytes: self.0.to_vec() },
            15 => Got::Discard { body: self.number() },
            12 => Got::Ping,
            13 => Got::Pong,
            other => panic!("the library sent the kind {other}"),
        }
    }
}

pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Both ends of a transport.
pub async fn pipe(transport: Transport) -> (Box<dyn Stream>, Box<dyn Stream>) {
    match transport {
        Transport::InProcess => panic!("there is no wire in process"),
        Transport::Duplex => {
            let (a, b) = tokio::io::duplex(64 * 1024);
            (Box::new(a), Box::new(b))
        }
        Transport::Tcp => {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (a, b) = tokio::join!(TcpStream::connect(address), listener.accept());
            let (a, b) = (a.unwrap(), b.unwrap().0);
            a.set_nodelay(true).unwrap();
            b.set_nodelay(true).unwrap();
            (Box::new(a), Box::new(b))
        }
        Transport::Unix => {
            let (a, b) = UnixStream::pair().unwrap();
            (Box::new(a), Box::new(b))
        }
    }
}

/// A served target, to which any number of peers connect.
pub struct Stage {
    endpoint: Endpoint,
    transport: Transport,
}

impl Stage {
    pub fn new<S: Stub>(transport: Transport, main: impl IntoStub<S>) -> Self {
        Self::with(transport, Limits::default(), main)
    }

    pub fn with<S: Stub>(transport: Transport, limits: Limits, main: impl IntoStub<S>) -> Self {
        Self { endpoint: Endpoint::new().limits(limits).offer(main), transport }
    }

    /// How its side of each connection is set up.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What this endpoint offers.
    pub fn of(transport: Transport, endpoint: Endpoint) -> Self {
        Self { endpoint, transport }
    }

    /// A peer that has said nothing yet.
    pub async fn silent(&self) -> Raw {
        let (stream, served) = pipe(self.transport).await;
        let (server, driver) = self.endpoint.accept_over(served);
        tokio::spawn(driver);
        Raw { stream, patience: Duration::from_secs(10), server, input: Vec::new() }
    }

    /// A peer that has greeted and was greeted.
    pub async fn raw(&self) -> Raw {
        self.raw_wanting("", "").await
    }

    /// The same, which wants what has this name.
    pub async fn raw_wanting(&self, name: &str, props: &str) -> Raw {
        let mut raw = self.silent().await;
        raw.send(&hello_for(name, props)).await;
        assert_eq!(raw.next().await, Some(Got::Hello));
        raw
    }

    /// A peer that keeps the rules: it must not notice what others do.
    pub async fn neighbour<S: Stub>(&self) -> S {
        self.client(Limits::default()).await
    }

    /// A peer that keeps the rules and has limits of its own.
    pub async fn client<S: Stub>(&self, limits: Limits) -> S {
        let (stream, served) = pipe(self.transport).await;
        tokio::spawn(self.endpoint.accept_over(served).1);
        let (client, driver) = Endpoint::new().limits(limits).connect_over(stream);
        let stub = farcall::main_stub(&client);
        tokio::spawn(driver);
        stub
    }
}

/// One end of a connection of which a [`Stage`] has the other.
pub struct Raw {
    stream: Box<dyn Stream>,
    /// How long to wait for the library to read or to say something.
    pub patience: Duration,
    /// The other end.
    pub server: Connection,
    input: Vec<u8>,
}

impl Raw {
    /// A peer that the library calls: it has greeted and was greeted. The connection is the caller's.
    pub async fn called<S: Stub>(transport: Transport) -> (Self, S) {
        let (stream, ours) = pipe(transport).await;
        let (connection, driver) = Endpoint::new().connect_over(ours);
        let stub = farcall::main_stub(&connection);
        tokio::spawn(driver);
        (Self::over(stream, connection).await, stub)
    }

    /// A peer at the other end of this connection, which is driven already.
    pub async fn over(stream: Box<dyn Stream>, connection: Connection) -> Self {
        let mut raw =
            Self { stream, patience: Duration::from_secs(10), server: connection, input: Vec::new() };
        raw.send(&hello()).await;
        assert_eq!(raw.next().await, Some(Got::Hello));
        raw
    }

    /// Writes bytes. What the library does not want to read any more is its own business.
    pub async fn send(&mut self, bytes: &[u8]) {
        let written = tokio::time::timeout(self.patience, self.stream.write_all(bytes)).await;
        let _ = written.expect("the library reads");
    }

    /// Closes the direction in which this side writes.
    pub async fn hang_up(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// The next frame. `None`: the stream has ended.
    pub async fn next(&mut self) -> Option<Got> {
        loop {
            if let Some((length, rest)) = self.input.split_first_chunk::<4>() {
                let length = u32::from_le_bytes(*length) as usize;
                if rest.len() >= length {
                    let message = Fields(&rest[..length]).message();
                    self.input.drain(..4 + length);
                    return Some(message);
                }
            }
            let read = tokio::time::timeout(self.patience, self.stream.read_buf(&mut self.input)).await;
            // A connection that was closed with something unread in it may end with an error.
            if read.expect("the library says something or closes").unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// The next answer or refusal; credit is passed over.
    pub async fn reply(&mut self) -> Got {
        loop {
            match self.next().await {
                Some(Got::Credit { .. }) => {}
                other => return other.expect("the connection lives"),
            }
        }
    }

    /// Makes a call and gives its reply.
    pub async fn call(&mut self, call: &Call) -> Got {
        self.send(&call.frame()).await;
        self.reply().await
    }

    /// Makes a call that has to be refused as this kind; gives the text.
    pub async fn refused(&mut self, call: &Call, expected: u8) -> String {
        match self.call(call).await {
            Got::Reject { kind, may_have_run: false, text, .. } if kind == expected => text,
            other => panic!("refused with the kind {expected}? {other:?}"),
        }
    }

    /// Sends bytes that end the session, and gives the reason that the library tells. It closes the connection,
    /// and holds nothing any more.
    pub async fn aborted(&mut self, bytes: &[u8]) -> String {
        self.send(bytes).await;
        self.abort().await
    }

    pub async fn abort(&mut self) -> String {
        loop {
            match self.next().await {
                Some(Got::Abort { kind: 13, text }) => {
                    assert_eq!(self.next().await, None, "it closes");
                    let ended = self.server.closed().await;
                    assert_eq!((ended.kind(), ended.message()), (farcall::ErrorKind::Protocol, &text[..]));
                    super::until(|| self.server.table_sizes() == (0, 0)).await;
                    return text.strip_prefix("the peer broke the protocol: ").unwrap().to_owned();
                }
                Some(Got::Abort { .. }) | None => panic!("it says that the peer broke the protocol"),
                Some(_) => {}
            }
        }
    }
}

/// The body of an answer that has no capabilities.
pub fn body(got: Got) -> Vec<u8> {
    match got {
        Got::Answer { user: false, caps, body, .. } if caps.is_empty() => body,
        other => panic!("an answer without capabilities? {other:?}"),
    }
}
