//! The parts `edge-hit` and `signatures`: the lines of one HAProxy stand side by side, and each is loaded for a moment in turns. What
//! else the machine does changes within seconds, and meets all of them alike.

use std::sync::Arc;
use std::time::{Duration, Instant};

use integration_tests::load::{Amount, Load, Prepared};

use crate::cell::{Cell, Way};
use crate::edge::Edge;
use crate::kept::{self, Rules};
use crate::release::Release;
use crate::rounds::{self, Kept, Requests, Sample, Stock};
use crate::row::Row;

/// How long a line is loaded before it is measured: connections are open, processors run as fast as they do under load.
const WARM_UP: Duration = Duration::from_millis(60);
/// The part of its requests that it is warmed up with instead, where each counts once.
const WARM_UP_PART: usize = 4;
/// How long it is measured in one turn.
const TURN: Duration = Duration::from_millis(300);

/// A line that waits for its turns.
struct Line<'a> {
    cell: &'a Cell,
    edge: Edge,
    /// What it is loaded with before each turn, and how many verdicts HAProxy is to have then.
    first: (Requests, usize),
    requests: Requests,
}

/// Gives each of `cells` so many turns beside the others of its HAProxy, and a row for each.
pub(crate) fn run(releases: &[Release], cells: &[Cell], turns: usize) -> Vec<Row> {
    let stock = Stock::default();
    println!("{} lines, {turns} turns of each", cells.len());
    releases.iter().flat_map(|release| side_by_side(release, cells, turns, &stock)).collect()
}

fn side_by_side(release: &Release, cells: &[Cell], turns: usize, stock: &Stock) -> Vec<Row> {
    let begin = Instant::now();
    let cells: Vec<Cell> = cells.iter().filter(|cell| cell.release == *release).cloned().collect();
    let lines: Vec<Line<'_>> = cells.iter().map(|cell| Line::start(cell, stock)).collect();
    let mut samples: Vec<Vec<Sample>> = cells.iter().map(|_| Vec::new()).collect();
    for turn in 0..turns {
        for (line, samples) in lines.iter().zip(&mut samples) {
            let sample = line.turn(turn, turns);
            if let Some(error) = &sample.outcome.first_error {
                println!("{}: {error}", line.cell);
            }
            samples.push(sample);
        }
        println!("{:>5.0} s  {release}  turn {} of {turns}", begin.elapsed().as_secs_f64(), turn + 1);
    }
    let rows = rounds::rows(&cells, &samples);
    for (cell, row) in cells.iter().zip(&rows) {
        let above = row.above_plain_us;
        println!("{cell}: {} us above plain ({} to {})", above.median, above.min, above.max);
    }
    rows
}

impl<'a> Line<'a> {
    fn start(cell: &'a Cell, stock: &Stock) -> Self {
        let first = stock.first(cell);
        let edge = Edge::start(cell, None, &first.0[..1]);
        Self { cell, edge, first, requests: stock.requests(cell) }
    }

    fn turn(&self, turn: usize, turns: usize) -> Sample {
        let part = self.requests.len() / turns;
        let part = &self.requests[turn * part..(turn + 1) * part];
        let each_once = |requests: &[Prepared]| (Requests::from(requests), Amount::Requests(requests.len()));
        let again = |requests: &Requests, time| (Arc::clone(requests), Amount::For(time));
        let (first, requests) = match self.cell.way {
            // Tokens that came before are none that change.
            Way::EdgeChanging => (again(&self.first.0, WARM_UP), each_once(part)),
            // A proof that came before is refused, a token that did is known.
            way if way.counts_once() => {
                let (first, rest) = part.split_at(part.len() / WARM_UP_PART);
                (each_once(first), each_once(rest))
            }
            _ => (again(&self.first.0, WARM_UP), again(&self.requests, TURN)),
        };
        let load = self.load(requests);
        self.load(first).run();
        if !self.cell.way.keeps_verdicts() {
            return rounds::sample(&self.edge, &load);
        }
        let warm_up = self.load(each_once(&self.first.0));
        kept::fill(&self.edge, &warm_up, self.first.1);
        let rules = Rules::write(self.edge.token_server.as_ref().unwrap());
        let asked = kept::asked(&self.edge);
        let mut sample = rounds::sample(&self.edge, &load);
        sample.kept = Some(Kept {
            asked_percent: (kept::asked(&self.edge) - asked) * 100.0 / sample.outcome.answers.max(1) as f64,
            rules_per_second: rules.written() as f64 / sample.outcome.elapsed.as_secs_f64(),
        });
        sample
    }

    fn load(&self, (requests, amount): (Requests, Amount)) -> Load {
        Load {
            target: self.edge.address,
            requests,
            connections: self.cell.connections,
            threads: 1,
            rate: None,
            amount,
        }
    }
}
