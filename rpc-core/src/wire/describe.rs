//! Frames as lines for people: what the wire log prints.

use std::fmt::Write;

use super::{CallMessage, Message, Path, WireArg, WireCap, decode, flag};
use crate::limits::Limits;

/// One direction of a connection, frame by frame.
#[derive(Debug, Default)]
pub struct Describer {
    calls: u64,
    /// The beginning of the frame that is under way.
    head: Vec<u8>,
    /// Bytes of it that are still to come.
    missing: usize,
    length: usize,
}

/// Bytes of a frame that are looked at.
const HEAD: usize = 4 * 1024;
/// Bytes of a body that are shown.
const SHOWN: usize = 24;

impl Describer {
    /// Takes bytes as they go over the transport, and gives each frame that they end to `line`, without a line break.
    pub fn feed(&mut self, mut bytes: &[u8], mut line: impl FnMut(&str)) {
        while !bytes.is_empty() {
            if self.length == 0 {
                let wanted = super::LENGTH_BYTES - self.head.len();
                let taken = wanted.min(bytes.len());
                self.head.extend_from_slice(&bytes[..taken]);
                bytes = &bytes[taken..];
                let Some(length) = self.head.first_chunk::<{ super::LENGTH_BYTES }>() else { return };
                self.length = u32::from_le_bytes(*length) as usize;
                self.missing = self.length;
                self.head.clear();
            }
            let taken = self.missing.min(bytes.len());
            let kept = taken.min(HEAD.saturating_sub(self.head.len()));
            self.head.extend_from_slice(&bytes[..kept]);
            self.missing -= taken;
            bytes = &bytes[taken..];
            if self.missing == 0 {
                let (head, length) = (std::mem::take(&mut self.head), std::mem::take(&mut self.length));
                line(&self.describe(&head, length));
            }
        }
    }

    fn describe(&mut self, frame: &[u8], length: usize) -> String {
        let mut text = String::new();
        // The limits of this side are of no matter here.
        let limits = Limits { path_steps: usize::MAX, caps_per_message: usize::MAX, ..Limits::default() };
        // Writing to a text does not fail.
        let _ = match decode(frame, &limits) {
            Ok(message) => self.message(&mut text, &message),
            Err(error) => write!(text, "unreadable: {error}"),
        };
        let _ = write!(text, " ({length} B)");
        text
    }

    fn message(&mut self, text: &mut String, message: &Message<'_>) -> std::fmt::Result {
        match message {
            Message::Hello { version, window, frame_bytes, name, .. } => {
                write!(
                    text,
                    "hello version {version}, window {window}, frames to {frame_bytes}, wants {name:?}"
                )
            }
            Message::Call(call) => {
                self.calls += 1;
                write!(text, "call {} on {}", self.calls, Target(call.target, &call.path))?;
                describe_call(text, call)
            }
            Message::Answer { id, user, caps, in_pieces, body, .. } => {
                write!(text, "answer {id} {}", if *user { "error" } else { "value" })?;
                describe_caps(text, caps)?;
                describe_body(text, *in_pieces, body)
            }
            Message::Reject { id, kind, may_have_run, message, .. } => {
                let ran = if *may_have_run { "may have run" } else { "did not run" };
                write!(text, "reject {id} {kind}, {ran}: {message:?}")
            }
            Message::Release { id, count } => write!(text, "release {id} x{count}"),
            Message::Finish { id, cancel } => {
                write!(text, "finish {id}{}", if *cancel { " cancel" } else { "" })
            }
            Message::Pull { id } => write!(text, "pull {id}"),
            Message::Credit { bytes } => write!(text, "credit {bytes}"),
            Message::Goaway { last } => write!(text, "goaway, serves up to call {last}"),
            Message::Abort { kind, message } => write!(text, "abort {kind}: {message:?}"),
            Message::Echo { target, path, .. } => {
                self.calls += 1;
                write!(text, "echo {} to {}", self.calls, Target(*target, path))
            }
            Message::EchoBack { id } => write!(text, "echo back {id}"),
            Message::Piece { body, .. } => write!(text, "piece of body {body}"),
            Message::Discard { body } => write!(text, "discard body {body}"),
            Message::Ping => text.write_str("ping"),
            Message::Pong => text.write_str("pong"),
        }
    }
}

/// Something of the receiver, and a part of it.
struct Target<'a>(i64, &'a Path);

impl std::fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => f.write_str("main")?,
            id if id > 0 => write!(f, "answer {id}")?,
            id => write!(f, "object {}", -id)?,
        }
        self.1.steps().iter().try_for_each(|step| write!(f, ".{step}"))
    }
}

fn describe_call(text: &mut String, call: &CallMessage<'_>) -> std::fmt::Result {
    write!(text, ", method {:016x}", call.method)?;
    for (bit, word) in [(flag::SEND, "send"), (flag::FORGET, "forget")] {
        if call.flags & bit != 0 {
            write!(text, ", {word}")?;
        }
    }
    if !call.metadata.is_empty() {
        write!(text, ", metadata {} B", call.metadata.len())?;
    }
    describe_caps(text, &call.caps)?;
    for arg in &call.args {
        match arg {
            WireArg::Promise { param, id, path } => {
                write!(text, ", argument {param} = {}", Target(*id, path))?
            }
            WireArg::Value { param, body, .. } => {
                write!(text, ", argument {param} settled {} B", body.len())?
            }
            WireArg::Later { param, length, .. } => write!(text, ", argument {param} later {length} B")?,
        }
    }
    describe_body(text, call.in_pieces, call.body)
}

fn describe_caps(text: &mut String, caps: &[WireCap]) -> std::fmt::Result {
    for cap in caps {
        match cap {
            WireCap::Export(id) => write!(text, ", gives object {}", -id)?,
            WireCap::Import(0) => text.write_str(", returns main")?,
            WireCap::Import(id) => write!(text, ", returns object {}", -id)?,
            WireCap::Answer(id, path) => write!(text, ", promises {}", Target(*id, path))?,
        }
    }
    Ok(())
}

fn describe_body(text: &mut String, in_pieces: Option<usize>, body: &[u8]) -> std::fmt::Result {
    if let Some(length) = in_pieces {
        return write!(text, ", body of {length} B in pieces");
    }
    text.write_str(", body")?;
    for byte in body.iter().take(SHOWN) {
        write!(text, " {byte:02x}")?;
    }
    if body.len() > SHOWN { text.write_str(" …") } else { Ok(()) }
}
