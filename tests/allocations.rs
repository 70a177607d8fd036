//! What a small call allocates on each side, counted exactly: nothing at the caller, at most one thing at the callee.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a test")]

use std::net::TcpListener;

use farcall::prelude::*;
use farcall::{Endpoint, main_stub};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

pub struct Arithmetic;

#[rpc_target]
impl Arithmetic {
    pub fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }

    pub async fn add_async(&self, a: i64, b: i64) -> i64 {
        a + b
    }
}

#[derive(Clone, Copy)]
enum Method {
    Sync,
    Async,
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn nodelay(stream: std::net::TcpStream) -> TcpStream {
    stream.set_nodelay(true).unwrap();
    stream.set_nonblocking(true).unwrap();
    TcpStream::from_std(stream).unwrap()
}

/// Makes so many calls, one after another, over TCP; gives what caller and callee allocated in all.
fn allocations(method: Method, calls: i64) -> (u64, u64) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let callee = std::thread::spawn(move || {
        let runtime = runtime();
        let counted = allocation_counter::measure(|| {
            runtime.block_on(async {
                let (stream, _) = listener.accept().unwrap();
                let (_connection, driver) = Endpoint::new().offer(Arithmetic).accept_over(nodelay(stream));
                driver.await.unwrap();
            });
        });
        counted.count_total
    });
    let runtime = runtime();
    let counted = allocation_counter::measure(|| {
        runtime.block_on(async {
            let stream = nodelay(std::net::TcpStream::connect(address).unwrap());
            let (connection, driver) = Endpoint::new().connect_over(stream);
            let stub: ArithmeticStub = main_stub(&connection);
            let driver = tokio::spawn(driver);
            for n in 0..calls {
                let sum = match method {
                    Method::Sync => stub.add(n, 1).await,
                    Method::Async => stub.add_async(n, 1).await,
                };
                assert_eq!(sum.unwrap(), n + 1);
            }
            drop(stub);
            driver.await.unwrap().unwrap();
        });
    });
    (counted.count_total, callee.join().unwrap())
}

/// Allocations per call: what more calls cost more. What a connection costs once falls out.
fn per_call(method: Method) -> (f64, f64) {
    const FEW: i64 = 5_000;
    const MORE: i64 = 10_000;
    // What is made once in a process is made now.
    allocations(method, FEW);
    let few = allocations(method, FEW);
    let more = allocations(method, MORE);
    let per = |few: u64, more: u64| (more as f64 - few as f64) / (MORE - FEW) as f64;
    (per(few.0, more.0), per(few.1, more.1))
}

fn assert_per_call(method: Method, expected: (f64, f64)) {
    let (caller, callee) = per_call(method);
    // The two runs may differ by a handful of reads and writes, never by one thing a call.
    let same = |counted: f64, expected: f64| (counted - expected).abs() < 0.01;
    assert!(same(caller, expected.0) && same(callee, expected.1), "caller {caller}, callee {callee}");
}

#[test]
fn a_small_call_of_a_synchronous_method_allocates_nothing_on_either_side() {
    assert_per_call(Method::Sync, (0.0, 0.0));
}

#[test]
fn a_small_call_of_an_asynchronous_method_allocates_its_future_and_nothing_else() {
    assert_per_call(Method::Async, (0.0, 1.0));
}
