//! Which spans there were.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// One span.
#[derive(Clone, Debug, Default)]
pub struct Span {
    pub name: String,
    pub fields: BTreeMap<String, String>,
    /// The span above it.
    pub above: Option<usize>,
    pub closed: bool,
    held: usize,
}

/// Keeps all spans.
#[derive(Clone, Default)]
pub struct Spans(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    spans: Vec<Span>,
    entered: Vec<usize>,
    events: Vec<Option<usize>>,
}

impl Visit for Span {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name().to_owned(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

impl Spans {
    /// All, in the order in which they began.
    pub fn all(&self) -> Vec<Span> {
        self.0.lock().unwrap().spans.clone()
    }

    /// The one of a method, at its callee (`call`) or its caller (`request`).
    pub fn of(&self, name: &str, method: &str) -> (usize, Span) {
        let is_it = |(_, span): &(usize, Span)| span.name == name && span.field("method") == method;
        let all = self.all();
        let found = all.iter().cloned().enumerate().find(is_it);
        found.unwrap_or_else(|| panic!("there is no span {name} of {method} in {all:#?}"))
    }

    /// In which spans something was logged.
    pub fn events(&self) -> Vec<Option<usize>> {
        self.0.lock().unwrap().events.clone()
    }
}

impl Span {
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

fn place(id: &Id) -> usize {
    id.into_u64() as usize - 1
}

impl Subscriber for Spans {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut state = self.0.lock().unwrap();
        let above = state.entered.last().copied();
        let name = attributes.metadata().name().to_owned();
        let mut span = Span { name, above, held: 1, ..Span::default() };
        attributes.record(&mut span);
        state.spans.push(span);
        Id::from_u64(state.spans.len() as u64)
    }

    fn record(&self, id: &Id, record: &Record<'_>) {
        record.record(&mut self.0.lock().unwrap().spans[place(id)]);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut state = self.0.lock().unwrap();
        let within = state.entered.last().copied();
        // What the library logs itself is not of interest here.
        if !event.metadata().target().starts_with("farcall") {
            state.events.push(within);
        }
    }

    fn enter(&self, id: &Id) {
        self.0.lock().unwrap().entered.push(place(id));
    }

    fn exit(&self, id: &Id) {
        let mut state = self.0.lock().unwrap();
        let last = state.entered.iter().rposition(|entered| *entered == place(id));
        last.map(|last| state.entered.remove(last));
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.0.lock().unwrap().spans[place(id)].held += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut state = self.0.lock().unwrap();
        let span = &mut state.spans[place(&id)];
        span.held -= 1;
        span.closed = span.held == 0;
        span.closed
    }
}
