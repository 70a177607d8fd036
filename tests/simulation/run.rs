//! [`Run`]: one seed, from the first connection to the last drop.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use farcall::{Connection, Pipeline, Stub};

use crate::checks;
use crate::executor;
use crate::flavour::Flavour;
use crate::items::Item;
use crate::network::{Pump, SharedWire, Wire};
use crate::node::{NodeStub, new_node};
use crate::random::Random;
use crate::world::{CallId, trace, with};

/// Steps that a run may take to come to rest.
const PATIENCE: usize = 200_000;

/// Two vats and what is between them.
pub struct Link {
    pub connections: [Connection; 2],
    /// What the first, and what the second end writes.
    pub wires: [SharedWire; 2],
    pumps: [usize; 2],
    /// Nobody has ended it.
    pub whole: bool,
}

pub struct Run {
    pub random: Random,
    pub flavour: Flavour,
    pub links: Vec<Link>,
    /// The main object of each vat.
    mains: Vec<(NodeStub, u32)>,
    /// For each vat, the main objects of others that it can reach.
    roots: Vec<Vec<(NodeStub, usize)>>,
    /// Tasks that await a promise.
    pub waits: Vec<(usize, CallId)>,
    seed: u64,
    /// The operations that are left out, by their numbers.
    left_out: BTreeSet<usize>,
    operations_left: usize,
    pub operations_done: usize,
}

impl Run {
    pub fn new(seed: u64, left_out: BTreeSet<usize>) -> Self {
        let mut random = Random::new(seed);
        let flavour = Flavour::new(&mut random);
        with(|world| {
            world.bags = (0..flavour.vats).map(|_| Vec::new()).collect();
            world.faults.limited = flavour.limited;
        });
        trace(|| format!("{flavour:?}"));
        let mains = (0..flavour.vats).map(|vat| new_node(vat, random.chance(30))).collect();
        let mut run = Self {
            seed,
            left_out,
            operations_left: flavour.operations,
            operations_done: 0,
            roots: (0..flavour.vats).map(|_| Vec::new()).collect(),
            random,
            flavour,
            links: Vec::new(),
            mains,
            waits: Vec::new(),
        };
        run.connect(0, 1);
        if run.flavour.vats == 3 {
            run.connect(1, 2);
        }
        if run.random.chance(50) {
            run.connect(0, run.flavour.vats - 1);
        }
        run
    }

    pub fn vats(&self) -> usize {
        self.flavour.vats
    }

    /// Connects two vats: a link, its pumps, and a stub of the other's main object for each.
    fn connect(&mut self, from: usize, to: usize) {
        let limits = self.flavour.limits();
        let connections = [from, to].map(|vat| {
            Connection::new(
                limits.clone(),
                Some((self.mains[vat].0.clone().into_handle(), NodeStub::interface())),
            )
        });
        if let Some((whole, piece)) = self.flavour.pieces {
            connections.iter().for_each(|connection| connection.cut_small(whole, piece));
        }
        let wires: [SharedWire; 2] =
            [Arc::new(Mutex::new(Wire::default())), Arc::new(Mutex::new(Wire::default()))];
        let number = self.links.len();
        for (end, (vat, other)) in [(from, to), (to, from)].into_iter().enumerate() {
            let lineage = with(|world| world.solid_lineage(self.mains[other].1));
            self.roots[vat].push((farcall::main_stub(&connections[end]), lineage));
            trace(|| {
                format!("link {number}: vat {vat} reaches the main object of vat {other} (line {lineage})")
            });
        }
        let pumps = [0, 1].map(|end| {
            let (outgoing, incoming) = (Arc::clone(&wires[end]), Arc::clone(&wires[1 - end]));
            let pump = Pump::new(connections[end].clone(), incoming, outgoing, end == 0);
            executor::spawn(format!("pump of link {number}, end {end}"), Box::pin(pump))
        });
        self.links.push(Link { connections, wires, pumps, whole: true });
    }

    /// A stub of some main object that this vat can reach.
    pub fn root(&mut self, vat: usize) -> Option<Item> {
        let roots = &self.roots[vat];
        if roots.is_empty() {
            return None;
        }
        let (stub, lineage) = &roots[self.random.below(roots.len())];
        Some(Item::Stub { stub: stub.clone(), lineage: *lineage })
    }

    /// The whole run. Comes back early when something is wrong.
    pub fn go(&mut self) {
        while self.operations_left > 0 && self.is_right() {
            self.step();
            if self.random.chance(1) {
                self.rest();
            }
        }
        if self.random.chance(30) {
            self.drop_roots();
        }
        self.settle_all();
        self.drop_all();
    }

    fn is_right(&self) -> bool {
        with(|world| world.mistakes.is_empty())
    }

    /// One thing happens: a user does something, a task runs, or some bytes arrive.
    fn step(&mut self) {
        let [user, task, network] = self.flavour.weights;
        let user = if self.operations_left > 0 { user } else { 0 };
        let task = if executor::ready() > 0 { task } else { 0 };
        let network = if self.busy_wires().is_empty() { 0 } else { network };
        if user + task + network == 0 {
            return;
        }
        match self.random.weighted(&[(user, 0), (task, 1), (network, 2)]) {
            0 => {
                self.operations_left -= 1;
                self.operations_done += 1;
                // Its decisions are its own, so that the others remain when one is left out.
                let number = self.operations_done;
                let own = Random::new(self.seed ^ (number as u64) << 40);
                let schedule = std::mem::replace(&mut self.random, own);
                if !self.left_out.contains(&number) {
                    trace(|| format!("operation {number}"));
                    self.operate();
                }
                self.random = schedule;
            }
            1 => {
                let place = self.random.below(executor::ready());
                executor::run(place);
            }
            _ => self.deliver(),
        }
        checks::after_step(self);
    }

    fn busy_wires(&self) -> Vec<(usize, usize)> {
        let all = (0..self.links.len()).flat_map(|link| [(link, 0), (link, 1)]);
        all.filter(|(link, end)| self.links[*link].wires[*end].lock().unwrap().is_busy()).collect()
    }

    /// Some bytes of some direction arrive: other links may be slower or faster.
    fn deliver(&mut self) {
        let Some((link, end)) = self.random.one_of(&self.busy_wires()) else { return };
        let wire = Arc::clone(&self.links[link].wires[end]);
        let most = wire.lock().unwrap().under_way();
        let bytes = match self.random.below(4) {
            0 => self.random.below(most + 1),
            1 => most.min(40),
            _ => most,
        };
        trace(|| format!("    link {link}, end {end}: {bytes} of {most} bytes arrive"));
        wire.lock().unwrap().deliver(bytes);
    }

    /// Everything that can happen without a user happens.
    fn run_out(&mut self) {
        let operations = std::mem::take(&mut self.operations_left);
        for _ in 0..PATIENCE {
            if executor::ready() == 0 && self.busy_wires().is_empty() {
                self.operations_left = operations;
                return;
            }
            if !self.is_right() {
                return;
            }
            self.step();
        }
        with(|world| world.mistake("it does not come to rest".to_owned()));
    }

    fn free_network(&self) {
        for wire in self.links.iter().flat_map(|link| &link.wires) {
            let mut wire = wire.lock().unwrap();
            wire.held = false;
            wire.block(false);
        }
    }

    /// The network becomes empty; then both sides agree on what they hold of each other.
    fn rest(&mut self) {
        trace(|| "the network comes to rest".to_owned());
        self.free_network();
        self.run_out();
        if self.is_right() {
            checks::at_rest(self);
        }
    }

    /// Every method goes on, and every awaited call ends.
    fn settle_all(&mut self) {
        if !self.is_right() {
            return;
        }
        trace(|| "everything goes on".to_owned());
        for waker in with(|world| world.open_all()) {
            waker.wake();
        }
        self.rest();
        if self.is_right() {
            checks::when_settled();
        }
    }

    /// Every handle is dropped; then nothing is left.
    fn drop_all(&mut self) {
        if !self.is_right() {
            return;
        }
        trace(|| "everything is dropped".to_owned());
        with(|world| world.faults.cancelled = true);
        self.forget_loans(false);
        for vat in 0..self.vats() {
            while let Some(item) = with(|world| world.take(vat, &mut self.random)) {
                drop(item);
                if self.random.chance(30) {
                    self.step();
                }
            }
        }
        self.rest();
        // Calls back may have put something into a bag meanwhile.
        for vat in 0..self.vats() {
            drop(with(|world| std::mem::take(&mut world.bags[vat])));
        }
        self.rest();
        if self.is_right() {
            checks::when_dropped(self);
        }
        self.forget_loans(true);
        self.drop_roots();
        drop(std::mem::take(&mut self.mains));
        self.run_out();
        if self.is_right() {
            checks::when_closed(self);
        }
    }

    /// The last stubs of main objects are dropped: each link may close as soon as nothing else keeps it.
    fn drop_roots(&mut self) {
        trace(|| "the stubs of main objects are dropped".to_owned());
        with(|world| world.faults.left = true);
        for link in &mut self.links {
            link.whole = false;
        }
        for roots in &mut self.roots {
            roots.clear();
        }
    }

    pub fn hold_something(&mut self) {
        if !self.flavour.holds {
            return;
        }
        let (link, end) = (self.random.below(self.links.len()), self.random.below(2));
        let mut wire = self.links[link].wires[end].lock().unwrap();
        wire.held = !wire.held;
        let held = wire.held;
        drop(wire);
        trace(|| format!("link {link}, end {end}: {}", if held { "held" } else { "goes on" }));
    }

    pub fn block_something(&mut self) {
        if !self.flavour.holds {
            return;
        }
        let (link, end) = (self.random.below(self.links.len()), self.random.below(2));
        let mut wire = self.links[link].wires[end].lock().unwrap();
        let blocked = !wire.is_blocked();
        wire.block(blocked);
        drop(wire);
        trace(|| format!("link {link}, end {end}: {}", if blocked { "blocked" } else { "takes again" }));
    }

    /// A link is cut, on one side or on both, or one side leaves it in peace. Perhaps there is a new one then.
    pub fn disconnect_something(&mut self) {
        let whole: Vec<usize> = (0..self.links.len()).filter(|link| self.links[*link].whole).collect();
        let Some(number) = self.random.one_of(&whole) else { return };
        if !self.flavour.cuts {
            return;
        }
        let (way, end) = (self.random.below(3), self.random.below(2));
        trace(|| format!("link {number} ends in way {way} from end {end}"));
        let link = &mut self.links[number];
        link.whole = false;
        with(|world| match way {
            0 => world.faults.left = true,
            _ => world.faults.cut = true,
        });
        match way {
            0 => link.connections[end].shutdown(),
            1 => {
                executor::abort(link.pumps[end]);
                link.wires[end].lock().unwrap().close(self.random.chance(50));
            }
            _ => {
                for (pump, wire) in link.pumps.iter().zip(&link.wires) {
                    executor::abort(*pump);
                    wire.lock().unwrap().close(true);
                }
            }
        }
        if self.random.chance(60) {
            let (from, to) = (self.random.below(self.vats()), self.random.below(self.vats() - 1));
            let to = if to >= from { to + 1 } else { to };
            self.connect(from, to);
        }
    }
}
