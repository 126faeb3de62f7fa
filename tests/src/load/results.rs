//! The one file of figures, `bench/results.json`: each part of `make bench` puts its own in, and leaves the others'.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::process::repository;

/// Where the figures are: the file that `BENCH_RESULTS` names, or the repository's.
pub fn path() -> PathBuf {
    std::env::var_os("BENCH_RESULTS").map_or_else(|| repository().join("bench/results.json"), PathBuf::from)
}

/// The figures of all parts that ran, by part; empty when none did.
///
/// # Errors
///
/// The file cannot be read, or holds no JSON object.
pub fn read() -> io::Result<Map<String, Value>> {
    match fs::read(path()) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Map::new()),
        Err(error) => Err(error),
    }
}

/// Replaces the figures of one part. What ran them stands beside them, since parts can run on different machines.
///
/// # Errors
///
/// The file cannot be read or written.
pub fn record(part: &str, figures: Value) -> io::Result<()> {
    let mut parts = read()?;
    parts.insert(part.to_owned(), json!({"machine": machine(), "figures": figures}));
    let path = path();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let fresh = path.with_extension("new");
    fs::write(&fresh, format!("{:#}\n", Value::Object(parts)))?;
    fs::rename(fresh, path)
}

/// Processor, how many of them, and how busy they were with other things when this was written.
fn machine() -> Value {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let model = read("/proc/cpuinfo")
        .lines()
        .find_map(|line| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim().to_owned()));
    json!({
        "processor": model,
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
        "load_average": read("/proc/loadavg").split_whitespace().next(),
    })
}

/// Rounded to this many digits behind the point, so that the file shows no digits that mean nothing.
pub fn rounded(value: f64, digits: i32) -> Value {
    let factor = 10_f64.powi(digits);
    json!((value * factor).round() / factor)
}
