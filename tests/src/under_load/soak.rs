//! A long time without a fault: memory and descriptors of each process must come to rest, and every answer be right.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::stage::{BOUND, Stage};
use crate::chart::{Line, Panel, Unit, svg};
use crate::load::cost;
use crate::wait::poll;

/// Looks at the processes.
const SAMPLES: u32 = 120;

/// Users whose tokens are revoked meanwhile.
const WITNESSES: u32 = 30;

/// By how much the last quarter may be above the second one: an allocator's noise, and no leak that matters.
const MEMORY_MARGIN: f64 = 8.0;
const MEMORY_PART: f64 = 0.1;
const DESCRIPTOR_MARGIN: f64 = 16.0;

const MIB: f64 = 1_048_576.0;

/// Lets the whole run for `time`, and draws `chart`; tells whether all stayed as it must.
///
/// # Errors
///
/// The chart cannot be written, or a process is gone.
///
/// # Panics
///
/// The stage does not come up.
pub fn run(time: Duration, chart: &Path) -> io::Result<bool> {
    let stage = Stage::start();
    let traffic = stage.traffic();
    stage.wait_passing(&traffic);
    let pids = processes(&stage);
    let line = |(name, _): &(String, u32)| Line { name: name.clone(), points: Vec::new() };
    let panel = |title: &str| Panel {
        title: title.to_owned(),
        unit: Unit::Number,
        lines: pids.iter().map(line).collect(),
    };
    let (mut memory, mut descriptors) = (panel("resident memory, MiB"), panel("open descriptors"));
    let start = Instant::now();
    let mut all_right = true;
    for sample in 0..SAMPLES {
        if sample % (SAMPLES / WITNESSES) == 0 {
            let user = format!("witness{sample}");
            let witness = stage.witness(&user);
            traffic.add(witness.clone());
            stage.wait_passing(&traffic);
            stage.revoke(&user, &witness);
            all_right &= poll(BOUND * 2, || witness.refused_after()).is_some();
        }
        let due = time / SAMPLES * (sample + 1);
        thread::sleep(due.saturating_sub(start.elapsed()));
        let at = start.elapsed().as_secs_f64();
        for (index, (_, pid)) in pids.iter().enumerate() {
            memory.lines[index].points.push((at, cost::resident(*pid)? as f64 / MIB));
            descriptors.lines[index].points.push((at, cost::descriptors(*pid)? as f64));
        }
        stage.edge.backend.forget();
    }
    let counts = traffic.take();
    let wrong = counts.admitted_wrongly + counts.answered_wrongly;
    println!("{counts:?}");
    traffic.wrong().iter().for_each(|wrong| println!("WRONG: {wrong}"));
    all_right &= wrong == 0;
    for line in &memory.lines {
        let (middle, end) = quarters(line);
        all_right &= is_at_rest(line, "MiB", middle, end, MEMORY_MARGIN + middle * MEMORY_PART);
    }
    for line in &descriptors.lines {
        let (middle, end) = quarters(line);
        all_right &= is_at_rest(line, "descriptors", middle, end, DESCRIPTOR_MARGIN);
    }
    fs::write(chart, svg(&[memory, descriptors], 1))?;
    println!("drawn: {}", chart.display());
    Ok(all_right)
}

fn processes(stage: &Stage) -> Vec<(String, u32)> {
    let edge = &stage.edge;
    let mut processes = vec![&edge.haproxy.process, stage.redis.process()];
    processes.extend(edge.agents.iter().map(|agent| &agent.process));
    let mut named: Vec<_> =
        processes.into_iter().map(|process| (process.name().to_owned(), process.id())).collect();
    for (index, server) in stage.servers.iter().enumerate() {
        named.push((format!("token-server{}", index + 1), server.process.id()));
    }
    named
}

/// The means of the second and of the last quarter.
fn quarters(line: &Line) -> (f64, f64) {
    let quarter = line.points.len() / 4;
    let mean = |points: &[(f64, f64)]| {
        points.iter().map(|(_, value)| value).sum::<f64>() / points.len().max(1) as f64
    };
    (mean(&line.points[quarter..2 * quarter]), mean(&line.points[3 * quarter..]))
}

fn is_at_rest(line: &Line, unit: &str, middle: f64, end: f64, margin: f64) -> bool {
    let rests = end <= middle + margin;
    let verdict = if rests { "ok" } else { "GROWS" };
    println!(
        "{:<16}{:>8.1} {unit} in the second quarter, {end:.1} in the last, {margin:.1} more allowed: {verdict}",
        line.name, middle
    );
    rests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_told_from_noise() {
        let line = |slope: f64| Line {
            name: "agent".to_owned(),
            points: (0..40_u8).map(|at| (f64::from(at), 50.0 + slope * f64::from(at))).collect(),
        };
        let rests = |slope: f64| {
            let (middle, end) = quarters(&line(slope));
            is_at_rest(&line(slope), "MiB", middle, end, MEMORY_MARGIN)
        };
        assert!(rests(0.0) && rests(0.3) && rests(-1.0));
        assert!(!rests(0.5));
    }
}
