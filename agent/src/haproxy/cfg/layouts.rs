//! The layouts of verdicts that the rules of a haproxy.cfg take, so that an agent whose verdicts have another one is found before
//! HAProxy asks it about every request.

use super::words::{Piece, plain};

/// Where an entry's layout is read: the third field of the variable that holds it.
const FIELD: &str = ",field(3,|)";

/// A layout with which a rule compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenLayout {
    /// The line of the rule, from 1.
    pub line: usize,
    /// The layout; absent where it is made of variables, and cannot be known here.
    pub layout: Option<String>,
}

/// Those of one line: every word of a comparison as a whole.
pub(super) fn read(line: usize, words: &[Vec<Piece>]) -> Vec<TakenLayout> {
    let mut found = Vec::new();
    for (position, word) in words.iter().enumerate() {
        if !plain(word).is_some_and(|word| word.starts_with("var(") && word.ends_with(FIELD)) {
            continue;
        }
        let condition = words.iter().skip(position.saturating_add(1));
        let mut patterns = condition.take_while(|word| plain(word) != Some("}")).peekable();
        let mut is_whole = true;
        while let Some(flag) = patterns.next_if(|word| plain(word).is_some_and(|word| word.starts_with('-')))
        {
            match plain(flag) {
                Some("--") => break,
                Some("-m") => is_whole = patterns.next().and_then(|method| plain(method)) == Some("str"),
                _ => {}
            }
        }
        if is_whole {
            found.extend(patterns.map(|word| TakenLayout { line, layout: plain(word).map(str::to_owned) }));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::haproxy::cfg::HaproxyCfg;

    #[test]
    fn reads_the_layouts_that_rules_compare_with() {
        for (rule, expected) in [
            (
                "http-request set-var(txn.tkn.valid) bool(true) if { var(txn.tkn_edge),field(3,|) -m str body,id } { always_true }",
                &[Some("body,id")][..],
            ),
            ("acl fits var(txn.tkn_edge),field(3,|) -m str -- id body,id", &[Some("id"), Some("body,id")]),
            ("acl fits var(txn.tkn_edge),field(3,|) id", &[Some("id")]),
            (r#"acl fits "var(txn.tkn_edge),field(3,|)" -m str """#, &[Some("")]),
            (r#"acl fits var(txn.tkn_edge),field(3,|) -m str "${LAYOUT}""#, &[None]),
            // What does not compare as a whole, or compares something else.
            ("acl fits var(txn.tkn_edge),field(3,|) -m beg id", &[]),
            ("acl fits var(txn.tkn_edge),field(2,|) -m str id", &[]),
            ("acl fits var(txn.tkn_edge),field(3,|),lower -m str id", &[]),
            ("# acl fits var(txn.tkn_edge),field(3,|) -m str id", &[]),
        ] {
            let cfg = HaproxyCfg::parse(&format!("frontend web\n{rule}\n")).unwrap();
            let found: Vec<_> = cfg.layouts().iter().map(|taken| taken.layout.as_deref()).collect();
            assert_eq!(found, expected, "{rule}");
            assert!(cfg.layouts().iter().all(|taken| taken.line == 2), "{rule}");
        }
    }
}
