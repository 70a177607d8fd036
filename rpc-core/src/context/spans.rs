//! The `tracing` span of a method that runs. It is a part of the context, so whatever enters that enters the span.

use tracing::{Level, Span, field};

use super::CallContext;
use crate::interface::MethodInfo;
use crate::outcome::Status;

/// Under which target the spans are.
const TARGET: &str = "farcall::call";

/// Whether anybody wants the spans of methods that run.
#[inline]
pub(crate) fn is_traced() -> bool {
    tracing::enabled!(target: TARGET, Level::INFO)
}

impl CallContext {
    /// The same with the span of a method that is about to run: `interface`, `method`, the `bytes` of its arguments
    /// that came over a wire, the `depth` of the call, the trace that it is `traced` as, and in the end its `outcome`.
    #[cold]
    pub(crate) fn traced(&self, interface: &'static str, info: &MethodInfo, bytes: usize) -> Self {
        let span = tracing::info_span!(
            target: TARGET,
            "call",
            interface,
            method = info.name,
            bytes,
            depth = self.depth,
            traced = field::Empty,
            outcome = field::Empty,
        );
        if let Some(trace) = self.trace() {
            span.record("traced", field::display(trace));
        }
        self.clone().change(|inner| inner.span = Some(span))
    }

    pub(super) fn span(&self) -> Option<&Span> {
        self.inner.as_ref()?.span.as_ref()
    }

    /// The method has ended so.
    #[inline]
    pub(crate) fn ended(&self, status: &Status) {
        if let Some(span) = self.span() {
            record(span, status);
        }
    }

    /// Nobody waits for the method any more.
    pub(crate) fn cancelled(&self) {
        if let Some(span) = self.span() {
            span.record("outcome", "cancelled");
        }
    }
}

/// The span of a call over a connection at its caller, from when it is made to when its answer is there.
pub(crate) struct CallSpan(Option<Span>);

impl CallSpan {
    /// It begins.
    pub(crate) fn new(interface: &'static str, method: &'static str, connection: u64) -> Self {
        let span = tracing::info_span!(
            target: TARGET,
            "request",
            interface,
            method,
            connection,
            outcome = field::Empty
        );
        Self(Some(span))
    }

    /// It ends so.
    pub(crate) fn ended(mut self, outcome: &str) {
        if let Some(span) = self.0.take() {
            span.record("outcome", outcome);
        }
    }
}

/// Nobody waited for the answer.
impl Drop for CallSpan {
    fn drop(&mut self) {
        if let Some(span) = self.0.take() {
            span.record("outcome", "given up");
        }
    }
}

#[cold]
fn record(span: &Span, status: &Status) {
    match status {
        // It was told when it was handed over.
        Status::Delivered => {}
        Status::Value => said(span, "value"),
        Status::User(text) => user_error(span, text),
        Status::Failed(error) => said(span, error.kind().word()),
        Status::Passed(_) => said(span, "passed on"),
    }
}

fn said(span: &Span, outcome: &str) {
    span.record("outcome", outcome);
}

fn user_error(span: &Span, text: &str) {
    span.record("outcome", field::display(format_args!("error: {text}")));
}

/// The method that runs here has handed its result over as it is: a value, or its own error, in words.
pub(crate) fn handed_over(error: Option<&str>) {
    let context = CallContext::current();
    match (context.span(), error) {
        (Some(span), Some(text)) => user_error(span, text),
        (Some(span), None) => said(span, "value"),
        (None, _) => {}
    }
}
