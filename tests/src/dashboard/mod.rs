//! `dashboards/haproxy-jwt.json`, held against a real Prometheus that watches the whole at work.

mod draw;
mod prometheus;
mod stage;
mod traffic;

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::chart::Unit;
use crate::process::repository;

pub use draw::run;
pub use prometheus::{Prometheus, Series};
pub use stage::Stage;

/// Panels below one heading.
#[derive(Debug)]
pub struct Row {
    pub title: String,
    pub panels: Vec<Panel>,
}

/// One panel of Grafana's kind `timeseries`.
#[derive(Debug)]
pub struct Panel {
    pub title: String,
    pub unit: Unit,
    pub queries: Vec<Query>,
}

/// What a panel asks Prometheus.
#[derive(Debug)]
pub struct Query {
    expression: String,
    legend: String,
}

impl Query {
    /// The expression as Grafana sends it, counting over `interval`.
    pub fn over(&self, interval: Duration) -> String {
        self.expression.replace("$__rate_interval", &format!("{}ms", interval.as_millis()))
    }

    /// What Grafana calls a series.
    pub fn name(&self, series: &Series) -> String {
        let mut name = self.legend.clone();
        for (label, value) in &series.labels {
            name = name.replace(&format!("{{{{{label}}}}}"), value);
        }
        // A label that a series does not have.
        while let Some((before, rest)) = name.split_once("{{") {
            name = format!("{before}{}", rest.split_once("}}").map_or("", |(_, after)| after));
        }
        name.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// The rows of the dashboard.
///
/// # Panics
///
/// It is none, or has a panel of another kind.
pub fn rows() -> Vec<Row> {
    let text = fs::read_to_string(repository().join("dashboards/haproxy-jwt.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut rows: Vec<Row> = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap().to_owned();
        match panel["type"].as_str() {
            Some("row") => rows.push(Row { title, panels: Vec::new() }),
            Some("timeseries") => rows.last_mut().unwrap().panels.push(read(title, panel)),
            other => panic!("a panel of type {other:?}"),
        }
    }
    rows
}

fn read(title: String, panel: &Value) -> Panel {
    let unit = match panel["fieldConfig"]["defaults"]["unit"].as_str() {
        Some("short") => Unit::Number,
        Some("reqps" | "ops") => Unit::PerSecond,
        Some("s") => Unit::Seconds,
        Some("bytes") => Unit::Bytes,
        Some("percentunit") => Unit::Share,
        other => panic!("{title}: the unit {other:?}"),
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let queries = panel["targets"].as_array().unwrap().iter();
    let queries =
        queries.map(|query| Query { expression: text(&query["expr"]), legend: text(&query["legendFormat"]) });
    Panel { queries: queries.collect(), title, unit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_called_as_the_legend_says() {
        let query =
            Query { expression: String::new(), legend: "{{instance}} left out: {{reason}}".to_owned() };
        let mut series =
            Series { labels: vec![("instance".to_owned(), "agent1".to_owned())], points: Vec::new() };
        assert_eq!(query.name(&series), "agent1 left out:");
        series.labels.push(("reason".to_owned(), "use".to_owned()));
        assert_eq!(query.name(&series), "agent1 left out: use");
    }
}
