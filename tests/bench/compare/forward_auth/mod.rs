//! The part `forward-auth`: what it costs Traefik, nginx and Envoy to ask the token-server about each request, beside the
//! same proxies without any check, and Envoy's own `jwt_authn`.

mod figures;
mod line;
mod stand;

use std::sync::Arc;
use std::time::{Duration, Instant};

use integration_tests::load::cost::{processor_time, resident};
use integration_tests::load::{Amount, Load, Outcome, Prepared};

pub(crate) use figures::{Row, print, targets};

use crate::sources::API_KEY;
use crate::traffic::{Looks, forbidding, one_token, opaque_token, opaque_tokens, tokens, with_token};
use line::{Judge, Line, Tokens, lines};
use stand::{ALGORITHM, Stand};

/// How long a line is loaded before it is measured.
const WARM_UP: Duration = Duration::from_millis(250);
/// How long it is measured in one round, where tokens come again.
const MEASURE: Duration = Duration::from_millis(1200);
/// Tokens of the lines where none comes twice: some to warm up, the others to measure.
const NEW: usize = 6_000;
const NEW_WARM_UP: usize = 500;
/// Connections of the generator; each has one request at a time.
const CONNECTIONS: usize = 32;

/// What came of one line in one round.
struct Sample {
    outcome: Outcome,
    proxy: Used,
    token_server: Option<Used>,
}

/// What one process has used.
struct Used {
    /// Processor time per answer, microseconds.
    us: f64,
    mib: f64,
}

/// The requests, made once for all rounds.
struct Stock {
    without_question: Arc<[Prepared]>,
    tokenless: Arc<[Prepared]>,
    known: Arc<[Prepared]>,
    new: Arc<[Prepared]>,
    /// Envoy's own filter forbids a token for another audience.
    known_to_envoy: Arc<[Prepared]>,
    new_to_envoy: Arc<[Prepared]>,
    api_key: Arc<[Prepared]>,
    opaque: Arc<[Prepared]>,
    opaque_new: Arc<[Prepared]>,
}

impl Stock {
    fn new() -> Self {
        let (known, new) = (one_token(ALGORITHM, Looks::Everything), tokens(ALGORITHM, NEW));
        Self {
            without_question: one_token(ALGORITHM, Looks::Nothing),
            tokenless: [Prepared::get("/", "", 200)].into(),
            api_key: with_token(&known, API_KEY),
            opaque: with_token(&known, &opaque_token(0)),
            opaque_new: opaque_tokens(ALGORITHM, NEW),
            known_to_envoy: forbidding(&known),
            new_to_envoy: forbidding(&new),
            known,
            new,
        }
    }

    fn requests(&self, line: Line) -> &Arc<[Prepared]> {
        match (line.judge, line.tokens) {
            (Judge::Nothing, _) => &self.without_question,
            (Judge::NoToken, _) => &self.tokenless,
            (Judge::JwtAuthn | Judge::JwtAuthnCache, Tokens::Known) => &self.known_to_envoy,
            (Judge::JwtAuthn | Judge::JwtAuthnCache, Tokens::New) => &self.new_to_envoy,
            (_, Tokens::Known) => &self.known,
            (_, Tokens::New) => &self.new,
            (_, Tokens::ApiKey) => &self.api_key,
            (_, Tokens::Opaque) => &self.opaque,
            (_, Tokens::OpaqueNew) => &self.opaque_new,
        }
    }
}

/// Runs every line whose name contains `only` so many times, in turns, and gives a row for each.
pub(crate) fn run(rounds: usize, only: &str) -> Vec<Row> {
    let begin = Instant::now();
    let (mut lines, stock) = (lines(), Stock::new());
    lines.retain(|line| line.to_string().contains(only));
    println!("{} lines, {rounds} rounds of each", lines.len());
    let mut samples: Vec<Vec<Sample>> = lines.iter().map(|_| Vec::new()).collect();
    for round in 1..=rounds {
        for (line, samples) in lines.iter().zip(&mut samples) {
            let sample = measure(*line, stock.requests(*line));
            let Sample { outcome, proxy, token_server } = &sample;
            let server = token_server.as_ref().map(|used| format!(", token-server {:.1} us", used.us));
            let error = outcome.first_error.as_ref().map(|error| format!(", ERROR: {error}"));
            println!(
                "{:>5.0} s  round {round}/{rounds}  {line}: proxy {:.1} us{}, {:.0} req/s{}",
                begin.elapsed().as_secs_f64(),
                proxy.us,
                server.unwrap_or_default(),
                outcome.per_second(),
                error.unwrap_or_default(),
            );
            samples.push(sample);
        }
    }
    lines.iter().zip(&samples).map(|(line, samples)| Row::of(*line, samples)).collect()
}

fn measure(line: Line, requests: &Arc<[Prepared]>) -> Sample {
    let stand = Stand::start(line, requests);
    let load = Load {
        target: stand.address,
        requests: Arc::clone(requests),
        connections: CONNECTIONS,
        threads: 1,
        rate: None,
        amount: Amount::For(MEASURE),
    };
    let (warm_up, load) = if line.tokens.are_new() {
        let (first, fresh) = requests.split_at(NEW_WARM_UP);
        let part = |requests: &[Prepared]| Load {
            requests: requests.into(),
            amount: Amount::Requests(requests.len()),
            ..load.clone()
        };
        (part(first), part(fresh))
    } else {
        (Load { amount: Amount::For(WARM_UP), ..load.clone() }, load)
    };
    warm_up.run();
    stand.forget();
    let proxy = stand.proxy.id();
    let token_server = stand.token_server.as_ref().map(|server| server.process.id());
    let spent = |pid: u32| processor_time(pid).unwrap();
    let before = (spent(proxy), token_server.map(spent));
    let outcome = load.run();
    let used = |pid: u32, before: Duration| Used {
        us: spent(pid).saturating_sub(before).as_secs_f64() * 1e6 / outcome.answers.max(1) as f64,
        mib: resident(pid).unwrap() as f64 / 1_048_576.0,
    };
    let token_server = token_server.zip(before.1).map(|(pid, before)| used(pid, before));
    let proxy = used(proxy, before.0);
    stand.forget();
    Sample { outcome, proxy, token_server }
}
