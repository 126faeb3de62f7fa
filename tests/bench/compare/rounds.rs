//! The part `edge`: every line of the comparison in turns, several rounds of it.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use integration_tests::load::cost::{processor_time, processors, resident};
use integration_tests::load::{Amount, Load, Outcome, Prepared};
use tempfile::TempDir;

use crate::cell::{Cell, Transport, Way};
use crate::edge::{Edge, store};
use crate::row::{Row, Spread};
use crate::sources::API_KEY;
use crate::traffic::{
    ALGORITHMS, IN_USE, Looks, accepted, calls, certified, changing, encrypted_tokens, one_token,
    opaque_token, opaque_tokens, proved, refused, steady, tokens, with_token,
};

/// How long a line is loaded before it is measured: connections open, caches as they will be.
const WARM_UP: Duration = Duration::from_millis(250);
/// How long it is measured in one round.
const MEASURE: Duration = Duration::from_millis(1200);
/// Tokens of the lines whose tokens come again.
const MANY: usize = 10_000;
/// Tokens of the lines where none comes twice: some to warm up, the others to measure.
const NEW: usize = 12_000;
/// Proofs, of which none comes twice.
const PROOFS: usize = 30_000;
const NEW_WARM_UP: usize = 1_000;

/// What came of one line in one round.
pub(crate) struct Sample {
    pub(crate) outcome: Outcome,
    /// Microseconds per answer, by process.
    cost: HashMap<&'static str, f64>,
    resident: HashMap<&'static str, u64>,
    /// How much of the machine's processors was in use, the load's own part included, percent.
    busy: f64,
    /// Requests that the agent was asked about, and rules written in a second, where verdicts are kept in HAProxy.
    pub(crate) kept: Option<Kept>,
}

/// What there is to know beside costs where verdicts are kept in HAProxy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) asked_percent: f64,
    pub(crate) rules_per_second: f64,
}

impl Sample {
    fn cost_of(&self, process: &str) -> f64 {
        self.cost.get(process).copied().unwrap_or_default()
    }

    /// Of everything that a request takes: rules are written whether there are requests or not.
    pub(crate) fn cost(&self) -> f64 {
        let other = if self.kept.is_some() { self.cost_of("token_server") } else { 0.0 };
        self.cost.values().sum::<f64>() - other
    }

    fn mib_of(&self, process: &str) -> f64 {
        self.resident.get(process).map_or(0.0, |bytes| *bytes as f64 / 1_048_576.0)
    }
}

/// What is made once for each algorithm and number of tokens.
type KeptIn<T> = RefCell<HashMap<(&'static str, usize), T>>;
pub(crate) type Requests = Arc<[Prepared]>;

/// Tokens and rules, made once for all rounds, when the first line needs them.
#[derive(Default)]
pub(crate) struct Stock {
    new: [OnceCell<Arc<[Prepared]>>; ALGORITHMS.len()],
    many: OnceCell<Arc<[Prepared]>>,
    encrypted: OnceCell<Arc<[Prepared]>>,
    opaque: OnceCell<Arc<[Prepared]>>,
    proved: KeptIn<Requests>,
    steady: KeptIn<Requests>,
    changing: KeptIn<(Requests, Requests)>,
    rules_of_one: OnceCell<TempDir>,
    rules_of_all: OnceCell<TempDir>,
}

impl Stock {
    pub(crate) fn requests(&self, cell: &Cell) -> Arc<[Prepared]> {
        let algorithm = cell.algorithm;
        match cell.way {
            Way::Plain | Way::Nothing => one_token(algorithm, Looks::Nothing),
            Way::NativeSignature => one_token(algorithm, Looks::Signature),
            Way::NativeFull | Way::Hit | Way::Uncached | Way::Rules => {
                one_token(algorithm, Looks::Everything)
            }
            Way::Refused | Way::Challenged => refused(algorithm),
            Way::Ruled | Way::Call => calls(algorithm),
            Way::Proved => self.proved(algorithm),
            Way::NothingProved => accepted(&self.proved(algorithm)),
            Way::Certified => certified(),
            Way::NothingCertified => accepted(&certified()),
            Way::ApiKey => with_token(&one_token(algorithm, Looks::Everything), API_KEY),
            Way::Opaque => with_token(&one_token(algorithm, Looks::Everything), &opaque_token(0)),
            Way::OpaqueNew => Arc::clone(self.opaque.get_or_init(|| opaque_tokens(algorithm, NEW))),
            Way::Tokens => Arc::clone(self.many.get_or_init(|| tokens(algorithm, MANY))),
            Way::New => self.new_tokens(algorithm),
            Way::NothingNew => accepted(&self.new_tokens(algorithm)),
            Way::Encrypted => Arc::clone(self.encrypted.get_or_init(|| encrypted_tokens(NEW))),
            Way::NativeSteady | Way::EdgeOne => self.steady(algorithm, 1),
            Way::NativeMany | Way::EdgeMany => self.steady(algorithm, MANY),
            Way::PlainMany => accepted(&self.steady(algorithm, MANY)),
            Way::EdgeChanging => self.changing(algorithm).1,
        }
    }

    fn new_tokens(&self, algorithm: &'static str) -> Requests {
        let stock = ALGORITHMS.iter().zip(&self.new).find(|(name, _)| **name == algorithm);
        Arc::clone(stock.unwrap().1.get_or_init(|| tokens(algorithm, NEW)))
    }

    fn proved(&self, algorithm: &'static str) -> Requests {
        let mut made = self.proved.borrow_mut();
        Arc::clone(made.entry((algorithm, PROOFS)).or_insert_with(|| proved(algorithm, PROOFS)))
    }

    fn steady(&self, algorithm: &'static str, count: usize) -> Requests {
        let mut made = self.steady.borrow_mut();
        Arc::clone(made.entry((algorithm, count)).or_insert_with(|| steady(algorithm, count)))
    }

    fn changing(&self, algorithm: &'static str) -> (Requests, Requests) {
        let mut made = self.changing.borrow_mut();
        made.entry((algorithm, IN_USE)).or_insert_with(|| changing(algorithm)).clone()
    }

    /// What a line is loaded with first, and how many verdicts HAProxy is to have then.
    pub(crate) fn first(&self, cell: &Cell) -> (Requests, usize) {
        match cell.way {
            Way::EdgeChanging => (self.changing(cell.algorithm).0, IN_USE),
            Way::EdgeMany => (self.requests(cell), MANY),
            _ => (self.requests(cell), 1),
        }
    }

    fn rules(&self, way: Way) -> Option<PathBuf> {
        let folder = match way {
            Way::Rules => self.rules_of_one.get_or_init(|| store("standard", 1000, 0)),
            Way::Encrypted => self.rules_of_all.get_or_init(|| store("ms-users", 500, 500)),
            Way::Plain | Way::NativeSignature | Way::NativeFull | Way::Nothing => return None,
            Way::Hit | Way::Tokens | Way::New | Way::Uncached => return None,
            Way::PlainMany | Way::NativeSteady | Way::NativeMany => return None,
            Way::Refused | Way::Challenged | Way::Ruled | Way::Call => return None,
            Way::Proved | Way::Certified | Way::NothingNew | Way::NothingProved | Way::NothingCertified => {
                return None;
            }
            Way::ApiKey | Way::Opaque | Way::OpaqueNew => return None,
            Way::EdgeOne | Way::EdgeMany | Way::EdgeChanging => return None,
        };
        Some(folder.path().join("rules.redb"))
    }
}

/// Runs `cells` so many times and gives a row for each.
pub(crate) fn run(cells: &[Cell], rounds: usize) -> Vec<Row> {
    let begin = Instant::now();
    let stock = Stock::default();
    println!("{} lines, {rounds} rounds of each", cells.len());
    let mut samples: Vec<Vec<Sample>> = cells.iter().map(|_| Vec::new()).collect();
    for round in 1..=rounds {
        let mut half_load = HashMap::new();
        for (number, (cell, samples)) in cells.iter().zip(&mut samples).enumerate() {
            let rate = cell.half_load.then(|| half_load.get(&cell.release.program).copied()).flatten();
            let sample = measure(cell, &stock, rate);
            if cell.way == Way::Hit
                && cell.transport == Transport::Unix
                && cell.connections == 32
                && cell.threads == 1
            {
                half_load.entry(cell.release.program.clone()).or_insert(sample.outcome.per_second() / 2.0);
            }
            println!(
                "{:>5.0} s  round {round}/{rounds}  {:>3}/{}  {cell}: {:.2} us, {:.0} req/s{}",
                begin.elapsed().as_secs_f64(),
                number + 1,
                cells.len(),
                sample.cost(),
                sample.outcome.per_second(),
                sample
                    .outcome
                    .first_error
                    .as_ref()
                    .map(|error| format!(", ERROR: {error}"))
                    .unwrap_or_default(),
            );
            samples.push(sample);
        }
    }
    rows(cells, &samples)
}

/// A row for each line, beside the plain HAProxy of the same rounds.
pub(crate) fn rows(cells: &[Cell], samples: &[Vec<Sample>]) -> Vec<Row> {
    let plain_of = |cell: &Cell| cells.iter().position(|other| *other == cell.plain());
    cells
        .iter()
        .zip(samples)
        .map(|(cell, own)| row(cell, own, plain_of(cell).map_or(own, |index| &samples[index])))
        .collect()
}

fn measure(cell: &Cell, stock: &Stock, rate: Option<f64>) -> Sample {
    let requests = stock.requests(cell);
    let never_twice = cell.way.counts_once();
    let edge = Edge::start(cell, stock.rules(cell.way).as_deref(), &requests[..1]);
    let (warm_up, requests, amount) = if never_twice {
        let (warm_up, fresh) = requests.split_at(NEW_WARM_UP);
        (Arc::from(warm_up), Arc::from(fresh), Amount::Requests(fresh.len()))
    } else {
        (Arc::clone(&requests), requests, Amount::For(MEASURE))
    };
    let load =
        Load { target: edge.address, requests, connections: cell.connections, threads: 1, rate, amount };
    let first = if never_twice || cell.way == Way::Tokens {
        Amount::Requests(warm_up.len())
    } else {
        Amount::For(WARM_UP)
    };
    Load { requests: warm_up, amount: first, rate: None, ..load.clone() }.run();
    sample(&edge, &load)
}

pub(crate) fn sample(edge: &Edge, load: &Load) -> Sample {
    let processes = edge.processes();
    let before: Vec<Duration> = processes.iter().map(|(_, pid)| processor_time(*pid).unwrap()).collect();
    let (worked, been) = processors().unwrap();
    let outcome = load.run();
    let (worked, been) = processors().map(|(now, all)| (now - worked, all - been)).unwrap();
    let cost = processes.iter().zip(before).map(|((name, pid), before)| {
        let spent = processor_time(*pid).unwrap().saturating_sub(before);
        (*name, spent.as_secs_f64() * 1e6 / outcome.answers.max(1) as f64)
    });
    let cost = cost.collect();
    let resident = processes.iter().map(|(name, pid)| (*name, resident(*pid).unwrap())).collect();
    Sample { outcome, cost, resident, busy: worked as f64 * 100.0 / been.max(1) as f64, kept: None }
}

fn row(cell: &Cell, samples: &[Sample], plain: &[Sample]) -> Row {
    let spread = |of: &dyn Fn(&Sample) -> f64, digits| Spread::of(samples.iter().map(of), digits);
    let above = samples.iter().zip(plain).map(|(own, plain)| own.cost() - plain.cost());
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let last = samples.last().unwrap();
    let kept = |of: fn(Kept) -> f64| {
        let all: Option<Vec<f64>> = samples.iter().map(|sample| sample.kept.map(of)).collect();
        all.map(|all| Spread::of(all.into_iter(), 2))
    };
    Row {
        haproxy: cell.release.to_string(),
        way: cell.way.name().to_owned(),
        algorithm: cell.algorithm.to_owned(),
        transport: if cell.transport == Transport::Unix { "unix" } else { "tcp" }.to_owned(),
        connections: cell.connections,
        haproxy_threads: cell.threads,
        half_load: cell.half_load,
        above_plain_us: Spread::of(above, 2),
        haproxy_us: spread(&|sample| sample.cost_of("haproxy"), 2),
        agent_us: spread(&|sample| sample.cost_of("agent"), 2),
        token_server_us: spread(&|sample| sample.cost_of("token_server"), 2),
        per_second: spread(&|sample| sample.outcome.per_second(), 0),
        p50_us: spread(&|sample| micros(sample.outcome.quantile(0.5)), 0),
        p99_us: spread(&|sample| micros(sample.outcome.quantile(0.99)), 0),
        busy_percent: spread(&|sample| sample.busy, 0),
        requests: samples.iter().map(|sample| sample.outcome.answers).sum(),
        errors: samples.iter().map(|sample| sample.outcome.errors).sum(),
        haproxy_rss_mib: (last.mib_of("haproxy") * 10.0).round() / 10.0,
        agent_rss_mib: (last.mib_of("agent") * 10.0).round() / 10.0,
        asked_percent: kept(|kept| kept.asked_percent),
        rules_per_second: kept(|kept| kept.rules_per_second),
    }
}
