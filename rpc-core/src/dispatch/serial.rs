//! Targets whose methods run one after another: first come, first served, no barging (R3d).

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::call::{OwnedArgs, ReplyTo};
use super::release::retire;
use super::table::{Run, Table};
use super::{Call, Found, MakeSink, Step, Target, cell, run_pending};
use crate::context::{CallContext, within};
use crate::error::{Error, ErrorKind};
use crate::interface::{Interface, MethodId};
use crate::local::Mailbox;
use crate::outcome::Reply;
use crate::sink::{Running, Sink, Token};
use crate::sync::{Mutex, MutexGuard, PoisonError};
use crate::waiting::Turn;

pub(super) struct SerialCell<T: Send + 'static> {
    state: Mutex<State<T>>,
    table: &'static Table<T>,
    mailbox: Mailbox,
}

struct State<T> {
    /// The object, unless a method has it.
    object: Option<Box<T>>,
    /// Boxed, because there are hardly ever any.
    waiting: Option<Box<VecDeque<Ticket>>>,
    /// Whether somebody runs what waits: the object may be put back, the rest is theirs to do. So a method that
    /// ends inside the loop that started it does not start another loop.
    pumping: bool,
    /// There once an asynchronous method was called, or a call had to wait.
    turn: Option<Arc<Turn>>,
}

impl<T> State<T> {
    fn nobody_waits(&self) -> bool {
        self.waiting.is_none()
    }

    fn next(&mut self) -> Option<Ticket> {
        let waiting = self.waiting.as_mut()?;
        let next = waiting.pop_front();
        if waiting.is_empty() {
            self.waiting = None;
        }
        next
    }
}

/// A call that waits its turn.
struct Ticket {
    found: Found,
    args: OwnedArgs,
    context: CallContext,
    sink: Sink,
    token: Arc<Token>,
}

impl<T: Send> SerialCell<T> {
    pub(super) fn new(value: T, table: &'static Table<T>) -> Self {
        let state = State { object: Some(Box::new(value)), waiting: None, pumping: false, turn: None };
        Self { state: Mutex::new(state), table, mailbox: Mailbox::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> Arc<Turn> {
        let known = self.lock().turn.clone();
        known.unwrap_or_else(|| {
            let turn = Turn::new((self.table.interface)().name);
            Arc::clone(self.lock().turn.get_or_insert(turn))
        })
    }

    /// Takes the object for a call that just came, unless it is another's turn.
    fn try_take(&self) -> Option<Box<T>> {
        let mut state = self.lock();
        if state.nobody_waits() { state.object.take() } else { None }
    }

    /// Puts the object back. It comes back if others wait for it.
    fn put_back(&self, object: Box<T>) -> Option<Box<T>> {
        let mut state = self.lock();
        if state.nobody_waits() {
            state.object = Some(object);
            return None;
        }
        Some(object)
    }
}

impl<T: Send + 'static> SerialCell<T> {
    /// See [`Target::retire`].
    fn give_up(self: Arc<Self>) {
        let Some(cell) = Arc::into_inner(self) else { return };
        let state = cell.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(object) = state.object {
            retire(object, cell.table);
        }
    }

    /// Puts the object back and runs what waits, until a method is not ready at once or nothing waits.
    fn go_on(self: &Arc<Self>, object: Box<T>) {
        let mut returned = Some(object);
        let mut ours = false;
        loop {
            let (object, ticket) = {
                let mut state = self.lock();
                if let Some(object) = returned.take() {
                    state.object = Some(object);
                }
                if state.pumping && !ours {
                    return;
                }
                state.pumping = state.object.is_some() && !state.nobody_waits();
                ours = true;
                if !state.pumping {
                    return;
                }
                match (state.object.take(), state.next()) {
                    (Some(object), Some(ticket)) => (object, ticket),
                    _ => return,
                }
            };
            returned = self.run_ticket(object, ticket);
        }
    }

    /// Runs one call that waited. The object comes back unless the method keeps it.
    fn run_ticket(self: &Arc<Self>, object: Box<T>, ticket: Ticket) -> Option<Box<T>> {
        let Ticket { found, mut args, context, sink, token } = ticket;
        if token.is_cancelled() {
            // Its sink tells whoever still asks; the turn passes on.
            return Some(object);
        }
        if let Some(error) = context.over(found.info.name) {
            sink.fail(error);
            return Some(object);
        }
        let typed = sink.typed_slot();
        let mut reply = Reply::from_pool();
        let to = match &typed {
            Some(slot) if matches!(args, OwnedArgs::Typed(_)) => ReplyTo::Typed(slot),
            _ => ReplyTo::Encode(&mut reply),
        };
        let mut call =
            Call { info: found.info, args: args.borrow(), reply: to, step: Step::Idle, context: &context };
        let object = within(&context, || self.run(object, found, &mut call, || Some(Arc::clone(self))));
        match call.step {
            Step::Holding(future, turn) => {
                turn.held_by(&token);
                run_pending(found.info, future, (sink, context), token, Some(turn));
            }
            Step::Pending(future) => run_pending(found.info, future, (sink, context), token, None),
            Step::Passed(promise) => promise.pass_result(sink, found.info),
            _ => {
                context.ended(&reply.status);
                sink.send(reply);
            }
        }
        object
    }

    /// Runs one call. The object comes back unless the method keeps it; `this` is the target itself.
    fn run(
        &self,
        mut object: Box<T>,
        found: Found,
        call: &mut Call<'_>,
        this: impl FnOnce() -> Option<Arc<Self>>,
    ) -> Option<Box<T>> {
        match self.table.method(found).map(|method| method.run) {
            Some(Run::Serial(run)) => {
                run(&mut object, call);
                Some(object)
            }
            Some(Run::SerialAsync(run)) => {
                run(Lease { cell: this(), object: Some(object) }, call);
                call.step = match std::mem::replace(&mut call.step, Step::Idle) {
                    Step::Pending(future) => Step::Holding(future, self.turn()),
                    step => step,
                };
                None
            }
            _ => {
                call.fail(Error::new(
                    ErrorKind::Internal,
                    "a method for a shared target in the table of another",
                ));
                call.step = Step::Done;
                Some(object)
            }
        }
    }
}

/// The loan of a target to one of its asynchronous methods, to the exclusion of all others. When it is dropped,
/// also because the call was cancelled, the next call has its turn.
pub struct Lease<T: Send + 'static> {
    /// Both are there until the loan is dropped.
    cell: Option<Arc<SerialCell<T>>>,
    object: Option<Box<T>>,
}

impl<T: Send + 'static> std::fmt::Debug for Lease<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lease")
    }
}

impl<T: Send + 'static> Deref for Lease<T> {
    type Target = T;

    #[expect(clippy::expect_used, reason = "only `drop` takes the object")]
    fn deref(&self) -> &T {
        self.object.as_ref().expect("the object is there until the loan ends")
    }
}

impl<T: Send + 'static> DerefMut for Lease<T> {
    #[expect(clippy::expect_used, reason = "only `drop` takes the object")]
    fn deref_mut(&mut self) -> &mut T {
        self.object.as_mut().expect("the object is there until the loan ends")
    }
}

impl<T: Send + 'static> Drop for Lease<T> {
    fn drop(&mut self) {
        let (Some(cell), Some(object)) = (self.cell.take(), self.object.take()) else { return };
        let turn = cell.lock().turn.clone();
        if let Some(turn) = turn {
            turn.passed_on();
        }
        cell.go_on(object);
        // Where nothing else keeps the target, it is dropped later, as ever, and not inside the method.
        cell.give_up();
    }
}

impl<T: Send + 'static> Target for SerialCell<T> {
    fn interface(&self) -> &'static Interface {
        (self.table.interface)()
    }

    fn find(&self, id: MethodId) -> Result<Found, Error> {
        self.table.find(id)
    }

    fn locate(&self, interface: &'static Interface, index: usize, id: MethodId) -> Result<Found, Error> {
        self.table.locate(interface, index, id)
    }

    fn deliver(&self, this: &Arc<dyn Target>, found: Found, call: &mut Call<'_>, sink: &mut MakeSink<'_>) {
        if let Some(object) = self.try_take() {
            if let Some(object) = self.run(object, found, call, || cell(this))
                && let Some(object) = self.put_back(object)
                && let Some(this) = cell::<Self>(this)
            {
                this.go_on(object);
            }
            return;
        }
        let args = call.take_owned();
        let context = call.context.clone();
        let sink = sink();
        let token = Arc::new(Token::default());
        let turn = self.turn();
        if let Some(peer) = sink.peer() {
            turn.queued(&peer, found.info.name);
        }
        sink.set_running(Running::Queued(Arc::clone(&token), Arc::clone(&turn)));
        let free = {
            let mut state = self.lock();
            state.waiting.get_or_insert_default().push_back(Ticket { found, args, context, sink, token });
            // Whoever had the object may have put it back meanwhile.
            state.object.take()
        };
        if let Some(object) = free
            && let Some(this) = cell::<Self>(this)
        {
            this.go_on(object);
        }
        turn.look_again();
        call.step = Step::Queued;
    }

    fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    fn retire(self: Arc<Self>) {
        self.give_up();
    }
}
