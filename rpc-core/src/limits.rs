//! Every limit: its name, its default and the reason for it.
//!
//! A limit that the peer was told in the handshake is enforced by ending the session; a limit that it was not
//! told, by refusing the one call. A limit of time ends the session: there is no call to refuse.
//!
//! Each is crossed by a test that says its name (`tests/it/limits/`), and the error says its name and both figures.

use std::time::Duration;

/// What one side of a connection allows the other, and itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Longest frame, in bytes, and longest message with a body that comes in pieces. Default 32 MiB (row 240). So much
    /// memory is taken at most ahead of the bytes that come. Told to the peer.
    pub frame_bytes: usize,
    /// Bytes of calls that the peer may have sent and we have not started; every call costs its length and 64.
    /// Default 64 MiB: an honest burst waits at the caller, a hostile one ends the session. As many bytes of answers may
    /// have begun to come in pieces. Told to the peer.
    pub window_bytes: usize,
    /// Longest path of a pipelined call, in steps. Default 64 (row 241).
    pub path_steps: usize,
    /// Capabilities in one message. Default 1,024.
    pub caps_per_message: usize,
    /// Targets that the peer may hold of us, and as many again in answers that are kept. Default 1,048,576, of about
    /// 400 bytes each.
    pub exports: usize,
    /// Targets of the peer that we hold. Default 1,048,576.
    pub imports: usize,
    /// Methods that run and have not returned before deliveries stop. Default 4,096: a task each.
    pub running_calls: usize,
    /// Bytes of calls whose methods run and have not returned before deliveries stop; calls under 4 KiB are not
    /// counted. Default 256 MiB: eight of the longest frames, for what a method that runs holds is in no window any
    /// more.
    pub running_bytes: usize,
    /// Bytes of calls that wait for an answer or an argument to settle. Default 32 MiB. It is never more than half of
    /// the window: more would keep out the call that frees them. As many of our own calls may wait for an echo.
    pub parked_bytes: usize,
    /// Calls that wait for an answer or an argument to settle. Default 65,536, as many as a caller of the same
    /// version has in flight at most.
    pub parked_calls: usize,
    /// Capabilities of calls that wait, for others or for their turn. Default 1,048,576: they take two bytes of a
    /// message and some 50 of memory, which the window does not know.
    pub waiting_caps: usize,
    /// Bytes of answers that are kept because the peer still holds their promises. Default 64 MiB.
    pub answer_bytes: usize,
    /// Bytes of output that the peer caused (answers, releases, and all else that is no call of ours) and that the
    /// transport has not taken, before deliveries stop. Default 16 MiB.
    pub unsent_answer_bytes: usize,
    /// Bytes of the same at which the session ends. Default 128 MiB.
    pub unsent_answer_bytes_hard: usize,
    /// How long output may wait without the transport taking any of it before the session ends: the peer does not
    /// read. Default 30 seconds. Checked by the driver. [`Duration::MAX`] is for ever, here and below.
    pub write_stall: Duration,
    /// How long the peer may take to greet, from when the driver is first polled. Default 10 seconds: a greeting
    /// takes one way of one small frame. Checked by the driver.
    pub handshake: Duration,
    /// After how long without a byte from the peer it is asked for a sign of life; sooner by up to a half. Default 30
    /// seconds: less than what routers on the way remember an idle connection for. `None` asks never, and a
    /// peer that has vanished without a word is not noticed, nor what it holds given back, until something is written
    /// to it. Checked by the driver.
    pub keep_alive: Option<Duration>,
    /// How long a peer that was asked may stay silent before the session ends. Default 60 seconds: a slow line may
    /// have that much in its buffers before the question. While output waits, `write_stall` counts instead. Checked
    /// by the driver.
    pub dead_peer: Duration,
    /// Bytes of calls in the waiting line of a caller that outruns its peer. Default 64 MiB. As many bytes of calls may
    /// be on their way in pieces.
    pub line_bytes: usize,
    /// Calls that wait in line or for their answer. Default 65,536.
    pub calls_in_flight: usize,
    /// Bytes of settled results that nobody has read. Default 64 MiB.
    pub unread_result_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            frame_bytes: 32 * MIB,
            window_bytes: 64 * MIB,
            path_steps: LOCAL_PATH_STEPS,
            caps_per_message: 1024,
            exports: MIB,
            imports: MIB,
            running_calls: 4096,
            running_bytes: 256 * MIB,
            parked_bytes: 32 * MIB,
            parked_calls: 65_536,
            waiting_caps: MIB,
            answer_bytes: 64 * MIB,
            unsent_answer_bytes: 16 * MIB,
            unsent_answer_bytes_hard: 128 * MIB,
            write_stall: Duration::from_secs(30),
            handshake: Duration::from_secs(10),
            keep_alive: Some(Duration::from_secs(30)),
            dead_peer: Duration::from_secs(60),
            line_bytes: 64 * MIB,
            calls_in_flight: 65_536,
            unread_result_bytes: 64 * MIB,
        }
    }
}

/// The window that a caller may use before the peer's greeting has told the real one, in bytes.
pub(crate) const INITIAL_WINDOW: usize = 64 * 1024;
/// What a call costs of the window beside its length, in bytes: its entry in the callee's tables.
pub(crate) const CALL_COST: usize = 64;
/// The most that a capability or a promised argument takes of a message, in bytes: its tags, its id and a path.
pub(crate) const CAP_BOUND: usize = 210;
/// The longest text of an error that is sent, in bytes.
pub(crate) const TEXT_BOUND: usize = 16 * 1024;
/// Longest path of a pipelined call within this process, in steps: the default of [`Limits::path_steps`].
pub(crate) const LOCAL_PATH_STEPS: usize = 64;
/// Longest path that a promise is made for at all, in steps, so that a long chain of them costs no more than its
/// length. What lies deeper is a broken promise.
pub(crate) const PROMISED_PATH_STEPS: usize = 1024;
/// Promises that a promised stub may lead through within this process, each of them settled to the next.
pub(crate) const PROMISE_HOPS: usize = 64;
/// How often a call is sent on from a promise to what that has turned out to be. More is a circle.
pub(crate) const MAX_HOPS: u16 = 4096;
/// Calls that a peer may have made and not given up, whatever it is told: their answers are entries of a table. Errors
/// name it `kept_calls`.
pub(crate) const MAX_KEPT: usize = 1024 * 1024;
/// Calls go to the waiting line once this many bytes wait to be written.
pub(crate) const LINE_FROM: usize = 1024 * 1024;
/// The waiting line is served again below this many unwritten bytes.
pub(crate) const LINE_UNTIL: usize = 256 * 1024;
/// Release hooks that run at once in a process: a lost connection may release very many targets.
pub(crate) const RELEASE_HOOKS: usize = 64;
/// How long a release hook may take while others wait for their turn.
pub(crate) const RELEASE_PATIENCE: Duration = Duration::from_secs(30);
/// Frames handled in one turn of the driver before it tries to write and lets others run.
pub(crate) const TURN_FRAMES: usize = 1024;
/// Frames after which a turn asks whether it has taken long enough.
pub(crate) const TURN_CHECK: usize = 32;
/// Bytes of new output after which a turn of the driver ends.
pub(crate) const TURN_OUTPUT: usize = 64 * 1024;
/// Calls that are run in a row without the lock between them.
pub(crate) const BATCH_CALLS: usize = 32;
/// Bytes of answers that are committed at once, at the latest.
pub(crate) const BATCH_ANSWERS: usize = 16 * 1024;
/// Bodies of up to this many bytes go whole, with their message; longer ones go in pieces. Cut from 60 KiB
/// on, an echo of 64 KiB took a tenth more CPU, and what a small message waits for was no less than a piece before.
pub(crate) const WHOLE_UP_TO: usize = 128 * 1024;
/// The longest piece of a body, in bytes: what a small message may have to wait for. Every peer knows it.
pub(crate) const PIECE_BYTES: usize = 256 * 1024;
/// Bodies of which a peer may have sent some pieces and not all, at a time. Every peer knows it.
pub(crate) const BODIES_BEGUN: usize = 64;
/// Calls from this many bytes on count as [`Limits::running_bytes`]: of smaller ones, [`Limits::running_calls`] is
/// bound enough.
pub(crate) const RUNNING_FROM: usize = 4 * 1024;
/// Memory that a frame is given before any of it has come, in bytes. It grows with what comes, to four times that: a
/// length field is a promise of the peer.
pub(crate) const FRAME_FROM: usize = 256 * 1024;
/// The same for a body that comes in pieces, once its first one is there: more, so that most are not moved while they grow.
pub(crate) const BODY_FROM: usize = 8 * 1024 * 1024;
