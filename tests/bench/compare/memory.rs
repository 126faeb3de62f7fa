//! The part `memory`: the agent after very many different tokens, good ones and garbage.

use std::ops::Range;
use std::sync::Arc;

use integration_tests::load::cost::resident;
use integration_tests::load::results::rounded;
use integration_tests::load::{Amount, Load, Prepared};
use serde_json::{Value, json};

use crate::cell::{Cell, Way};
use crate::edge::Edge;
use crate::release::Release;
use crate::traffic::{Looks, garbage, good_tokens, one_token};

/// Tokens that are in use all the time while garbage comes.
const IN_USE: usize = 1_000;
/// After each of so many parts the memory is read.
const PARTS: usize = 10;

/// Sends `count` tokens of each kind through one release.
pub(crate) fn run(release: &Release, count: usize) -> Value {
    json!({
        "haproxy": release.to_string(),
        "tokens": count,
        "good": Run::start(release).good(count),
        "garbage": Run::start(release).garbage(count),
    })
}

struct Run {
    edge: Edge,
    errors: usize,
}

impl Run {
    fn start(release: &Release) -> Self {
        let cell = Cell::new(release, Way::Hit);
        let probe = one_token("HS256", Looks::Everything);
        Self { edge: Edge::start(&cell, None, &probe[..1]), errors: 0 }
    }

    fn send(&mut self, requests: Arc<[Prepared]>) {
        let amount = Amount::Requests(requests.len());
        let load =
            Load { target: self.edge.address, requests, connections: 32, threads: 1, rate: None, amount };
        self.errors += load.run().errors;
    }

    fn agent_mib(&self) -> Value {
        let agent = self.edge.agent.as_ref().unwrap();
        rounded(resident(agent.process.id()).unwrap() as f64 / 1_048_576.0, 1)
    }

    fn good(mut self, count: usize) -> Value {
        let mut mib = vec![self.agent_mib()];
        for part in parts(count) {
            self.send(good_tokens(part.clone()));
            mib.push(self.agent_mib());
            println!("{} good tokens: {} MiB", part.end, mib.last().unwrap());
        }
        json!({"agent_mib": mib, "errors": self.errors})
    }

    fn garbage(mut self, count: usize) -> Value {
        let in_use = good_tokens(0..IN_USE);
        self.send(Arc::clone(&in_use));
        let (mut mib, mut hit_rates) = (vec![self.agent_mib()], Vec::new());
        for part in parts(count) {
            self.send(garbage(part.clone()));
            let before = self.hits();
            self.send(Arc::clone(&in_use));
            let hits = self.hits().zip(before).map(|(after, before)| after - before);
            hit_rates.push(hits.map(|hits| rounded(hits / IN_USE as f64, 4)));
            mib.push(self.agent_mib());
            println!(
                "{} of garbage: {} MiB, hit rate of good tokens {hits:?} of {IN_USE}",
                part.end,
                mib.last().unwrap()
            );
        }
        json!({"agent_mib": mib, "hit_rate_of_good_tokens": hit_rates, "errors": self.errors})
    }

    fn hits(&self) -> Option<f64> {
        self.edge.agent_metric("jwt_agent_cache_hits_total")
    }
}

fn parts(count: usize) -> impl Iterator<Item = Range<usize>> {
    let each = count.div_ceil(PARTS).max(1);
    (0..count).step_by(each).map(move |from| from..count.min(from + each))
}
