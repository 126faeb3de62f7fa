//! Verdicts inside HAProxy: does each hit have the fields that are read, compare end and lease, and may only the agents write them?

use std::path::Path;

use super::samples::is_of_the_edge;
use crate::haproxy::cfg::layout_of;
use crate::haproxy::lint::checked::{Checked, Guarded};
use crate::haproxy::lint::condition::{Condition, Term, Test};
use crate::haproxy::lint::finding::Id;
use crate::haproxy::lint::rules::Rule;
use crate::haproxy::lint::sections::Line;

/// How far ahead an entry's end and a lease may lie, in milliseconds.
const MAX_END: u64 = 60_000;
const MAX_LEASE: u64 = 5_000;

/// The words of each alternative's anonymous terms that must hold.
fn held(when: &Condition) -> Vec<Vec<&[String]>> {
    fn words(term: &Term) -> Option<&[String]> {
        match &term.test {
            Test::Anonymous(words) if !term.is_negated => Some(words),
            Test::Anonymous(_) | Test::Named(_) => None,
        }
    }
    if when.is_unless {
        return Vec::new();
    }
    when.alternatives.iter().map(|terms| terms.iter().filter_map(words).collect()).collect()
}

/// Whether a term's pattern is a range from at least 1 to at most a limit.
fn is_range(words: &[String], limit: u64) -> bool {
    let Some((from, to)) = words.last().and_then(|pattern| pattern.split_once(':')) else { return false };
    let [from, to] = [from, to].map(|text| text.parse::<u64>().ok());
    from.is_some_and(|from| from >= 1) && to.is_some_and(|to| to <= limit)
}

impl Checked<'_> {
    pub(super) fn edge(&mut self, place: &Guarded<'_>) {
        let valid = format!("{}.valid", place.reader.stem);
        let hits: Vec<&Rule<'_>> = place
            .rules
            .iter()
            .filter(|rule| rule.sets().is_some_and(|(name, _)| name == valid) && is_of_the_edge(rule))
            .collect();
        if hits.is_empty() {
            return;
        }
        for rule in &hits {
            for terms in held(&rule.when) {
                self.hit(rule, &terms);
            }
        }
        self.key(place);
        self.admin_socket(
            place,
            "The agents find no stats socket with level admin, so that they cannot write: every request is asked about.",
        );
        self.open_sockets();
    }

    fn hit(&mut self, rule: &Rule<'_>, terms: &[&[String]]) {
        let at = rule.line.place;
        let find =
            |part: &str| terms.iter().find(|words| words.first().is_some_and(|sample| sample.contains(part)));
        match find("map_str_int(") {
            None => self.find(
                at,
                Id::EdgeNoLease,
                "No lease is compared: an entry counts while its agent is dead or cut off, and revocation does not reach it.",
                "{ \"var(txn.tkn_edge),field(-2,|),map_str_int(LEASES,0),sub(txn.tkn_now)\" 1:5000 }",
            ),
            Some(words) if !is_range(words, MAX_LEASE) => self.find(
                at,
                Id::EdgeRange,
                "A lease counts however far ahead it is: after the clock was set back it holds for that long.",
                "1:5000  behind the comparison of the lease",
            ),
            Some(words) => self.map_file(rule, words.first().map_or("", String::as_str), "map_str_int("),
        }
        match find("field(-1,|)") {
            Some(words) if is_range(words, MAX_END) => {}
            _ => self.find(
                at,
                Id::EdgeRange,
                "The end of an entry is not compared, or counts however far ahead it is: it outlives its token.",
                "{ var(txn.tkn_edge),field(-1,|),sub(txn.tkn_now) 1:60000 }",
            ),
        }
    }

    fn layout(&mut self, place: &Guarded<'_>, rule: &Rule<'_>, layout: &str) {
        if let Some(wanted) = self.agent.layout().filter(|wanted| wanted != layout) {
            self.find(
                rule.line.place,
                Id::EdgeLayout,
                format!("The agents write {wanted} by their JWT_VARIABLES, so that no entry is ever used."),
                format!("concat('|{wanted}|',txn.tkn_policy)  and the numbers of the fields below"),
            );
        }
        let names: Vec<&str> = layout.split(',').collect();
        let stem = format!("{}.", place.reader.stem);
        for other in &place.rules {
            let Some((variable, value)) = other.sets() else { continue };
            let Some(name) = variable.strip_prefix(&stem) else { continue };
            let text =
                format!("{value} {}", other.when.terms().map(Term::text).collect::<Vec<_>>().join(" "));
            let field = text.split_once("tkn_edge),field(").and_then(|(_, rest)| rest.split_once(','));
            let Some(number) = field.and_then(|(number, _)| number.parse::<isize>().ok()) else { continue };
            // Counted from the front, or from the end, where lease and end stand behind those of the layout.
            let index = if number < 0 {
                names.len().saturating_add(2).checked_add_signed(number)
            } else {
                usize::try_from(number.saturating_sub(1)).ok()
            };
            if name == "valid" || index.and_then(|index| names.get(index)) == Some(&name) {
                continue;
            }
            self.find(
                other.line.place,
                Id::EdgeLayout,
                format!(
                    "Field {number} of the layout {layout} is not {name}: another value is taken for it."
                ),
                "the number of its place in the layout; or, negative, its place from the end, and 2 more",
            );
        }
    }

    /// What an entry is looked up by.
    fn key(&mut self, place: &Guarded<'_>) {
        for rule in &place.rules {
            let value = rule.sets().map(|(_, value)| value).unwrap_or_default();
            if !value.contains("map_str(") || !value.contains("sha2(256)") {
                continue;
            }
            let is_whole = value.contains("req.fhdr(authorization)") && value.contains("txn.tkn_policy");
            let is_only =
                rule.when.terms().any(|term| term.text().contains("req.fhdr_cnt(authorization) eq 1"));
            if !is_whole || !is_only {
                self.find(
                    rule.line.place,
                    Id::EdgeKey,
                    "The key is not of the one Authorization header and the policy: a verdict counts for a request it was not made for.",
                    "\"req.fhdr(authorization),concat('|LAYOUT|',txn.tkn_policy),sha2(256),hex,map_str(VERDICTS)\"  if { req.fhdr_cnt(authorization) eq 1 }",
                );
            }
            match layout_of(&value) {
                Some(layout) => self.layout(place, rule, layout),
                None => self.find(
                    rule.line.place,
                    Id::EdgeLayout,
                    "The key does not name the fields that are read: no entry is found, or one of other JWT_VARIABLES, whose claim becomes another's.",
                    "req.fhdr(authorization),concat('|LAYOUT|',txn.tkn_policy)",
                ),
            }
            self.map_file(rule, &value, "map_str(");
        }
    }

    /// The map that a sample looks into is the agents', and is there.
    fn map_file(&mut self, rule: &Rule<'_>, sample: &str, converter: &str) {
        let Some((_, rest)) = sample.split_once(converter) else { return };
        let path = rest.split([',', ')']).next().unwrap_or_default().to_owned();
        let known = if converter == "map_str(" { &self.agent.edge_map } else { &self.agent.edge_leases };
        let setting = if converter == "map_str(" { "JWT_EDGE_MAP" } else { "JWT_EDGE_LEASES" };
        if let Some(known) = known.as_ref().filter(|known| **known != path) {
            return self.find(
                rule.line.place,
                Id::EdgeMap,
                format!("The agents write into {known}, and HAProxy looks into {path}."),
                format!("{setting}={path}"),
            );
        }
        // Another machine's files are not here.
        let folder = Path::new(self.name(rule.line.place)).parent().map(Path::to_owned);
        let is_here =
            folder.is_some_and(|folder| folder.is_absolute() && Path::new(&path).parent() == Some(&folder));
        if is_here && !Path::new(&path).exists() {
            self.find(
                rule.line.place,
                Id::EdgeMap,
                format!("The map {path} is not there: HAProxy does not start without the file, which may be empty."),
                format!("install -m 644 /dev/null {path}"),
            );
        }
    }

    /// The agents have a socket for their commands.
    pub(super) fn admin_socket(&mut self, place: &Guarded<'_>, what: &str) {
        let sockets: Vec<&Line> = self.stats_sockets().collect();
        let is_admin = |line: &Line| after(line, "level") == Some("admin");
        let known = &self.agent.edge_sockets;
        let is_named = |line: &Line| {
            let path = line.word(2).strip_prefix("unix@").unwrap_or(line.word(2));
            known.is_empty() || known.iter().any(|known| known == path)
        };
        if !sockets.iter().any(|line| is_admin(line) && is_named(line)) {
            let at = sockets.iter().find(|line| is_named(line)).map_or(place.filter.place, |line| line.place);
            self.find(at, Id::EdgeSocket, what, "stats socket /run/haproxy/edge.sock mode 660 level admin");
        }
    }

    /// Only the agents may write verdicts: up to 3.2 a socket of any level writes maps.
    fn open_sockets(&mut self) {
        let is_open = |socket: &&Line| {
            let address = socket.word(2);
            let is_path =
                address.starts_with('/') || address.starts_with("unix@") || address.starts_with("abns@");
            let is_open = after(socket, "mode").is_some_and(|mode| mode.ends_with(['2', '3', '6', '7']));
            is_open || (!is_path && address.contains(':'))
        };
        let open: Vec<_> = self.stats_sockets().filter(is_open).map(|socket| socket.place).collect();
        for place in open {
            self.find(
                place,
                Id::EdgeSocket,
                "Others than the agents may write here, whatever its level, and what is written decides who gets in.",
                "mode 660, and a unix socket",
            );
        }
    }

    fn stats_sockets(&self) -> impl Iterator<Item = &Line> {
        self.config.global.iter().filter(|line| line.begins(&["stats", "socket"]))
    }
}

/// The word behind another one.
fn after<'l>(line: &'l Line, name: &str) -> Option<&'l str> {
    let position = line.words.iter().position(|word| word == name)?;
    Some(line.word(position.saturating_add(1)))
}
