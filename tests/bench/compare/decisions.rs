//! The part `decisions`: what it costs to tell token-servers of decisions. Of a token-server while four agents refuse 10,000 requests a
//! second and a client reads along; of an agent, for each answer.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use integration_tests::load::cost::processor_time;
use integration_tests::load::results::rounded;
use integration_tests::load::{Amount, Load, Prepared};
use integration_tests::site::{Plan, Site};
use integration_tests::socket::Address;
use integration_tests::token_server::TokenServer;
use serde_json::{Value, json};

use crate::cell::{Cell, Way};
use crate::edge::Edge;
use crate::release::Release;
use crate::targets::{Target, at_most};
use crate::traffic::{Looks, one_token, refused};

/// Agents of one token-server, each with a HAProxy of its own.
const AGENTS: usize = 4;
/// Refusals a second, of all agents.
const REFUSALS: f64 = 10_000.0;
/// How long the token-server is watched, in each turn.
const WATCHED: Duration = Duration::from_secs(5);
/// Turns with and without.
const TURNS: usize = 6;
/// Turns of the agents.
const AGENT_TURNS: usize = 15;
/// How long an agent is loaded in each of them.
const LOADED: Duration = Duration::from_millis(300);

const SETTING: &str = "JWT_DECISIONS";

/// Measures on one release.
pub(crate) fn run(release: &Release) -> Value {
    let server = of_server(release);
    println!("a token-server of {AGENTS} agents with {REFUSALS} refusals a second: {server:#}");
    let agent = [("accepted", one_token("HS256", Looks::Everything)), ("refused", refused("HS256"))]
        .map(|(what, requests)| (what.to_owned(), of_agent(release, &requests)));
    let agent = Value::from_iter(agent);
    println!("an agent: {agent:#}");
    json!({"haproxy": release.to_string(), "token_server": server, "agent": agent})
}

/// The budget, held against what was measured.
pub(crate) fn targets(figures: Option<&Value>) -> Vec<Target> {
    let percent = figures
        .and_then(|figures| figures.pointer("/token_server/percent_of_a_processor_more/median")?.as_f64());
    vec![at_most("a token-server told of 10,000 decisions a second by 4 agents", "% of a core", percent, 1.0)]
}

/// What a token-server spends with and without reports, in turns: its agents are loaded all the time.
fn of_server(release: &Release) -> Value {
    let stands = ["off", "sample"].map(|which| Stand::start(release, which));
    let mut percents = [Vec::new(), Vec::new()];
    let mut refusals = Vec::new();
    for _ in 0..TURNS {
        for (stand, percents) in stands.iter().zip(&mut percents) {
            let (percent, per_second) = stand.turn();
            percents.push(percent);
            refusals.push(per_second);
        }
    }
    let more = percents[1].iter().zip(&percents[0]).map(|(with, without)| with - without).collect();
    let [without, with] = percents.map(|percents| spread(percents, 2));
    json!({
        "agents": AGENTS,
        "refusals_per_second": spread(refusals, 0),
        "percent_of_a_processor_without": without,
        "percent_of_a_processor_with": with,
        "percent_of_a_processor_more": spread(more, 2),
    })
}

/// A token-server with its agents.
struct Stand {
    server: TokenServer,
    sites: Vec<Site>,
    _reader: Option<integration_tests::decisions::Decisions>,
    _folder: tempfile::TempDir,
}

impl Stand {
    fn start(release: &Release, which: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = TokenServer::start(folder.path(), "standard");
        let sites = (0..AGENTS)
            .map(|_| {
                Site::start(&Plan {
                    program: release.program.clone(),
                    has_token_server: false,
                    agent_environment: vec![
                        ("JWT_TOKEN_SERVER_BACKEND".to_owned(), server.url()),
                        (SETTING.to_owned(), which.to_owned()),
                    ],
                    ..Plan::default()
                })
            })
            .collect();
        let reader = (which != "off").then(|| server.decisions(0).unwrap());
        Self { server, sites, _reader: reader, _folder: folder }
    }

    /// The part of a processor that the token-server spent, and how many requests its agents refused in a second.
    fn turn(&self) -> (f64, f64) {
        let requests: Arc<[Prepared]> = [Prepared::get("/", "Bearer a.b.c", 401)].into();
        let loads = self.sites.iter().map(|site| {
            let Address::Tcp(target) = site.proxies[0].address else {
                unreachable!("HAProxy listens on a port here")
            };
            let rate = Some(REFUSALS / AGENTS as f64);
            Load {
                target,
                requests: Arc::clone(&requests),
                connections: 4,
                threads: 1,
                rate,
                amount: Amount::For(WATCHED),
            }
        });
        let loads: Vec<_> = loads.map(|load| thread::spawn(move || load.run())).collect();
        let id = self.server.process.id();
        let (begin, before) = (Instant::now(), processor_time(id).unwrap());
        let answers: usize =
            loads.into_iter().map(|load| load.join().unwrap()).map(|outcome| outcome.answers).sum();
        let (took, spent) = (begin.elapsed().as_secs_f64(), processor_time(id).unwrap() - before);
        (spent.as_secs_f64() * 100.0 / took, answers as f64 / took)
    }
}

/// What an agent spends on an answer with each value of the setting, in turns.
fn of_agent(release: &Release, requests: &Arc<[Prepared]>) -> Value {
    let values = ["off", "sample", "full"];
    let edges = values.map(|which| {
        let cell = Cell::new(release, Way::Hit);
        Edge::start_with(&cell, None, &requests[..1], &[(SETTING, which)])
    });
    let mut costs = values.map(|_| Vec::new());
    for _ in 0..AGENT_TURNS {
        for (edge, costs) in edges.iter().zip(&mut costs) {
            costs.push(cost(edge, requests));
        }
    }
    let more =
        |with: usize| costs[with].iter().zip(&costs[0]).map(|(with, without)| with - without).collect();
    let (sample, full) = (spread(more(1), 3), spread(more(2), 3));
    let us = values.into_iter().zip(costs.map(|costs| spread(costs, 3)));
    let us: serde_json::Map<String, Value> = us.map(|(which, costs)| (which.to_owned(), costs)).collect();
    json!({"us_per_answer": us, "us_more_with_sample": sample, "us_more_with_full": full})
}

fn cost(edge: &Edge, requests: &Arc<[Prepared]>) -> f64 {
    let load = Load {
        target: edge.address,
        requests: Arc::clone(requests),
        connections: 32,
        threads: 1,
        rate: None,
        amount: Amount::For(LOADED),
    };
    let id = edge.agent.as_ref().unwrap().process.id();
    let before = processor_time(id).unwrap();
    let outcome = load.run();
    (processor_time(id).unwrap() - before).as_secs_f64() * 1e6 / outcome.answers.max(1) as f64
}

fn spread(mut figures: Vec<f64>, digits: i32) -> Value {
    figures.sort_by(f64::total_cmp);
    let at = |part: usize| rounded(figures[(figures.len() - 1) * part / 2], digits);
    json!({"min": at(0), "median": at(1), "max": at(2)})
}
