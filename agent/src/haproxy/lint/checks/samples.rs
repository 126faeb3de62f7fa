//! What samples and rules of a configuration are about.

use crate::haproxy::lint::rules::Rule;

/// What the question takes the policy from.
pub(super) const POLICY: &str = "txn.tkn_policy";

/// A rule that calls a token good by what a map says.
pub(super) fn is_of_the_edge(rule: &Rule<'_>) -> bool {
    rule.when.terms().any(|term| term.text().contains("field("))
}

/// Whether a sample is what a client writes, and no place of tokens.
pub(super) fn is_from_client(sample: &str) -> bool {
    let is_header = sample.contains("hdr(") || sample.contains("hdr_") || sample.contains("fhdr_cnt(");
    let is_token = sample.contains("(authorization)") || sample.contains("(host)");
    (is_header && !is_token)
        || ["cook(", "url_param(", "urlp(", "query", "body"]
            .iter()
            .any(|part| sample.starts_with(part) || sample.contains(&format!("req.{part}")))
}

/// Whether a definition matches more than whole, plain paths.
pub(super) fn is_loose_path(words: &[String]) -> bool {
    let Some((sample, rest)) = words.split_first() else { return false };
    let kind = sample.split([',', '(']).next().unwrap_or_default();
    if !["path", "url", "base", "pathq", "capture.req.uri"].iter().any(|known| kind.starts_with(known)) {
        return false;
    }
    if kind != "path" || sample.contains(',') {
        return kind != "path_str" || sample.contains(',');
    }
    let mut method = "str";
    let mut values = Vec::new();
    let mut words = rest.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "-m" => method = words.next().unwrap_or_default(),
            "-f" | "-M" => return true,
            "-i" | "-n" | "--" => {}
            value => values.push(value),
        }
    }
    match method {
        "str" => false,
        "reg" => values.iter().any(|value| !is_whole(value)),
        _ => true,
    }
}

/// Whether a regular expression matches a whole path, and no character but those that it names.
fn is_whole(expression: &str) -> bool {
    let is_open = expression.contains("[^") || expression.contains('\\');
    // A dot outside of brackets is any character.
    let mut is_in_brackets = false;
    let has_dot = expression.chars().any(|c| {
        match c {
            '[' => is_in_brackets = true,
            ']' => is_in_brackets = false,
            _ => {}
        }
        c == '.' && !is_in_brackets
    });
    expression.starts_with('^') && expression.ends_with('$') && !is_open && !has_dot
}
