//! The table of workloads, and the two sides that run each of them.

/// Which program does the work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    /// The library under test.
    Farcall,
    /// The program written by hand for this one workload.
    Limit,
}

/// What a client asks for, over and over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Work {
    /// `add(i64, i64) -> i64`, with so many calls under way on one connection.
    Add { outstanding: usize },
    /// `echo(bytes) -> bytes`, with so many calls under way on one connection.
    Echo { length: usize, outstanding: usize },
    /// Make a counter, increment it three times, drop it: one object after the other.
    Object { pipelined: bool },
    /// `add` in one process, without a wire.
    InProcess,
}

impl Work {
    /// Whether the callee is a process of its own.
    pub(crate) fn has_server(self) -> bool {
        self != Self::InProcess
    }
}

/// One row of the report. All figures are times, so less is better in every row.
#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) work: Work,
    /// What the figures are in: a time per call, or per object.
    pub(crate) unit: Unit,
    /// Whether both processes are held on one core. Where one call at a time goes to and fro, the two only
    /// ever wait for each other, and a wake-up across cores costs about as much as the whole round trip on
    /// one: where the kernel happens to place them would decide more than the code does.
    pub(crate) one_core: bool,
}

/// The unit of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    MicrosPerCall,
    MicrosPerObject,
    NanosPerCall,
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MicrosPerCall => "us/call",
            Self::MicrosPerObject => "us/object",
            Self::NanosPerCall => "ns/call",
        }
    }

    pub(crate) fn nanos(self) -> f64 {
        match self {
            Self::MicrosPerCall | Self::MicrosPerObject => 1e3,
            Self::NanosPerCall => 1.0,
        }
    }
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Every workload, in the order of the report.
pub(crate) const ALL: [Workload; 9] = [
    calls("add-1", Work::Add { outstanding: 1 }).on_one_core(),
    calls("add-64", Work::Add { outstanding: 64 }),
    calls("add-1024", Work::Add { outstanding: 1024 }),
    calls("echo-1KiB", Work::Echo { length: KIB, outstanding: 16 }),
    calls("echo-64KiB", Work::Echo { length: 64 * KIB, outstanding: 16 }),
    calls("echo-4MiB", Work::Echo { length: 4 * MIB, outstanding: 4 }),
    objects("object-stepwise", Work::Object { pipelined: false }).on_one_core(),
    objects("object-pipelined", Work::Object { pipelined: true }).on_one_core(),
    Workload { name: "inproc-add", work: Work::InProcess, unit: Unit::NanosPerCall, one_core: false },
];

const fn calls(name: &'static str, work: Work) -> Workload {
    Workload { name, work, unit: Unit::MicrosPerCall, one_core: false }
}

const fn objects(name: &'static str, work: Work) -> Workload {
    Workload { name, work, unit: Unit::MicrosPerObject, one_core: false }
}

impl Workload {
    const fn on_one_core(self) -> Self {
        Self { one_core: true, ..self }
    }
}
