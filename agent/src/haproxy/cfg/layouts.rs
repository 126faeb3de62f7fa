//! The layouts of verdicts that the rules of a haproxy.cfg look for, so that an agent whose verdicts have another one is found before
//! HAProxy asks it about every request.

use super::words::Piece;

/// A layout that a rule looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenLayout {
    /// The line of the rule, from 1.
    pub line: usize,
    /// The layout; absent where it is made of variables, and cannot be known here.
    pub layout: Option<String>,
}

/// What stands before the layout in the sample that makes an entry's key; the quotes are HAProxy's, for the commas of the layout.
const BEFORE: &str = "req.fhdr(authorization),concat(";

/// Of a sample that makes the key of an entry: what follows where the layout begins.
fn behind(sample: &str) -> Option<&str> {
    let (_, arguments) = sample.split_once(BEFORE)?;
    arguments.strip_prefix('\'').unwrap_or(arguments).strip_prefix('|')
}

/// The layout of the entries that a sample looks for.
pub(in crate::haproxy) fn of_sample(sample: &str) -> Option<&str> {
    Some(behind(sample)?.split_once('|')?.0)
}

/// Those of one line.
pub(super) fn read(line: usize, words: &[Vec<Piece>]) -> Vec<TakenLayout> {
    let layout = |word: &Vec<Piece>| {
        let mut pieces = word.iter();
        let Some(Piece::Text(text)) = pieces.next() else { return None };
        match of_sample(text) {
            Some(layout) => Some(Some(layout.to_owned())),
            None => (behind(text).is_some() && pieces.next().is_some()).then_some(None),
        }
    };
    words.iter().filter_map(layout).map(|layout| TakenLayout { line, layout }).collect()
}

#[cfg(test)]
mod tests {
    use crate::haproxy::cfg::HaproxyCfg;

    #[test]
    fn reads_the_layouts_that_rules_look_for() {
        for (rule, expected) in [
            (
                r#"http-request set-var(txn.tkn_edge) "req.fhdr(authorization),concat('|body,id|',txn.tkn_policy),sha2(256),hex,map_str(${MAP})" if { always_true }"#,
                &[Some("body,id")][..],
            ),
            (
                "http-request set-var(txn.e) req.fhdr(authorization),concat(|id|,txn.tkn_policy),sha2(256)",
                &[Some("id")],
            ),
            (
                r#"http-request set-var(txn.e) "req.fhdr(authorization),concat('||',txn.tkn_policy)""#,
                &[Some("")],
            ),
            (
                r#"http-request set-var(txn.e) "req.fhdr(authorization),concat('|${FIELDS}|',txn.tkn_policy)""#,
                &[None],
            ),
            // What makes another key, and what HAProxy does not read.
            ("http-request set-var(txn.e) req.fhdr(authorization),concat(|,txn.tkn_policy),sha2(256)", &[]),
            ("http-request set-var(txn.e) req.fhdr(x-token),concat(|id|,txn.tkn_policy),sha2(256)", &[]),
            ("# http-request set-var(txn.e) req.fhdr(authorization),concat(|id|,txn.tkn_policy)", &[]),
        ] {
            let cfg = HaproxyCfg::parse(&format!("frontend web\n{rule}\n")).unwrap();
            let found: Vec<_> = cfg.layouts().iter().map(|taken| taken.layout.as_deref()).collect();
            assert_eq!(found, expected, "{rule}");
            assert!(cfg.layouts().iter().all(|taken| taken.line == 2), "{rule}");
        }
    }
}
