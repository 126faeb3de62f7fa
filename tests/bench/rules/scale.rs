//! Rules in one process, as the example of `crates/rules` measures them.

use std::process::Command;

use integration_tests::process::workspace_program;
use serde_json::{Value, json};

/// The columns of the example's table, in their order.
const COLUMNS: [&str; 7] = ["rules", "MiB", "bytes_per_rule", "build_s", "hit_ns", "miss_ns", "write_us"];

/// Runs the example, whose table goes to the reader, and returns its rows.
pub(crate) fn rows() -> Result<Vec<Value>, String> {
    let program = workspace_program("examples/scale")
        .map_err(|_| "the example is not built: run cargo build --release -p rules --example scale")?;
    let output =
        Command::new(program).output().map_err(|error| format!("the example does not run: {error}"))?;
    let table = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("the example failed:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    println!("Rules with an equality, in one process\n\n{table}");
    table.lines().skip(1).map(row).collect()
}

fn row(line: &str) -> Result<Value, String> {
    let numbers: Option<Vec<f64>> = line.split_whitespace().map(|word| word.parse().ok()).collect();
    match numbers {
        Some(numbers) if numbers.len() == COLUMNS.len() => Ok(COLUMNS
            .iter()
            .zip(numbers)
            .map(|(name, number)| ((*name).to_owned(), json!(number)))
            .collect()),
        _ => Err(format!("not a row of the example's table: {line}")),
    }
}
