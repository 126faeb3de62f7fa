//! A Prometheus that watches what it is told to, as an operator's does.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::agent::ask;
use crate::http::Request;
use crate::process::Process;
use crate::process::target_folder;
use crate::socket::Address;
use crate::wait::eventually;

/// What it scrapes: job, instance, and where that is.
pub(super) type Target<'a> = (&'a str, &'a str, &'a Address);

/// One series of an answer: its labels, and at so many seconds since the epoch, so much.
#[derive(Debug)]
pub struct Series {
    pub labels: Vec<(String, String)>,
    pub points: Vec<(f64, f64)>,
}

/// A running Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    address: Address,
    process: Process,
    _folder: TempDir,
}

/// `PROMETHEUS`, or where `tests/prometheus.sh` unpacks it: in the target folder.
fn program() -> PathBuf {
    if let Some(program) = std::env::var_os("PROMETHEUS") {
        return program.into();
    }
    let unpacked = target_folder().join("prometheus/root/usr/bin/prometheus");
    assert!(unpacked.is_file(), "{} is missing: run tests/prometheus.sh", unpacked.display());
    unpacked
}

impl Prometheus {
    /// Starts it and waits until it has scraped each target.
    ///
    /// # Panics
    ///
    /// It does not come up; with its log.
    pub(super) fn start(targets: &[Target<'_>], every: Duration) -> Self {
        let folder = TempDir::with_prefix("prometheus-").unwrap();
        let every = format!("{}ms", every.as_millis());
        let mut text =
            format!("global:\n  scrape_interval: {every}\n  scrape_timeout: {every}\nscrape_configs:\n");
        for (number, (job, instance, address)) in targets.iter().enumerate() {
            let _infallible = write!(
                text,
                "  - job_name: target{number}\n    static_configs:\n      - targets: ['{address}']\n        \
                 labels: {{job: {job}, instance: {instance}}}\n"
            );
        }
        let config = folder.path().join("prometheus.yml");
        fs::write(&config, text).unwrap();
        let address = Address::free_port().unwrap();
        let mut command = Command::new(program());
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"));
        let process = Process::start("prometheus", command).unwrap();
        let prometheus = Self { address, process, _folder: folder };
        eventually("Prometheus has scraped each target", || {
            let up = prometheus.try_ask("/api/v1/query?query=up%20%3D%3D%201")?;
            (up["result"].as_array()?.len() == targets.len()).then_some(())
        });
        prometheus
    }

    /// The series of an expression, now.
    ///
    /// # Panics
    ///
    /// It is no expression.
    pub fn now(&self, expression: &str) -> Vec<Series> {
        self.ask(&format!("/api/v1/query?query={}", encoded(expression)))
    }

    /// The same over a time, in steps of seconds.
    ///
    /// # Panics
    ///
    /// It is no expression.
    pub fn during(&self, expression: &str, from: u64, to: u64, step: u64) -> Vec<Series> {
        let query = encoded(expression);
        self.ask(&format!("/api/v1/query_range?query={query}&start={from}&end={to}&step={step}"))
    }

    fn ask(&self, target: &str) -> Vec<Series> {
        let data = self.try_ask(target).unwrap_or_else(|| panic!("{target}\n{}", self.process.log()));
        data["result"].as_array().unwrap().iter().map(series).collect()
    }

    /// HTTP/1.0, since its answers to anything newer come in chunks.
    fn try_ask(&self, target: &str) -> Option<Value> {
        if self.address.connect(Duration::from_secs(1)).is_err() {
            return None;
        }
        let response = ask(&self.address, &Request::line(&format!("GET {target} HTTP/1.0")));
        if response.status == 503 {
            return None;
        }
        assert_eq!(response.status, 200, "{target}: {response}");
        Some(serde_json::from_slice::<Value>(&response.body).unwrap()["data"].take())
    }
}

fn series(told: &Value) -> Series {
    let labels = told["metric"].as_object().unwrap().iter();
    let labels = labels.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
    let one = |point: &Value| -> Option<(f64, f64)> {
        let value: f64 = point[1].as_str()?.parse().ok()?;
        // A share of nothing is no number, and no point.
        value.is_finite().then_some((point[0].as_f64()?, value))
    };
    let points = match told["values"].as_array() {
        Some(values) => values.iter().filter_map(one).collect(),
        None => one(&told["value"]).into_iter().collect(),
    };
    Series { labels, points }
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            let _infallible = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}
