//! The part `report`: the figures of all parts so far as tables, a chart, and the targets.

use std::fs;

use integration_tests::load::results::{path, read};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::row::{self, Row};
use crate::targets::{self, Target};
use crate::{chart, decisions, feed, forward_auth, kept_delay, opaque, signals, streams};

/// Prints what `bench/results.json` holds, and draws its chart beside it.
pub(crate) fn run() -> std::io::Result<()> {
    let parts = read()?;
    let figures = |part: &str| parts.get(part).and_then(|part| part.get("figures"));
    let rows: Vec<Row> = rows_of(figures("edge"))?;
    let kept: Vec<Row> = rows_of(figures("edge-hit"))?;
    let signatures: Vec<Row> = rows_of(figures("signatures"))?;
    for release in row::releases(&rows) {
        row::print(release, release, &rows);
    }
    for release in row::releases(&kept) {
        row::print(&format!("{release}, verdicts kept in it"), release, &kept);
    }
    for release in row::releases(&signatures) {
        row::print(&format!("{release}, no cache answers"), release, &signatures);
    }
    if let Some(runtime) = figures("edge-hit").and_then(|figures| figures.get("runtime")) {
        println!("\nthe runtime API's own cost: {runtime:#}");
    }
    for part in ["delay", "delay-edge", "streams", "signals", "opaque", "feed", "decisions", "memory"] {
        if let Some(figures) = figures(part) {
            println!("\n{part}: {figures:#}");
        }
    }
    let forward_auth: Vec<forward_auth::Row> = rows_of(figures("forward-auth"))?;
    if !forward_auth.is_empty() {
        forward_auth::print(&forward_auth);
    }
    let mut targets = targets::targets(&rows, &kept, &signatures, |part| figures(part).cloned());
    targets.extend(kept_delay::targets(figures("delay-edge")));
    targets.extend(streams::targets(figures("streams")));
    targets.extend(signals::targets(figures("signals")));
    targets.extend(opaque::targets(figures("opaque")));
    targets.extend(feed::targets(figures("feed")));
    targets.extend(decisions::targets(figures("decisions")));
    targets.extend(forward_auth::targets(&forward_auth));
    print_targets(&targets);
    if !rows.is_empty() {
        let chart = path().with_file_name("cost.svg");
        fs::write(&chart, chart::draw(&rows, &kept))?;
        println!("\n{} holds all figures, {} the chart", path().display(), chart.display());
    }
    Ok(())
}

fn rows_of<R: DeserializeOwned>(figures: Option<&Value>) -> std::io::Result<Vec<R>> {
    let rows = figures.and_then(|figures| figures.get("rows"));
    Ok(rows.map(|rows| serde_json::from_value(rows.clone())).transpose()?.unwrap_or_default())
}

fn print_targets(targets: &[Target]) {
    println!("\nTargets\n");
    for target in targets {
        let (measured, verdict) = match &target.measured {
            Some(measured) => (measured.text.as_str(), if measured.met { "met" } else { "NOT MET" }),
            None => ("", "not measured"),
        };
        println!("{:<76} {:>18} {measured:>24}  {verdict}", target.name, target.limit);
    }
}
