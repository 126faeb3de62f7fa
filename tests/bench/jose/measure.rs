//! The time of several ways to do one thing, call by call in turns, so that each finds the caches as the others left
//! them and what the machine does meanwhile meets all alike.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long one set of ways is measured.
const BUDGET: Duration = Duration::from_millis(1500);

/// Calls after which the median of the shortest ones stands.
pub(crate) const ENOUGH_CALLS: usize = 20_000;

/// Microseconds.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    /// Half of the calls took less.
    pub(crate) median: f64,
    /// A tenth of the calls took less.
    pub(crate) low: f64,
    /// A tenth of the calls took more.
    pub(crate) high: f64,
}

impl Spread {
    fn of(mut micros: Vec<f64>) -> Self {
        micros.sort_by(f64::total_cmp);
        let at = |tenths: usize| micros[(micros.len() - 1) * tenths / 10];
        Self { median: at(5), low: at(1), high: at(9) }
    }

    pub(crate) fn json(self) -> Value {
        json!({"median": rounded(self.median), "p10": rounded(self.low), "p90": rounded(self.high)})
    }
}

/// To the nanosecond.
pub(crate) fn rounded(micros: f64) -> f64 {
    (micros * 1000.0).round() / 1000.0
}

/// What one call of each way takes.
pub(crate) fn in_turns<const N: usize>(mut ways: [&mut dyn FnMut(); N]) -> [Spread; N] {
    let mut micros = [const { Vec::new() }; N];
    let begin = Instant::now();
    while micros[0].len() < ENOUGH_CALLS && begin.elapsed() < BUDGET {
        for (way, micros) in ways.iter_mut().zip(&mut micros) {
            let begin = Instant::now();
            way();
            micros.push(begin.elapsed().as_secs_f64() * 1e6);
        }
    }
    micros.map(Spread::of)
}
