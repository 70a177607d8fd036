//! The parent's view of its children: this executable started again, as the server and the client of one run.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::measure::{Peer, Plan, Sample};
use crate::workload::{Side, Workload};
use crate::{Outcome, args};

/// Runs one side of a workload once, in processes of its own.
pub(crate) fn run(workload: &Workload, side: Side, plan: &Plan) -> Outcome<Sample> {
    let server = workload.work.has_server().then(|| Server::start(workload, side)).transpose()?;
    let plan = Plan { server: server.as_ref().map(|server| server.peer), ..*plan };
    let output = command(workload, &args::client(side, workload, &plan))?
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the {} client of {} failed", side.name(), workload.name).into());
    }
    Sample::parse(&String::from_utf8(output.stdout)?)
}

/// Whether `taskset` is there and may use core 0.
pub(crate) fn can_pin() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let trial = Command::new("taskset").args(["-c", "0", "true"]).stderr(Stdio::null()).status();
        trial.is_ok_and(|status| status.success())
    })
}

fn command(workload: &Workload, words: &[String]) -> Outcome<Command> {
    let this = env::current_exe()?;
    let mut command = if workload.one_core && can_pin() {
        let mut taskset = Command::new("taskset");
        taskset.args(["-c", "0"]).arg(this);
        taskset
    } else {
        Command::new(this)
    };
    command.args(words).envs(ALLOCATOR);
    Ok(command)
}

/// Lets glibc keep the memory that it has. As it comes, it gives the end of the heap back to the kernel when
/// more than 128 KiB are free there, and asks for it again, page by page, at the next large payload. Whether
/// that happens hangs on which small block lies last, so it would halve the speed of one side or the other by
/// luck.
const ALLOCATOR: [(&str, &str); 2] =
    [("MALLOC_TRIM_THRESHOLD_", "268435456"), ("MALLOC_MMAP_THRESHOLD_", "33554432")];

/// A server that ends when this is dropped.
struct Server {
    child: Child,
    peer: Peer,
}

impl Server {
    fn start(workload: &Workload, side: Side) -> Outcome<Self> {
        let child = command(workload, &args::server(side, workload))?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut server = Self { peer: Peer { process: child.id(), port: 0 }, child };
        let mut line = String::new();
        let stdout = server.child.stdout.take().ok_or("the server has no standard output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        server.peer.port = line
            .trim()
            .parse()
            .map_err(|_| format!("the {} server of {} did not start", side.name(), workload.name))?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // Its exit code says nothing: the end of its standard input is what ends it.
        let _ = self.child.wait();
    }
}
