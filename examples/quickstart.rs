//! The main job in one file: a second process serves over TCP, this one calls it.
//!
//! `cargo run --release --example quickstart`
//!
//! It makes a counter and calls it, reads a property, passes a callback that the server calls, and chains three
//! calls without awaiting in between. After each step it prints the round trips and frames that really crossed,
//! counted in the transport. Then it does the chain again over a transport that takes 25 ms each way.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use farcall::prelude::*;
use farcall::probe::{Counters, Probe};
use farcall::{Endpoint, main_stub};
use tokio::net::TcpStream;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A number that lives at the server. Its field is never reachable from outside.
#[derive(Default)]
pub struct Counter {
    value: i64,
}

#[rpc_target]
impl Counter {
    /// Adds to the value and gives the new one.
    pub fn increment(&mut self, amount: i64) -> i64 {
        self.value += amount;
        self.value
    }

    /// The value, as a property.
    #[rpc(get)]
    pub fn value(&self) -> i64 {
        self.value
    }

    /// Calls `step` for the value, and takes what it returns as the new value.
    pub async fn update(&mut self, step: RpcFn<fn(i64) -> i64>) -> Result<i64, Error> {
        self.value = step.call(self.value).await?;
        Ok(self.value)
    }
}

/// What the server offers.
pub struct CounterService;

#[rpc_target]
impl CounterService {
    /// A new counter. It stays here; the caller gets a stub.
    pub async fn new_counter(&self) -> Counter {
        Counter::default()
    }

    /// A number, doubled.
    pub fn double(&self, n: i64) -> i64 {
        2 * n
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    match std::env::args().nth(1).as_deref() {
        Some("serve") => serve().await,
        _ => call().await,
    }
}

/// The second process: serves until its standard input is closed.
async fn serve() -> Outcome<()> {
    let server = farcall::serve("tcp://127.0.0.1:0", CounterService).await?;
    println!("{}", server.uri());
    let (closed, wait) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            drop(line);
        }
        let _ = closed.send(());
    });
    tokio::select! {
        end = server => end?,
        _ = wait => {}
    }
    Ok(())
}

async fn call() -> Outcome<()> {
    let (mut server, address) = start_server()?;
    println!("server: process {} at {address}", server.id());

    let (service, counters) = connect(&address, Duration::ZERO).await?;
    let mut meter = Meter::new(counters);

    let counter = service.new_counter().await?;
    meter.print("service.new_counter().await");
    println!("{}", counter.increment(2).await?);
    println!("{}", counter.increment(1).await?);
    println!("{}", counter.increment(-5).await?);
    meter.print("three increments, each awaited");
    println!("{}", counter.value().await?);
    meter.print("the property");
    println!("{}", counter.update(|value: i64| value * 10).await?);
    meter.print("a callback that the server calls");
    println!("{}", service.double(service.new_counter().increment(4)).await?);
    meter.print("three calls, chained: one trip");
    drop((counter, service));

    println!("\nwith 25 ms each way:");
    let (service, counters) = connect(&address, Duration::from_millis(25)).await?;
    let mut meter = Meter::new(counters);
    service.double(service.new_counter().increment(4)).await?;
    meter.print("three calls, chained");
    let counter = service.new_counter().await?;
    let four = counter.increment(4).await?;
    service.double(four).await?;
    meter.print("three calls, each awaited");

    drop((counter, service));
    drop(server.stdin.take());
    let status = server.wait()?;
    println!("\nserver stopped: {status}");
    Ok(())
}

/// Starts this program once more as the server, and reads the address that it prints.
fn start_server() -> Outcome<(Child, String)> {
    let mut server = Command::new(std::env::current_exe()?)
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut uri = String::new();
    let output = server.stdout.take().ok_or("the server has no output")?;
    BufReader::new(output).read_line(&mut uri)?;
    let address = uri.trim().strip_prefix("tcp://").ok_or("the server printed no address")?.to_owned();
    Ok((server, address))
}

/// Connects through a probe, which counts what crosses and adds `delay` in each direction. Without a probe this is
/// `farcall::connect(uri)`.
async fn connect(address: &str, delay: Duration) -> Outcome<(CounterServiceStub, Counters)> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (stream, counters) = Probe::new(stream, delay);
    let (connection, driver) = Endpoint::new().connect_over(stream);
    let service = main_stub(&connection);
    tokio::spawn(driver);
    Ok((service, counters))
}

/// Prints what crossed since it last did.
struct Meter {
    counters: Counters,
    before: farcall::probe::Counts,
    since: Instant,
}

impl Meter {
    fn new(counters: Counters) -> Self {
        Self { before: counters.read(), counters, since: Instant::now() }
    }

    fn print(&mut self, what: &str) {
        let crossed = self.counters.since(self.before);
        println!(
            "  {what:34} {} round trip(s), frames {} out {} in, {:.1} ms",
            crossed.round_trips,
            crossed.frames_out,
            crossed.frames_in,
            self.since.elapsed().as_secs_f64() * 1000.0
        );
        self.before = self.counters.read();
        self.since = Instant::now();
    }
}
