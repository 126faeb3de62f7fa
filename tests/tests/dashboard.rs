//! The dashboard against a real Prometheus: each query of each panel gives a series, once there is something to count.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use integration_tests::dashboard::{Stage, rows};
use integration_tests::process::repository;

const EVERY: Duration = Duration::from_millis(500);

/// Over which rates are counted: some scrapes.
const INTERVAL: Duration = Duration::from_secs(4);

/// Many scrapes of a busy machine; only a fault takes so long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Panels whose numbers are faults that do not happen here: their series is there, and may be 0.
const FAULTS: [&str; 14] = [
    "Agents that are heard",
    "Decisions that are not told",
    "Requests in flight",
    "Connections of HAProxy",
    "Ended by the agent",
    "Written, deleted, left out",
    "Word taken back, connections",
    "Streams that do not end with their token",
    "Loads that failed, keys that were left out",
    "Checks that wait, are asked twice",
    "Rules that need an operator",
    "Changes, gaps, polls",
    "Answers that are kept, questions under way",
    "Proofs that no room was left for",
];

#[test]
fn each_query_of_each_panel_gives_a_series_once_there_is_something_to_count() {
    let mut stage = Stage::start(EVERY);
    let rows = rows();
    let panels: Vec<_> = rows.iter().flat_map(|row| &row.panels).collect();
    for title in FAULTS {
        assert!(panels.iter().any(|panel| panel.title == title), "no panel is called {title}");
    }
    let mut wanted: BTreeSet<(String, String)> = panels
        .iter()
        .flat_map(|panel| panel.queries.iter().map(|query| (panel.title.clone(), query.over(INTERVAL))))
        .collect();
    assert!(wanted.len() > 50, "{wanted:?}");
    let start = Instant::now();
    while !wanted.is_empty() {
        assert!(start.elapsed() < PATIENCE, "no series, or none above 0: {wanted:#?}");
        stage.round();
        wanted.retain(|(title, query)| {
            let least = if FAULTS.contains(&title.as_str()) { 0.0 } else { f64::MIN_POSITIVE };
            let series = stage.prometheus.now(query);
            !series.iter().flat_map(|series| &series.points).any(|(_, value)| *value >= least)
        });
    }
}

#[test]
fn the_document_shows_each_row_and_tells_of_each_panel() {
    let document = fs::read_to_string(repository().join("docs/DASHBOARD.md")).unwrap();
    let mut told = BTreeSet::new();
    for row in rows() {
        let (heading, picture) = (format!("\n## {}\n", row.title), format!("]({})", row.file()));
        assert!(document.contains(&heading), "no heading {}", row.title);
        assert!(document.contains(&picture), "no picture {}", row.file());
        let drawn = fs::read_to_string(repository().join("docs").join(row.file())).unwrap();
        for panel in row.panels {
            assert!(document.contains(&format!("| {} |", panel.title)), "nothing of {}", panel.title);
            assert!(drawn.contains(&format!(">{}<", panel.title)), "{} is not drawn", panel.title);
            assert!(told.insert(panel.title.clone()), "two panels are called {}", panel.title);
        }
    }
}
