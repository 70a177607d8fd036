//! The frames of PROTOCOL.md, and frames that nobody should send.

use std::collections::{BTreeMap, HashMap};

use super::{Message, Out, Path, WireArg, WireCap, decode, put_signed, put_varint, take_signed, take_varint};
use crate::codec::FilledArg;
use crate::error::{Error, ErrorKind};
use crate::fault::Fault;
use crate::function::RpcFn;
use crate::fuzzing::{Random, encode, encoded, flatten, frames, local};
use crate::interface::{Interface, Sig, name_hash};
use crate::limits::Limits;
use crate::schema::Schema;
use crate::value::{Never, Plain};
use crate::wire::{CallFrame, LENGTH_BYTES, flag};

const PROTOCOL: &str = include_str!("../../../PROTOCOL.md");
const INCREMENT: u64 = 0xbf86_b555_86fe_0303;

/// The blocks of bytes, by their names, with their length fields.
fn examples() -> BTreeMap<&'static str, Vec<u8>> {
    let blocks = PROTOCOL.split("```frame ").skip(1);
    blocks
        .map(|block| {
            let (name, block) = block.split_once('\n').unwrap();
            let lines = block.split("```").next().unwrap().lines();
            let digits = lines.flat_map(|line| line.split(';').next().unwrap().split_whitespace());
            (name, digits.map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect())
        })
        .collect()
}

/// Cells of the rows of the table with this head.
fn table(head: &str) -> Vec<Vec<&'static str>> {
    let (_, rows) = PROTOCOL.split_once(head).unwrap();
    let rows = rows.lines().skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect())
        .collect()
}

fn call<'a>(flags: u8, target: i64, method: u64, body: &'a crate::codec::Encoded) -> CallFrame<'a> {
    static EMPTY: Path = Path::EMPTY;
    CallFrame {
        flags,
        target,
        path: &EMPTY,
        method,
        caps: &[],
        promises: &[],
        filled: &[],
        in_pieces: None,
        encoded: body,
    }
}

/// An example, and what writes it.
type Writer = (&'static str, fn(&mut Out));

fn writers() -> Vec<Writer> {
    vec![
        ("hello", |out| out.hello(64 << 20, 32 << 20, "", "")),
        ("hello with a name", |out| out.hello(64 << 20, 32 << 20, "counter/Admin", r#"{"user":"ann"}"#)),
        ("call", |out| {
            out.call(&call(flag::SEND | flag::FORGET, 0, INCREMENT, &encoded(&[4])));
        }),
        ("call on a promise", |out| {
            let path = Path::from_steps(&[1, 0]);
            let body = encoded(&[6]);
            out.call(&CallFrame { path: &path, ..call(flag::SEND | flag::FORGET, 1, INCREMENT, &body) });
        }),
        ("call with capabilities", |out| {
            let caps = [WireCap::Export(-1), WireCap::Import(-3), WireCap::Answer(2, Path::from_steps(&[1]))];
            let body = encoded(&[0, 1, 2]);
            out.call(&CallFrame { caps: &caps, ..call(flag::SEND, -3, 0x4c0c_f17e_f5b5_9ae2, &body) });
        }),
        ("call with promised arguments", |out| {
            let filled = [FilledArg { param: 0x81, body: bytes::Bytes::from_static(&[9]), caps: Vec::new() }];
            let promises = [(0, 1, Path::EMPTY)];
            let body = encoded(&[]);
            let head = call(flag::SEND | flag::FORGET, 0, 0x5ae7_8d62_5d1d_5839, &body);
            out.call(&CallFrame { promises: &promises, filled: &filled, ..head });
        }),
        ("answer", |out| out.answer(1, false, &[], &encoded(&[4]))),
        ("answer with a capability", |out| out.answer(2, false, &[WireCap::Export(-1)], &encoded(&[0]))),
        ("answer with the method's own error", |out| {
            let fault = postcard::to_allocvec(&Fault::new("no such user")).unwrap();
            out.kept_answer(3, true, &[], &fault);
        }),
        ("reject", |out| out.reject(4, &Error::new(ErrorKind::UnknownMethod, "no"), 100)),
        ("reject of a call behind a failed one", |out| {
            let user = bytes::Bytes::from_static(&[1, 7]);
            out.reject(5, &Error::upstream_user("taken".to_owned().into(), user), 100);
        }),
        ("release", |out| out.release(-1, 2)),
        ("finish", |out| out.finish(1, true)),
        ("pull", |out| out.pull(1)),
        ("credit", |out| out.credit(300)),
        ("goaway", |out| out.goaway(17)),
        ("echo", |out| {
            out.echo(1, &Path::from_steps(&[1, 0]));
        }),
        ("echo back", |out| out.echo_back(4)),
        ("abort", |out| out.abort(&Error::new(ErrorKind::Protocol, "why"))),
        ("call whose body comes in pieces", |out| {
            let body = encoded(&[]);
            let head = call(flag::SEND | flag::FORGET, 0, 0x4c0c_f17e_f5b5_9ae2, &body);
            out.call(&CallFrame { in_pieces: Some(1 << 18), ..head });
        }),
        ("call with metadata", |out| {
            let (metadata, body) = ([1, 1, 2, 0xc8, 1], [4]);
            out.plain_call_with(flag::SEND | flag::FORGET, (0, INCREMENT), &metadata, &body);
        }),
        ("answer whose body comes in pieces", |out| out.answer_head(1, false, &[], 1 << 18)),
        ("piece", |out| out.piece(1, &[7, 8, 9])),
        ("discard", |out| out.discard(1)),
        ("ping", Out::ping),
        ("pong", |out| {
            out.pong(None);
        }),
    ]
}

#[test]
fn every_example_is_what_the_library_writes() {
    let mut examples = examples();
    for (name, write) in writers() {
        let mut out = Out::default();
        write(&mut out);
        assert_eq!(examples.remove(name), Some(flatten(&mut out)), "{name}");
    }
    assert_eq!(examples.keys().collect::<Vec<_>>(), [] as [&&str; 0], "examples that nothing writes");
}

#[test]
fn every_example_is_read_back_to_itself() {
    let limits = Limits::default();
    for (name, example) in examples() {
        let frame = &example[LENGTH_BYTES..];
        assert_eq!(example[..LENGTH_BYTES], (frame.len() as u32).to_le_bytes(), "{name}");
        let message = decode(frame, &limits).unwrap();
        assert_eq!(encode(&message), frame, "{name}");
    }
}

#[test]
fn hashes_in_the_protocol_are_right() {
    for row in table("| name | hash |\n") {
        assert_eq!(format!("{:08x}", name_hash(row[0])), row[1], "{}", row[0]);
    }
    let wide = |schema: Schema| format!("{:016x}", schema.wide_hash());
    let types = HashMap::from([
        ("()", wide(Schema::of::<()>())),
        ("bool", wide(Schema::of::<bool>())),
        ("u8", wide(Schema::of::<u8>())),
        ("u32", wide(Schema::of::<u32>())),
        ("i64", wide(Schema::of::<i64>())),
        ("f64", wide(Schema::of::<f64>())),
        ("char", wide(Schema::of::<char>())),
        ("String", wide(Schema::of::<String>())),
        ("Vec<u8>", wide(Schema::of::<Vec<u8>>())),
        ("[u32; 2]", wide(Schema::of::<[u32; 2]>())),
        ("Option<u32>", wide(Schema::of::<Option<u32>>())),
        ("(u8, String)", wide(Schema::of::<(u8, String)>())),
        ("BTreeMap<u32, u8>", wide(Schema::of::<BTreeMap<u32, u8>>())),
        ("Plain<u8>", wide(Schema::of::<Plain<u8>>())),
        ("RpcFn<fn(i64) -> i64>", wide(Schema::of::<RpcFn<fn(i64) -> i64>>())),
        ("Never", wide(Schema::of::<Never>())),
        ("Fault", wide(Schema::of::<Fault>())),
    ]);
    let rows = table("| type | hash |\n");
    assert_eq!(rows.len(), types.len());
    for row in rows {
        assert_eq!(types[row[0]], row[1], "{}", row[0]);
    }
    let id = |sig: Sig, present| format!("{:016x}", Interface::new("Any", &[sig]).methods()[0].id(present).0);
    let find = Sig::method::<(String, Option<u32>), Result<Vec<u8>, Fault>>("find");
    let methods = HashMap::from([
        ("increment(i64) -> i64", id(Sig::method::<(i64,), i64>("increment"), 1)),
        ("value() -> i64", id(Sig::property::<i64>("value"), 0)),
        ("ping()", id(Sig::method::<(), ()>("ping"), 0)),
        ("find(String) -> Result<Vec<u8>, Fault>", id(find, 1)),
        ("find(String, Option<u32>) -> Result<Vec<u8>, Fault>", id(find, 2)),
    ]);
    let rows = table("| method | id |\n");
    assert_eq!(rows.len(), methods.len());
    for row in rows {
        assert_eq!(methods[row[0]], row[1], "{}", row[0]);
    }
}

#[test]
fn numbers_of_errors_in_the_protocol_are_right() {
    let rows = table("| number | kind | the method may have run |\n");
    assert_eq!(rows.len(), ErrorKind::ALL.len());
    for (row, (kind, code)) in rows.iter().zip(ErrorKind::ALL) {
        assert_eq!(row[0].parse(), Ok(code));
        let name = row[1].split(':').next().unwrap().split(';').next().unwrap();
        assert_eq!(name, kind.to_string().replace(" call failed", ""));
        let ran = if Error::new(kind, "").may_have_run() { "yes" } else { "no" };
        assert!(row[2] == ran || row[2] == "as flagged", "{name}");
        assert_eq!((kind.code(), ErrorKind::from_code(code)), (code, Some(kind)));
    }
    assert_eq!((ErrorKind::from_code(0), ErrorKind::from_code(19)), (None, None));
}

fn error(frame: &[u8]) -> String {
    decode(frame, &Limits::default()).expect_err("it is no frame").to_string()
}

#[test]
fn r228_every_frame_that_is_cut_short_is_refused() {
    for (name, example) in examples() {
        let frame = &example[LENGTH_BYTES..];
        for length in 0..frame.len() {
            // A body may have any length, so what is left after its loss is another frame.
            let cut = decode(&frame[..length], &Limits::default());
            let bodies = matches!(cut, Ok(Message::Call(_) | Message::Answer { .. } | Message::Piece { .. }));
            // A greeting may end where its props would begin.
            let whole = matches!(cut, Ok(Message::Hello { name: "counter/Admin", props: "", .. }));
            assert!(bodies || whole || cut.is_err(), "{name} cut to {length}: {cut:?}");
        }
    }
}

#[test]
fn r228_what_stands_behind_the_last_field_is_refused() {
    for (name, example) in examples() {
        let mut frame = example[LENGTH_BYTES..].to_vec();
        frame.push(0);
        match decode(&frame, &Limits::default()) {
            Ok(Message::Call(_) | Message::Answer { .. } | Message::Piece { .. } | Message::Hello { .. }) => {
            }
            other => assert_eq!(
                other.unwrap_err().to_string(),
                "a frame has 1 bytes after its last field",
                "{name}"
            ),
        }
    }
}

#[test]
fn r228_unknown_kinds_flags_and_tags_are_refused_by_name() {
    for kind in 16..=255 {
        assert_eq!(error(&[kind, 0, 0]), format!("a frame is of the unknown kind {kind}"));
    }
    assert_eq!(error(&[]), "a frame ends in the middle of a field");
    assert_eq!(error(&[1, 128, 0]), "a frame has unknown flags 0x80");
    assert_eq!(error(&[2, 2, 8]), "a frame has unknown flags 0x8");
    assert_eq!(error(&[3, 2, 1, 1, 4]), "a frame has unknown flags 0x4");
    assert_eq!(error(&[5, 2, 2]), "a frame has unknown flags 0x2");
    assert_eq!(error(&[2, 2, 2, 1, 3, 2]), "a field has the unknown tag 3");
    assert_eq!(error(b"\0FARK"), "the greeting does not begin with FARC: the peer does not speak farcall");
    assert_eq!(error(&[9, 13, 2, 0xc3, 0x28]), "a text is not UTF-8");
    // An export is negative, an import not positive, an answer positive.
    for (cap, id) in [([0, 0], 0), ([0, 2], 1), ([1, 2], 1), ([2, 0], 0), ([2, 1], -1)] {
        let frame = [&[2, 2, 2, 1][..], &cap, &[0]].concat();
        assert_eq!(error(&frame), format!("the id {id} cannot stand where it does"));
    }
    let with_args = |args: &[u8]| [&[1, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], args].concat();
    assert_eq!(error(&with_args(&[1, 0, 0, 0, 0])), "the id 0 cannot stand where it does");
    assert_eq!(error(&with_args(&[1, 0, 2, 0])), "a field has the unknown tag 2");
    assert_eq!(error(&with_args(&[13])), "a message has 13 promised arguments; the limit is 12");
    assert_eq!(error(&[2, 2, 2, 0x81, 8]), "a message has 1025 capabilities; the limit is 1024");
}

#[test]
fn r240_announced_lengths_are_not_believed() {
    let huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let truncated = "a frame ends in the middle of a field";
    for before in [&[9, 13][..], &[3, 2, 1, 1, 0], &[1, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
        assert_eq!(error(&[before, &huge].concat()), truncated);
    }
    // A path of 2^32 - 1 steps.
    assert_eq!(error(&[&[1, 4, 2][..], &huge, &[0; 100]].concat()), truncated);
}

#[test]
fn r241_a_path_over_the_limit_is_skipped_and_the_call_marked() {
    for (steps, over) in [(64, false), (65, true), (10_000, true)] {
        let mut frame = vec![1, flag::PATH, 2];
        put_varint(&mut frame, steps);
        frame.extend(vec![1; steps as usize]);
        frame.extend([7, 0, 0, 0, 0, 0, 0, 0, 42]);
        let Message::Call(call) = decode(&frame, &Limits::default()).unwrap() else { panic!("it is a call") };
        assert_eq!((call.method, call.body), (7, &[42][..]));
        let text = call.over.map(|over| over.to_string());
        let expected = format!("a message has {steps} steps in a path; the limit `path_steps` is 64");
        assert_eq!(text, over.then_some(expected));
    }
    let mut frame = vec![1, flag::PATH, 2, 1];
    put_varint(&mut frame, 65_536);
    assert_eq!(error(&frame), "a path has the step 65536, which is no index of a field");
}

#[test]
fn numbers_are_read_as_they_were_written() {
    let mut random = Random::new(1);
    for shift in 0..64 {
        for value in [u64::MAX >> shift, 1 << shift, random.number() >> shift] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            put_signed(&mut bytes, value as i64);
            put_signed(&mut bytes, (value as i64).wrapping_neg());
            let mut rest = &bytes[..];
            assert_eq!(take_varint(&mut rest), Some(value));
            assert_eq!(take_signed(&mut rest), Some(value as i64));
            assert_eq!(take_signed(&mut rest), Some((value as i64).wrapping_neg()));
            assert!(rest.is_empty());
        }
    }
    assert_eq!(take_varint(&mut &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2][..]), None);
    assert_eq!(take_varint(&mut &[0x80; 11][..]), None);
    assert_eq!(take_varint(&mut &[0x80][..]), None);
}

#[test]
fn r228_no_bytes_make_the_decoder_panic() {
    let examples: Vec<_> = examples().into_values().map(|mut frame| frame.split_off(LENGTH_BYTES)).collect();
    for seed in 1..=200_000 {
        let mut random = Random::new(seed);
        let mut bytes = if seed % 4 == 0 {
            random.bytes((seed % 64) as usize)
        } else {
            examples[random.number() as usize % examples.len()].clone()
        };
        for _ in 0..random.number() % 4 {
            let at = random.number() as usize % (bytes.len() + 1);
            match random.number() % 3 {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, random.number() as u8),
                _ if at < bytes.len() => bytes[at] ^= 1 << (random.number() % 8),
                _ => {}
            }
        }
        let result = std::panic::catch_unwind(|| frames(&bytes));
        assert!(result.is_ok(), "it failed with the seed {seed}: {bytes:x?}");
    }
}

/// A random message of each kind, with fields of all sizes.
#[test]
fn what_is_written_is_read_back() {
    let mut random = Random::new(7);
    let mut number = |bits: u32| random.number() >> (64 - bits);
    for _ in 0..20_000 {
        let id = (number(40) >> number(5)) as i64 + 1;
        let path = Path::from_steps(&vec![number(16) as u16; number(6) as usize]);
        let caps: Vec<_> = (0..number(2))
            .map(|_| match number(2) {
                0 => WireCap::Export(-id),
                1 => WireCap::Import(-id),
                2 => WireCap::Import(0),
                _ => WireCap::Answer(id, path.clone()),
            })
            .collect();
        let promises: Vec<_> = (0..number(2)).map(|param| (param as u8, id, path.clone())).collect();
        let filled: Vec<_> = (0..number(2))
            .map(|param| FilledArg {
                param: param as u8,
                body: vec![3; number(6) as usize].into(),
                caps: vec![local()],
            })
            .collect();
        let (method, flags) = (number(64), number(2) as u8);
        let body = vec![5; number(7) as usize];
        let mut out = Out::default();
        let encoded = encoded(&body);
        let head = call(flags, if number(1) == 0 { id } else { -id }, method, &encoded);
        out.call(&CallFrame { path: &path, caps: &caps, promises: &promises, filled: &filled, ..head });
        let frame = flatten(&mut out).split_off(LENGTH_BYTES);
        let limits = Limits::default();
        let message = decode(&frame, &limits).unwrap();
        let Message::Call(read) = &message else { panic!("{message:?}") };
        assert_eq!((read.flags & 3, read.target.abs(), &read.path, read.method), (flags, id, &path, method));
        assert_eq!(
            (&read.caps, read.body, read.args.len()),
            (&caps, &body[..], promises.len() + filled.len())
        );
        for (arg, (param, on, way)) in read.args.iter().zip(&promises) {
            let WireArg::Promise { param: p, id, path } = arg else { panic!("{arg:?}") };
            assert_eq!((p, id, path), (param, on, way));
        }
        assert_eq!(encode(&message), frame);
    }
}

#[test]
fn every_example_is_a_line_of_the_log_however_it_arrives() {
    for (name, example) in examples() {
        let (mut whole, mut bitwise) = (Vec::new(), Vec::new());
        super::Describer::default().feed(&example, |line| whole.push(line.to_owned()));
        let mut describer = super::Describer::default();
        for byte in &example {
            describer.feed(&[*byte], |line| bitwise.push(line.to_owned()));
        }
        assert_eq!(whole, bitwise);
        assert_eq!(whole.len(), 1, "{name}");
        assert!(!whole[0].contains("unreadable"), "{name}: {whole:?}");
        let first = name.split(' ').next().unwrap();
        let word = if first == "greeting" { "hello" } else { first };
        assert!(whole[0].starts_with(word), "{name}: {whole:?}");
    }
    let mut lines = Vec::new();
    let mut describer = super::Describer::default();
    // A frame that is no message, one of no bytes, and one that says it is very long.
    describer
        .feed(&[1, 0, 0, 0, 99, 0, 0, 0, 0, 255, 255, 255, 255, 1, 2, 3], |line| lines.push(line.to_owned()));
    assert_eq!(
        lines,
        [
            "unreadable: a frame is of the unknown kind 99 (1 B)",
            "unreadable: a frame ends in the middle of a field (0 B)"
        ]
    );
}
