//! What must hold: after every step, at rest, when all calls have ended, when all handles are gone.

use farcall::Connection;

use crate::executor;
use crate::run::Run;
use crate::world::{Fate, Probe, World, with};

fn wrong(text: impl Into<String>) {
    with(|world| world.mistake(text.into()));
}

/// After every step: the books of every session are right and within its limits, and no session has ended by itself.
pub fn after_step(run: &Run) {
    for (number, link) in run.links.iter().enumerate() {
        for (end, connection) in link.connections.iter().enumerate() {
            connection.check_books();
            if link.whole
                && let Some(reason) = connection.ended()
            {
                wrong(format!("link {number}, end {end} ended: {reason}"));
            }
        }
    }
}

/// When the network is empty: what one side has introduced is what the other holds, and nobody sleeps on work.
pub fn at_rest(run: &Run) {
    for (number, link) in run.links.iter().enumerate().filter(|(_, link)| link.whole) {
        let books = link.connections.each_ref().map(Connection::books);
        let mut empty = true;
        for wire in &link.wires {
            empty &= wire.lock().unwrap().is_empty();
        }
        if !empty {
            wrong(format!("link {number}: the network is at rest and not empty"));
        }
        for (end, (one, other)) in [(&books[0], &books[1]), (&books[1], &books[0])].into_iter().enumerate() {
            if one.exports != other.imports {
                let (exports, imports) = (&one.exports, &other.imports);
                wrong(format!(
                    "link {number}, end {end} has introduced {exports:?}; the other holds {imports:?}"
                ));
            }
            if one.answers != other.calls {
                let (answers, calls) = (&one.answers, &other.calls);
                wrong(format!(
                    "link {number}, end {end} keeps the answers {answers:?}; the other holds {calls:?}"
                ));
            }
            if one.unwritten > 0 || one.undelivered > 0 {
                wrong(format!("link {number}, end {end}: its driver sleeps, and should not: {one:?}"));
            }
        }
    }
}

/// When every method has gone on: every call that was awaited has ended, and what that says is true.
pub fn when_settled() {
    with(|world| {
        let calm = !world.faults.any();
        for id in 0..world.calls.len() {
            check_call(world, id, calm);
        }
    });
}

fn check_call(world: &mut World, id: usize, calm: bool) {
    let call = &world.calls[id];
    let (runs, fate, method) = (call.runs, call.fate, call.method);
    let text = match &call.outcome {
        Some(Ok(())) if runs != 1 => "has a result and did not run".to_owned(),
        Some(Err(failure)) if runs > 0 && !failure.may_have_run => {
            format!("ran, and said that it did not: {}", failure.text)
        }
        None if fate == Fate::Awaited => "was awaited and did not end".to_owned(),
        None if fate != Fate::Gone && calm && runs != 1 => format!("is {fate:?} and did not run"),
        _ => return,
    };
    world.mistake(format!("call {id} ({method}) {text}"));
}

/// When every stub and promise is gone but those of main objects: nothing is held on either side.
pub fn when_dropped(run: &Run) {
    for (number, link) in run.links.iter().enumerate() {
        for (end, connection) in link.connections.iter().enumerate() {
            let (exports, imports) = connection.table_sizes();
            if exports > 0 || imports > 1 {
                let books = connection.books();
                wrong(format!("link {number}, end {end}: entries are left: {books:?}"));
            }
        }
    }
    let alive = Probe::alive();
    if alive != run.vats() {
        wrong(format!("{alive} targets are alive; only {} should be", run.vats()));
    }
}

/// When the last handles are gone as well: every link has closed, every target was dropped, every task has ended.
pub fn when_closed(run: &Run) {
    for (number, link) in run.links.iter().enumerate() {
        for (end, connection) in link.connections.iter().enumerate() {
            connection.check_empty();
            if connection.table_sizes() != (0, 0) {
                wrong(format!("link {number}, end {end}: its tables are not empty"));
            }
            if connection.ended().is_none() {
                let books = connection.books();
                wrong(format!("link {number}, end {end} has not closed: {books:?}"));
            }
        }
    }
    if Probe::alive() > 0 {
        wrong(format!("{} targets were never dropped", Probe::alive()));
    }
    for task in executor::unfinished() {
        wrong(format!("a task has not ended: {task}"));
    }
}
