//! Connections and targets used by several threads at once, in many of the orders in which those may run: a test
//! framework decides at every lock and every atomic who goes on, and says so when all wait for ever. CONTRIBUTING.md
//! says how these run.

use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::BufMut;
use shuttle::future::{block_on, yield_now};
use shuttle::sync::Mutex;
use shuttle::thread::{self, JoinHandle};

use crate::connection::{Connection, Input, Turned};
use crate::error::{Error, ErrorKind};
use crate::function::RpcFn;
use crate::limits::Limits;
use crate::promise::Promise;
use crate::stub::Stub;
use crate::wire::Segment;

type Function = RpcFn<fn(u64) -> u64>;
type Maker = RpcFn<fn() -> Function>;

/// Tries orders that are drawn at random, and such as change hands at few moments and the worst.
fn in_many_orders(body: fn()) {
    in_fair_orders(body);
    shuttle::check_pct(body, 200, 3);
}

/// Tries orders in which everybody has a turn at times: the task of a mailbox waits for one who runs calls by asking
/// again.
fn in_fair_orders(body: fn()) {
    let _ = crate::spawn::set_spawner(|work| drop(shuttle::future::spawn(work)));
    shuttle::check_random(body, 500);
}

/// One direction of a link.
#[derive(Default)]
struct Wire {
    bytes: Vec<u8>,
    closed: bool,
    reader: Option<Waker>,
}

type SharedWire = Arc<Mutex<Wire>>;

fn change(wire: &SharedWire, change: impl FnOnce(&mut Wire)) {
    let mut locked = wire.lock().unwrap();
    change(&mut locked);
    let reader = locked.reader.take();
    drop(locked);
    reader.into_iter().for_each(Waker::wake);
}

/// Drives one end, as the driver of a transport does.
struct Pump {
    connection: Connection,
    input: Input,
    incoming: SharedWire,
    outgoing: SharedWire,
    connecting: bool,
    closing: bool,
    lingering: bool,
    turned: Turned,
}

impl Pump {
    fn new(connection: &Connection, incoming: &SharedWire, outgoing: &SharedWire, connecting: bool) -> Self {
        Self {
            connection: connection.clone(),
            input: Input::default(),
            incoming: Arc::clone(incoming),
            outgoing: Arc::clone(outgoing),
            connecting,
            closing: false,
            lingering: false,
            turned: Turned::NeedInput,
        }
    }

    /// `Some(false)`: there is no more. `None`: there is nothing now.
    fn read(&mut self, cx: &Context<'_>) -> Option<bool> {
        if self.lingering {
            return None;
        }
        let mut wire = self.incoming.lock().unwrap();
        if wire.bytes.is_empty() {
            if !wire.closed {
                wire.reader = Some(cx.waker().clone());
            }
            return wire.closed.then_some(false);
        }
        let mut space = self.input.space();
        let bytes = wire.bytes.len().min(space.remaining_mut());
        space.put_slice(&wire.bytes[..bytes]);
        wire.bytes.drain(..bytes);
        drop(wire);
        self.input.read(bytes);
        Some(true)
    }

    fn write(&self) {
        let mut segment = Segment::default();
        while self.connection.take_output(&mut segment) {
            change(&self.outgoing, |wire| wire.bytes.extend_from_slice(segment.bytes()));
            segment.clear();
        }
    }
}

impl Future for Pump {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            let read = if this.turned == Turned::NeedInput { this.read(cx) } else { Some(true) };
            match read {
                Some(true) => this.turned = this.connection.turn(&mut this.input, || false),
                Some(false) => {
                    if !this.connection.input_ended() {
                        return Poll::Ready(());
                    }
                    this.lingering = true;
                    continue;
                }
                None => {}
            }
            if !this.lingering {
                this.write();
            }
            if this.turned == Turned::Ended || this.connection.ended().is_some() {
                return Poll::Ready(());
            }
            if this.turned == Turned::Yield {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if read.is_none() {
                if !this.lingering && (this.closing || this.connection.may_close(this.connecting)) {
                    this.closing = true;
                    change(&this.outgoing, |wire| wire.closed = true);
                }
                if !this.connection.sleep(cx.waker(), this.lingering) {
                    return Poll::Pending;
                }
                this.turned = this.connection.turn(&mut this.input, || false);
            }
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.connection.transport_ended(None);
        change(&self.outgoing, |wire| wire.closed = true);
    }
}

/// A link with a thread at each end.
struct Link {
    connections: [Connection; 2],
    pumps: [JoinHandle<()>; 2],
    wires: [SharedWire; 2],
}

/// Serves a function to another side, which gets a stub of it.
fn serve<S: Stub>(main: S) -> (S, Link) {
    let main = (main.into_handle(), S::interface());
    let connections =
        [Connection::new(Limits::default(), None), Connection::new(Limits::default(), Some(main))];
    // Made before its driver runs: a connection that is not used closes itself.
    let stub = S::from_handle(connections[0].main());
    let wires = [SharedWire::default(), SharedWire::default()];
    let pumps = [0, 1].map(|end| {
        let pump = Pump::new(&connections[end], &wires[1 - end], &wires[end], end == 0);
        thread::spawn(move || block_on(pump))
    });
    (stub, Link { connections, pumps, wires })
}

impl Link {
    /// Both drivers end by themselves: nothing is held any more, or the session is over. Then nothing is left.
    fn ends(self) {
        for pump in self.pumps {
            pump.join().unwrap();
        }
        for connection in self.connections {
            assert!(connection.ended().is_some());
            assert_eq!(connection.table_sizes(), (0, 0));
        }
    }
}

fn increment() -> Function {
    RpcFn::new(|n: u64| n + 1)
}

/// A function that takes its time.
fn slow() -> Function {
    RpcFn::new_async(|n: u64| async move {
        yield_now().await;
        n + 1
    })
}

fn is_lost(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Disconnected | ErrorKind::ShuttingDown)
}

#[test]
fn calls_of_two_threads_all_end() {
    in_many_orders(|| {
        let (stub, link) = serve(increment());
        let other = stub.clone();
        let thread = thread::spawn(move || {
            let (a, b) = (other.call(1), other.call(2));
            drop(other);
            assert_eq!(block_on(b.into_future()).unwrap(), 3);
            assert_eq!(block_on(a.into_future()).unwrap(), 2);
        });
        assert_eq!(block_on(stub.call(3).into_future()).unwrap(), 4);
        drop(stub);
        thread.join().unwrap();
        link.ends();
    });
}

#[test]
fn promise_that_moves_between_tasks_wakes_the_last() {
    in_many_orders(|| {
        let (stub, link) = serve(slow());
        let mut future = stub.call(1).into_future();
        drop(stub);
        // Polled once here, and then awaited elsewhere.
        let first = block_on(poll_fn(|cx| Poll::Ready(Pin::new(&mut future).poll(cx))));
        let result = match first {
            Poll::Ready(result) => result,
            Poll::Pending => thread::spawn(move || block_on(future)).join().unwrap(),
        };
        assert_eq!(result.unwrap(), 2);
        link.ends();
    });
}

#[test]
fn calls_through_a_promise_keep_their_order_while_it_settles() {
    in_many_orders(|| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let maker: Maker = RpcFn::new(move || {
            let log = Arc::clone(&log);
            Function::new(move |n: u64| {
                log.lock().unwrap().push(n);
                n
            })
        });
        let (stub, link) = serve(maker);
        let promise = stub.call();
        drop(stub);
        let kept = (*promise).clone();
        let awaiting = thread::spawn(move || block_on(promise.into_future()).unwrap());
        let calls = [kept.call(1), kept.call(2), kept.call(3)];
        drop(kept);
        drop(awaiting.join().unwrap());
        for call in calls {
            block_on(call.into_future()).unwrap();
        }
        assert_eq!(*seen.lock().unwrap(), [1, 2, 3]);
        link.ends();
    });
}

#[test]
fn calls_end_when_the_link_is_left() {
    in_many_orders(|| {
        let (stub, link) = serve(slow());
        let leaving = link.connections[1].clone();
        let thread = thread::spawn(move || leaving.shutdown());
        match block_on(stub.call(1).into_future()) {
            Ok(result) => assert_eq!(result, 2),
            Err(error) => assert!(is_lost(&error), "{error}"),
        }
        drop(stub);
        thread.join().unwrap();
        link.ends();
    });
}

#[test]
fn calls_end_when_the_driver_is_lost() {
    in_many_orders(|| {
        let (stub, link) = serve(slow());
        let (lost, wire) = (link.connections[0].clone(), Arc::clone(&link.wires[0]));
        let thread = thread::spawn(move || {
            lost.transport_ended(None);
            change(&wire, |wire| wire.closed = true);
        });
        let calls = [stub.call(1), stub.call(2)];
        for (call, result) in calls.into_iter().zip([2, 3]) {
            match block_on(call.into_future()) {
                Ok(found) => assert_eq!(found, result),
                Err(error) => assert!(is_lost(&error), "{error}"),
            }
        }
        let reason = block_on(stub.closed());
        assert!(is_lost(reason.error()), "{reason}");
        drop(stub);
        thread.join().unwrap();
        link.ends();
    });
}

#[test]
fn slots_that_are_used_again_are_not_mixed_up() {
    in_many_orders(|| {
        let (stub, link) = serve(slow());
        let other = stub.clone();
        let thread = thread::spawn(move || {
            // Cancelled before, while, or after they run; their slots are free for the other thread.
            drop(other.call(100));
            Promise::detach(other.call(200));
            drop(other.call(300).into_future());
        });
        for n in 1..4 {
            assert_eq!(block_on(stub.call(n).into_future()).unwrap(), n + 1);
        }
        drop(stub);
        thread.join().unwrap();
        link.ends();
    });
}

#[test]
fn mailbox_is_run_by_one_at_a_time_and_to_the_end() {
    in_fair_orders(|| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let function = Function::new(move |n: u64| {
            log.lock().unwrap().push(n);
            n
        });
        let other = function.clone();
        let thread = thread::spawn(move || {
            // One that nobody awaits, one that is awaited.
            Promise::detach(other.call(10));
            assert_eq!(block_on(other.call(11).into_future()).unwrap(), 11);
        });
        let (first, second) = (function.call(1), function.call(2));
        assert_eq!(block_on(second.into_future()).unwrap(), 2);
        assert_eq!(block_on(first.into_future()).unwrap(), 1);
        thread.join().unwrap();
        let seen = seen.lock().unwrap();
        let of = |caller: u64| seen.iter().copied().filter(|n| n / 10 == caller).collect::<Vec<_>>();
        assert_eq!((of(0), of(1)), (vec![1, 2], vec![10, 11]));
    });
}

#[test]
fn call_that_is_cancelled_in_process_lets_the_others_go_on() {
    in_fair_orders(|| {
        let function = slow();
        let other = function.clone();
        let thread = thread::spawn(move || {
            drop(other.call(1));
            drop(other.call(2).into_future());
        });
        assert_eq!(block_on(function.call(3).into_future()).unwrap(), 4);
        thread.join().unwrap();
    });
}

#[test]
fn promised_function_of_this_process_serves_all_who_wait() {
    in_fair_orders(|| {
        let maker: Maker = RpcFn::new_async(|| async {
            yield_now().await;
            increment()
        });
        let promise = maker.call();
        let (one, other) = ((*promise).clone(), (*promise).clone());
        let thread = thread::spawn(move || assert_eq!(block_on(one.call(1).into_future()).unwrap(), 2));
        let call = other.call(2);
        drop(other);
        assert_eq!(block_on(block_on(promise.into_future()).unwrap().call(3).into_future()).unwrap(), 4);
        assert_eq!(block_on(call.into_future()).unwrap(), 3);
        thread.join().unwrap();
    });
}
