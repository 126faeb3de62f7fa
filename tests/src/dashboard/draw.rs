//! The dashboard as pictures: `docs/dashboard-*.svg`, one for each row, of what Prometheus answered about minutes of traffic.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use super::{Panel, Prometheus, Row, Stage, rows};
use crate::chart::{self, Line};
use crate::process::repository;
use crate::token::now;

/// How often Prometheus looks, and over how long rates are counted.
const EVERY: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_secs(10);

/// Points of a line.
const POINTS: u64 = 90;

const COLUMNS: usize = 3;

/// Lets traffic pass for this time, and draws what Prometheus tells of it.
///
/// # Errors
///
/// A picture cannot be written.
///
/// # Panics
///
/// Something does not come up.
pub fn run(time: Duration) -> io::Result<()> {
    let mut stage = Stage::start(EVERY);
    let (start, from) = (Instant::now(), now());
    while start.elapsed() < time {
        // Quiet, busy, quiet.
        let busy = (start.elapsed().as_secs() / 20) % 2 == 1;
        (0..if busy { 3 } else { 1 }).for_each(|_| stage.round());
        std::thread::sleep(EVERY / 2);
    }
    let to = now();
    for row in rows() {
        let panels: Vec<chart::Panel> =
            row.panels.iter().map(|panel| drawn(&stage.prometheus, panel, from, to)).collect();
        let path = repository().join("docs").join(row.file());
        fs::write(&path, chart::svg(&panels, COLUMNS))?;
        println!("drawn: {}", path.display());
    }
    Ok(())
}

fn drawn(prometheus: &Prometheus, panel: &Panel, from: u64, to: u64) -> chart::Panel {
    let step = ((to - from) / POINTS).max(1);
    let mut lines = Vec::new();
    for query in &panel.queries {
        for series in prometheus.during(&query.over(INTERVAL), from, to, step) {
            let points = series.points.iter().map(|(at, value)| (at - from as f64, *value)).collect();
            lines.push(Line { name: query.name(&series), points });
        }
    }
    // What never happened would only take the room of names. Highest first, as far as they are written.
    let most = |line: &Line| line.points.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    if lines.iter().any(|line| most(line) > 0.0) {
        lines.retain(|line| most(line) > 0.0);
    }
    lines.sort_by(|one, other| most(other).total_cmp(&most(one)));
    chart::Panel { title: panel.title.clone(), unit: panel.unit, lines }
}

impl Row {
    /// The name of its picture below docs/.
    pub fn file(&self) -> String {
        let words = self.title.split(|letter: char| !letter.is_ascii_alphanumeric());
        let words: Vec<String> = words.filter(|word| !word.is_empty()).map(str::to_ascii_lowercase).collect();
        format!("dashboard-{}.svg", words.join("-"))
    }
}
