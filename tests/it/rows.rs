//! Many small calls that come in one after another, as a peer with much under way sends them: they are run and
//! answered in their order, whatever comes of each.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};

use farcall::prelude::*;
use farcall::{Bytes, Connection, Error, ErrorKind, Fault, Limits};
use tokio::sync::Semaphore;

use crate::kit::raw::{Call, FORGET, Got, SEND, Stage, method, release};
use crate::kit::{Transport, behaviours, until};

struct Row {
    runs: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
    connection: Arc<OnceLock<Connection>>,
}

#[rpc_target]
impl Row {
    pub fn next(&self) -> u64 {
        self.runs.fetch_add(1, SeqCst) as u64
    }

    pub async fn soon(&self) -> u64 {
        self.next()
    }

    pub async fn later(&self) -> u64 {
        let run = self.next();
        self.gate.acquire().await.unwrap().forget();
        run
    }

    pub fn refuse(&self) -> Result<u64, Fault> {
        Err(Fault::new(std::io::Error::other(format!("no {}", self.next()))))
    }

    pub fn fall_over(&self) -> u64 {
        panic!("at {}", self.next());
    }

    pub fn text(&self, length: u32) -> String {
        self.next();
        "x".repeat(length as usize)
    }

    pub fn bytes(&self, length: u32) -> Bytes {
        self.next();
        vec![7; length as usize].into()
    }

    pub fn row(&self) -> Self {
        Self {
            runs: Arc::clone(&self.runs),
            gate: Arc::clone(&self.gate),
            connection: Arc::clone(&self.connection),
        }
    }

    pub fn close(&self) {
        self.next();
        let connection = self.connection.get().unwrap();
        connection.close(Error::new(ErrorKind::Disconnected, "that is enough"));
    }
}

impl Row {
    fn new() -> Self {
        let gate = Arc::new(Semaphore::new(0));
        Self { runs: Arc::default(), gate, connection: Arc::default() }
    }
}

/// A call whose answer nobody will refer to.
fn once(name: &str, body: &[u8]) -> Call {
    Call { flags: SEND | FORGET, ..Call::of(method::<RowStub>(name), body) }
}

fn frames(calls: &[Call]) -> Vec<u8> {
    calls.iter().flat_map(Call::frame).collect()
}

fn answered(got: &Got) -> (i64, &[u8]) {
    let Got::Answer { id, body, .. } = got else { panic!("{got:?}") };
    (*id, body)
}

behaviours! { wire
    async fn calls_in_a_row_are_answered_in_their_order(transport: Transport) {
        let mut raw = Stage::new(transport, Row::new()).raw().await;
        let unknown = Call { method: crate::kit::raw::disguised("none", 0), ..once("next", &[]) };
        let kept = Call { flags: SEND, ..once("next", &[]) };
        // 9,000, 20,000 and 300 as numbers.
        let long: &[&[u8]] = &[&[0xa8, 0x46], &[0xa0, 0x9c, 1], &[0xac, 2]];
        let calls = [
            once("next", &[]),
            once("refuse", &[]),
            once("soon", &[]),
            unknown,
            once("fall_over", &[]),
            kept,
            once("text", long[0]),
            once("bytes", long[1]),
            once("bytes", long[2]),
            // Something is left over behind its arguments.
            once("next", &[1]),
            once("next", &[]),
        ];
        raw.send(&frames(&calls)).await;
        assert_eq!(answered(&raw.reply().await), (1, &[0][..]));
        assert!(matches!(raw.reply().await, Got::Answer { id: 2, user: true, .. }));
        assert_eq!(answered(&raw.reply().await), (3, &[2][..]));
        assert!(matches!(raw.reply().await, Got::Reject { id: 4, may_have_run: false, .. }));
        let Got::Reject { id: 5, text, .. } = raw.reply().await else { panic!("a panic is a failure") };
        assert!(text.contains("at 3"), "{text}");
        assert_eq!(answered(&raw.reply().await), (6, &[4][..]));
        for (id, length) in [(7, 9_000 + 2), (8, 20_000 + 3), (9, 300 + 2)] {
            let got = raw.reply().await;
            let (of, body) = answered(&got);
            assert_eq!((of, body.len()), (id, length));
        }
        assert!(matches!(raw.reply().await, Got::Reject { id: 10, may_have_run: false, .. }));
        assert_eq!(answered(&raw.reply().await), (11, &[8][..]));
        raw.send(&crate::kit::raw::finish(6, false)).await;
        until(|| raw.server.table_sizes() == (0, 0)).await;
    }

    async fn call_that_is_not_ready_holds_up_no_other_of_its_row(transport: Transport) {
        let row = Row::new();
        let gate = Arc::clone(&row.gate);
        let mut raw = Stage::new(transport, row).raw().await;
        raw.send(&frames(&[once("next", &[]), once("later", &[]), once("next", &[])])).await;
        assert_eq!(answered(&raw.reply().await), (1, &[0][..]));
        assert_eq!(answered(&raw.reply().await), (3, &[2][..]));
        gate.add_permits(1);
        assert_eq!(answered(&raw.reply().await), (2, &[1][..]));
    }

    async fn row_stops_where_its_connection_ends(transport: Transport) {
        let row = Row::new();
        let (runs, connection) = (Arc::clone(&row.runs), Arc::clone(&row.connection));
        let stage = Stage::new(transport, row);
        let mut raw = stage.raw().await;
        assert!(connection.set(raw.server.clone()).is_ok());
        let calls: Vec<Call> =
            ["next", "close", "next", "next"].iter().map(|name| once(name, &[])).collect();
        raw.send(&frames(&calls)).await;
        while raw.next().await.is_some() {}
        assert_eq!(runs.load(SeqCst), 2);
    }

    async fn row_waits_where_answers_are_not_read(transport: Transport) {
        let mut limits = Limits::default();
        limits.unsent_answer_bytes = 100_000;
        let row = Row::new();
        let runs = Arc::clone(&row.runs);
        let mut raw = Stage::with(transport, limits, row).raw().await;
        // 65,536 bytes each.
        let calls = vec![once("bytes", &[0x80, 0x80, 4]); 200];
        raw.send(&frames(&calls)).await;
        until(|| runs.load(SeqCst) > 0).await;
        for id in 1..=200 {
            let got = raw.reply().await;
            assert_eq!(answered(&got).0, id);
            // A socket holds as much as its system likes beside them, the pipe in memory 64 KiB.
            let ahead = runs.load(SeqCst) as i64 - id;
            let most = if transport == Transport::Duplex { 5 } else { 150 };
            assert!(ahead <= most, "{ahead} answers wait");
        }
    }

    async fn row_starts_no_more_than_may_run(transport: Transport) {
        let mut limits = Limits::default();
        limits.running_calls = 3;
        let row = Row::new();
        let (runs, gate) = (Arc::clone(&row.runs), Arc::clone(&row.gate));
        let mut raw = Stage::with(transport, limits, row).raw().await;
        raw.send(&frames(&vec![once("later", &[]); 20])).await;
        until(|| runs.load(SeqCst) == 3).await;
        for done in 1..=17 {
            gate.add_permits(1);
            raw.reply().await;
            until(|| runs.load(SeqCst) == 3 + done).await;
        }
        gate.add_permits(3);
        for _ in 0..3 {
            raw.reply().await;
        }
        assert_eq!(runs.load(SeqCst), 20);
    }

    async fn target_that_is_released_in_a_row_serves_the_calls_before(transport: Transport) {
        let mut raw = Stage::new(transport, Row::new()).raw().await;
        let made = raw.call(&Call { flags: SEND, ..once("row", &[]) }).await;
        assert!(matches!(made, Got::Answer { id: 1, .. }), "{made:?}");
        let on_it = || once("next", &[]).on(-1, &[]);
        let bytes = [
            frames(&[on_it(), once("next", &[]), on_it()]),
            crate::kit::raw::finish(1, false),
            release(-1, 1),
            frames(&[once("next", &[])]),
        ];
        raw.send(&bytes.concat()).await;
        for (id, run) in [(2, 0), (3, 1), (4, 2), (5, 3)] {
            assert_eq!(answered(&raw.reply().await), (id, &[run][..]));
        }
        until(|| raw.server.table_sizes() == (0, 0)).await;
    }
}
