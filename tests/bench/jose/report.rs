//! One table, and its figures.

use serde_json::{Value, json};

use crate::measure::{Spread, rounded};

/// What a whole verdict may take above the primitive as aws-lc-rs has it, in microseconds. Reading the
/// signature from base64url counts with the primitive: that of ML-DSA-87 has 6,170 characters.
pub(crate) const LIMIT: f64 = 3.0;

/// What two measurements of the same may differ by, as a part of it: the slowest algorithms take a hundred times the
/// limit, and no shared machine is as steady as that.
const UNSTEADINESS: f64 = 0.02;

pub(crate) struct Row {
    pub(crate) name: String,
    /// The primitive that gets the key's bytes each time.
    pub(crate) fresh: Spread,
    /// The primitive with a key that was parsed before.
    pub(crate) ready: Spread,
    /// Reading a signature from base64url, where there is one.
    pub(crate) signature_text: Option<Spread>,
    /// The verdict.
    pub(crate) whole: Spread,
}

impl Row {
    fn above_fresh(&self) -> f64 {
        self.whole.median - self.fresh.median
    }

    fn above_ready(&self) -> f64 {
        self.whole.median - self.ready.median
    }

    fn is_within(&self, limit: f64) -> bool {
        let text = self.signature_text.map_or(0.0, |text| text.median);
        self.above_fresh() - text < limit.max(self.fresh.median * UNSTEADINESS)
    }
}

/// Prints the table, and whether a row is above the limit.
pub(crate) fn print(title: &str, rows: &[Row], limit: f64) {
    println!("{title}: us, median (tenth to tenth from the end)\n");
    let [fresh, ready] = ["primitive, key's bytes", "primitive, parsed key"];
    println!(
        "{:20} {fresh:>26} {ready:>26} {:>26} {:>12} {:>13} {:>15}",
        "", "whole", "above bytes", "above parsed", "signature text"
    );
    for row in rows {
        let [fresh, ready, whole] = [row.fresh, row.ready, row.whole].map(cell);
        let (above_fresh, above_ready) = (row.above_fresh(), row.above_ready());
        let text = row.signature_text.map_or("-".to_owned(), |text| format!("{:.2}", text.median));
        println!(
            "{:20} {fresh:>26} {ready:>26} {whole:>26} {above_fresh:>12.2} {above_ready:>13.2} {text:>15}",
            row.name
        );
    }
    if !rows.iter().all(|row| row.is_within(limit)) {
        println!("NOT MET: more than {limit} us above the primitive");
    }
    println!();
}

fn cell(Spread { median, low, high }: Spread) -> String {
    format!("{median:.2} ({low:.2}..{high:.2})")
}

/// All rows as JSON.
pub(crate) fn figures(sections: &[(&str, &[Row])]) -> Value {
    let rows = |rows: &[Row]| -> Value {
        rows.iter()
            .map(|row| {
                json!({
                    "name": row.name,
                    "primitive_key_bytes": row.fresh.json(),
                    "primitive_parsed_key": row.ready.json(),
                    "signature_from_base64url": row.signature_text.map(Spread::json),
                    "whole": row.whole.json(),
                    "above_key_bytes": rounded(row.above_fresh()),
                    "above_parsed_key": rounded(row.above_ready()),
                })
            })
            .collect()
    };
    let sections: serde_json::Map<_, _> =
        sections.iter().map(|(name, section)| ((*name).to_owned(), rows(section))).collect();
    json!({"unit": "us per token", "limit_above_key_bytes": LIMIT, "sections": sections})
}
