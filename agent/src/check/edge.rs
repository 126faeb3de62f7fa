//! What `--check` says of verdicts inside HAProxy.

use super::Checked;
use crate::config::Config;
use crate::haproxy::cfg::{HaproxyCfg, TakenLayout};
use crate::haproxy::edge::connection::{Connection, open};
use crate::haproxy::edge::entry::Layout;

impl Checked {
    /// The socket may come later than a start, so that only `online` asks it.
    pub(super) async fn edge(&mut self, config: &Config, cfg: Option<&HaproxyCfg>, online: bool) {
        let (Some(edge), Some(layout)) = (&config.edge, Layout::of(&config.variables)) else { return };
        let (maps, terms) = (&edge.maps, edge.terms);
        self.lines.push(format!(
            "verdicts in HAProxy: up to {} for {} s in {}, leases in {}, fields {}",
            terms.entries,
            terms.entry.as_secs(),
            maps.verdicts,
            maps.leases,
            named(&layout.to_string()),
        ));
        self.faults.extend(cfg.and_then(|cfg| not_taken(&layout.to_string(), cfg.layouts())));
        for socket in &edge.sockets {
            let socket_name = socket.display();
            if !online {
                self.lines.push(format!("{socket_name}: asked with --online"));
                continue;
            }
            match open(socket, maps).await {
                Ok(Connection { version, .. }) => {
                    self.lines.push(format!("{socket_name}: HAProxy {version}, level admin, has both maps"));
                }
                Err(fault) => self.unanswered.push(format!("JWT_EDGE_SOCKETS: {socket_name}: {fault}")),
            }
        }
    }
}

/// That no rule takes verdicts whose fields are these, so that HAProxy would ask about every request all the same.
fn not_taken(layout: &str, taken: &[TakenLayout]) -> Option<String> {
    if taken.iter().any(|taken| taken.layout.as_deref().is_none_or(|taken| taken == layout)) {
        return None;
    }
    let others = taken
        .iter()
        .filter_map(|taken| Some(format!("line {} takes {}", taken.line, named(taken.layout.as_deref()?))));
    let others = others.collect::<Vec<_>>().join(", ");
    let others = if others.is_empty() { "no line names the fields of verdicts".to_owned() } else { others };
    Some(format!(
        "--haproxy-cfg: HAProxy would use no verdict of this agent, whose fields are {}: {others}; write \
         \"req.fhdr(authorization),concat('|{layout}|',txn.tkn_policy),..\" and read the fields in this order, from field(1,|) on, or \
         set JWT_VARIABLES to auto or to what the rules read",
        named(layout),
    ))
}

fn named(layout: &str) -> &str {
    if layout.is_empty() { "none" } else { layout }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(layouts: &[Option<&str>]) -> Vec<TakenLayout> {
        let taken =
            |(line, layout): (usize, &Option<&str>)| TakenLayout { line, layout: layout.map(str::to_owned) };
        (7..).zip(layouts).map(taken).collect()
    }

    #[test]
    fn a_layout_that_no_rule_takes_is_told_with_the_line_to_write() {
        for (layout, rules, expected) in [
            ("body,id", &[Some("body,id")][..], None),
            ("body,id", &[Some("body"), Some("body,id")], None),
            ("body,id", &[Some("body"), None], None),
            ("", &[Some("")], None),
            (
                "body,id",
                &[Some("id,body"), Some("")],
                Some(
                    "line 7 takes id,body, line 8 takes none; write \"req.fhdr(authorization),concat('|body,id|',txn.tkn_policy),..\"",
                ),
            ),
            (
                "",
                &[Some("body")],
                Some(
                    "whose fields are none: line 7 takes body; write \"req.fhdr(authorization),concat('||',txn.tkn_policy),..\"",
                ),
            ),
            (
                "id",
                &[],
                Some(
                    "no line names the fields of verdicts; write \"req.fhdr(authorization),concat('|id|',txn.tkn_policy),..\"",
                ),
            ),
        ] {
            let said = not_taken(layout, &taken(rules));
            assert_eq!(said.is_some(), expected.is_some(), "{layout}: {said:?}");
            assert!(said.unwrap_or_default().contains(expected.unwrap_or_default()), "{layout}");
        }
    }
}
