//! What a gate keeps books of, and for how long.

use std::future::IntoFuture;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use super::Gate;
use crate::error::{Error, ErrorKind};
use crate::function::RpcFn;
use crate::promise::Promise;
use crate::stub::Stub;

type Number = RpcFn<fn(i64) -> i64>;
type Maker = RpcFn<fn(Number) -> Number>;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn wait<T>(future: impl IntoFuture<Output = T>) -> T {
    let mut future = pin!(future.into_future());
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        std::thread::park();
    }
}

fn through<S: Stub>(gate: &Arc<Gate>, stub: &S) -> S {
    S::from_handle(gate.wrap(stub.handle().clone(), S::interface()))
}

#[test]
fn a_gate_forgets_what_is_gone() {
    for membrane in [false, true] {
        let gate = Gate::new(membrane);
        let echo: Maker = RpcFn::new(|function: Number| function);
        let lent = through(&gate, &echo);
        assert_eq!(gate.counts(), (1, 0, 1));
        for _ in 0..100 {
            let mine: Number = RpcFn::new(|n: i64| n + 1);
            let back = wait(lent.call(&mine)).unwrap();
            assert!(back.same_target(&mine));
            assert_eq!(wait(lent.call(&mine).call(1)).unwrap(), 2);
            drop(lent.call(mine));
        }
        // A call that was cancelled may take a moment to be given up by the thread that runs it.
        while gate.counts() != (1, 0, 1) {
            std::thread::yield_now();
        }
        drop(lent);
        assert_eq!(gate.counts(), (0, 0, 0));
    }
}

#[test]
fn a_revoked_gate_holds_nothing_and_lets_nothing_in() {
    let gate = Gate::new(true);
    let captured = Arc::new(());
    let inside = Arc::clone(&captured);
    let number: Number = RpcFn::new(move |n: i64| {
        let _ = &inside;
        n
    });
    let (lent, same) = (through(&gate, &number), through(&gate, &number));
    assert!(lent.same_target(&same));
    drop(number);
    let unread = lent.call(1);
    assert!(gate.revoke(Error::new(ErrorKind::Disposed, "it is over")));
    assert_eq!(gate.counts(), (0, 0, 0));
    while Arc::strong_count(&captured) > 1 {
        std::thread::yield_now();
    }
    assert_eq!(wait(unread).unwrap_err().message(), "it is over");
    let late = through(&gate, &RpcFn::new(|n: i64| n) as &Number);
    assert!(!wait(late.call(1)).unwrap_err().may_have_run());
    Promise::detach(lent.call(1));
    assert_eq!(gate.counts(), (0, 0, 0));
}
