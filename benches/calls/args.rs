//! The command line: what a user may say to the parent, and what the parent says to its children.

use std::str::FromStr;
use std::time::Duration;

use crate::measure::{Peer, Plan};
use crate::workload::{self, Side, Work, Workload};
use crate::{Failure, Outcome};

/// What this process is to do.
#[derive(Debug)]
pub(crate) enum Job {
    /// `cargo test` starts benches too, without `--bench`: nothing is measured then.
    Nothing,
    /// Run the workloads and report.
    Compare(Options),
    /// Be the server of a run.
    Serve(Side, Work),
    /// Be the client of a run.
    Call(Side, Work, Plan),
}

/// How to compare.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) workloads: Vec<&'static Workload>,
    pub(crate) sides: Vec<Side>,
    pub(crate) rounds: usize,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
    pub(crate) json: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            workloads: workload::ALL.iter().collect(),
            sides: vec![Side::Farcall, Side::Limit],
            rounds: 15,
            warm_up: Duration::from_millis(100),
            measured: Duration::from_millis(250),
            json: false,
        }
    }
}

/// Reads a command line, the name of the program left out.
pub(crate) fn parse(words: &[&str]) -> Outcome<Job> {
    match *words {
        ["--role", "server", side, name] => Ok(Job::Serve(side.parse()?, workload_named(name)?.work)),
        ["--role", "client", side, name, warm_up, measured, ref server @ ..] => {
            let plan = Plan { warm_up: millis(warm_up)?, measured: millis(measured)?, server: peer(server)? };
            Ok(Job::Call(side.parse()?, workload_named(name)?.work, plan))
        }
        _ if words.contains(&"--bench") => parse_options(words).map(Job::Compare),
        _ => Ok(Job::Nothing),
    }
}

/// The command line of a server.
pub(crate) fn server(side: Side, workload: &Workload) -> Vec<String> {
    ["--role", "server", side.name(), workload.name].map(String::from).to_vec()
}

/// The command line of a client.
pub(crate) fn client(side: Side, workload: &Workload, plan: &Plan) -> Vec<String> {
    let mut words = ["--role", "client", side.name(), workload.name].map(String::from).to_vec();
    words.extend([plan.warm_up, plan.measured].map(|span| span.as_millis().to_string()));
    if let Some(server) = plan.server {
        words.extend([server.process.to_string(), server.port.to_string()]);
    }
    words
}

fn parse_options(words: &[&str]) -> Outcome<Options> {
    let mut options = Options::default();
    let mut rounds = None;
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| Failure::from(format!("{word} needs a value")));
        match word {
            "--bench" => {}
            "--json" => options.json = true,
            "--quick" => {
                options.rounds = 3;
                options.warm_up = Duration::from_millis(50);
                options.measured = Duration::from_millis(100);
            }
            "--rounds" => rounds = Some(value()?.parse()?),
            "--side" => options.sides = vec![value()?.parse()?],
            "--only" => {
                options.workloads = value()?.split(',').map(workload_named).collect::<Outcome<_>>()?
            }
            _ => return Err(format!("unknown argument {word:?}; benches/calls/main.rs lists them").into()),
        }
    }
    options.rounds = rounds.unwrap_or(options.rounds);
    if options.rounds == 0 { Err("--rounds must be at least 1".into()) } else { Ok(options) }
}

fn workload_named(name: &str) -> Outcome<&'static Workload> {
    let known = || workload::ALL.map(|workload| workload.name).join(", ");
    workload::ALL
        .iter()
        .find(|workload| workload.name == name)
        .ok_or_else(|| format!("no workload is called {name:?}; there are {}", known()).into())
}

fn peer(words: &[&str]) -> Outcome<Option<Peer>> {
    match *words {
        [] => Ok(None),
        [process, port] => Ok(Some(Peer { process: process.parse()?, port: port.parse()? })),
        _ => Err("a server is named by its process and its port".into()),
    }
}

fn millis(word: &str) -> Outcome<Duration> {
    Ok(Duration::from_millis(word.parse()?))
}

impl Side {
    /// The word for this side on a command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Farcall => "farcall",
            Self::Limit => "limit",
        }
    }
}

impl FromStr for Side {
    type Err = Failure;

    fn from_str(word: &str) -> Outcome<Self> {
        match word {
            "farcall" => Ok(Self::Farcall),
            "limit" => Ok(Self::Limit),
            _ => Err(format!("{word:?} is neither farcall nor limit").into()),
        }
    }
}
