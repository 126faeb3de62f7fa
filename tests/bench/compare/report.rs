//! The part `report`: the figures of all parts so far as tables, a chart, and the targets.

use std::fs;

use integration_tests::load::results::{path, read};
use serde_json::Value;

use crate::row::{self, Row};
use crate::{chart, targets};

/// Prints what `bench/results.json` holds, and draws its chart beside it.
pub(crate) fn run() -> std::io::Result<()> {
    let parts = read()?;
    let figures = |part: &str| parts.get(part).and_then(|part| part.get("figures"));
    let rows: Vec<Row> = figures("edge")
        .and_then(|edge| edge.get("rows"))
        .map(|rows| serde_json::from_value(rows.clone()))
        .transpose()?
        .unwrap_or_default();
    for release in row::releases(&rows) {
        row::print(release, &rows);
    }
    for part in ["delay", "memory"] {
        if let Some(figures) = figures(part) {
            println!("\n{part}: {figures:#}");
        }
    }
    print_targets(&rows, figures("delay"), figures("memory"));
    if !rows.is_empty() {
        let chart = path().with_file_name("cost.svg");
        fs::write(&chart, chart::draw(&rows))?;
        println!("\n{} holds all figures, {} the chart", path().display(), chart.display());
    }
    Ok(())
}

fn print_targets(rows: &[Row], delay: Option<&Value>, memory: Option<&Value>) {
    println!("\nTargets\n");
    for target in targets::targets(rows, delay, memory) {
        let (measured, verdict) = match &target.measured {
            Some(measured) => (measured.text.as_str(), if measured.met { "met" } else { "NOT MET" }),
            None => ("", "not measured"),
        };
        println!("{:<64} {:>18} {measured:>24}  {verdict}", target.name, target.limit);
    }
}
