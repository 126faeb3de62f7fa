//! What `--check` says of key sources: each is loaded once, and every key that is left out is told by its `kid`.

use jose::{KeyRules, KeySetError, SkippedKey};

use crate::load_error::LoadError;
use crate::source::Source;

/// What was found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// What is used, what is not, and why.
    pub lines: Vec<String>,
    /// Sources that give no keys.
    pub faults: Vec<String>,
}

/// Loads each source once.
pub async fn report(sources: &[(usize, Source)], rules: &KeyRules) -> Report {
    let mut report = Report::default();
    for (_, source) in sources {
        let name = source.name();
        match source.load(rules).await {
            Ok(_) if matches!(source, Source::PerKid(..)) => {
                report.lines.push(format!("{name}: each key is fetched when a token names it"));
            }
            Ok(set) => {
                report.lines.push(format!("{name}: {} keys", set.len()));
                report.lines.extend(left_out(&name, set.skipped()));
                let warnings = set.warnings().iter();
                report.lines.extend(warnings.map(|warning| format!("{name}: warning: {warning}")));
            }
            Err(LoadError::Keys(KeySetError::NoneUsable(skipped))) => {
                report.faults.push(format!("{name}: holds no usable key"));
                report.faults.extend(left_out(&name, &skipped));
            }
            Err(error) => report.faults.push(format!("{name}: {error}")),
        }
    }
    report
}

fn left_out<'a>(name: &'a str, skipped: &'a [SkippedKey]) -> impl Iterator<Item = String> + 'a {
    skipped.iter().map(move |skipped| format!("{name}: left out: {skipped}"))
}
