//! Does a header that the application trusts come from our lines alone?

use super::samples::POLICY;
use crate::haproxy::lint::checked::{Checked, Guarded};
use crate::haproxy::lint::finding::Id;
use crate::haproxy::lint::rules::{Rule, rules};
use crate::haproxy::lint::sections::Proxy;

/// What deletes our headers, in every spelling.
const OURS: &str = "^x[^A-Za-z0-9]+tkn[^A-Za-z0-9]";

/// Whether a rule deletes headers by this expression, for every request.
fn deletes(rule: &Rule<'_>, expression: &str) -> bool {
    rule.when.is_always()
        && matches!(rule.action, [verb, name, flag, method]
            if verb == "del-header" && name == expression && flag == "-m" && method == "reg")
}

impl Checked<'_> {
    pub(super) fn headers(&mut self, place: &Guarded<'_>) {
        self.our_headers(place);
        self.claims(place);
        self.forms(place);
    }

    /// Whether every frontend that leads to a backend does something.
    fn all_frontends(&self, backend: &Proxy, does: impl Fn(&Proxy) -> bool) -> bool {
        let mut leading = self.config.proxies.iter().filter(|proxy| {
            proxy.takes_clients()
                && proxy.targets().is_none_or(|targets| targets.iter().any(|(name, _)| *name == backend.name))
        });
        let first = leading.next();
        first.is_some_and(&does) && leading.all(does)
    }

    fn our_headers(&mut self, place: &Guarded<'_>) {
        let is_set = |rule: &Rule<'_>| {
            matches!(rule.verb(), "set-header" | "add-header")
                && rule.action.get(1).is_some_and(|name| name.to_ascii_lowercase().starts_with("x-tkn-"))
        };
        let Some(first) = place.rules.iter().position(is_set) else { return };
        let above: Vec<_> = place.rules.iter().take(first).collect();
        if above.iter().any(|rule| deletes(rule, OURS)) {
            return;
        }
        let does = |proxy: &Proxy| rules(proxy).iter().any(|rule| deletes(rule, OURS));
        if !place.proxy.takes_clients() && self.all_frontends(place.proxy, does) {
            return;
        }
        let line = place.rules.get(first).map_or(place.filter, |rule| rule.line);
        let weak = above.iter().find(|rule| {
            rule.verb() == "del-header"
                && rule.action.get(1).is_some_and(|name| name.to_ascii_lowercase().contains("tkn"))
        });
        let (at, what) = match weak {
            Some(rule) => (
                rule.line.place,
                "It deletes some spellings: a client's own X_Tkn_Valid or X.Tkn.Valid reaches applications that fold them into ours.",
            ),
            None => (line.place, "A client's own x-tkn- headers reach the application beside ours."),
        };
        self.find(at, Id::ClientHeaders, what, format!("http-request del-header {OURS} -m reg"));
    }

    /// Headers that are made of claims, below other names.
    fn claims(&mut self, place: &Guarded<'_>) {
        let claim = format!("var({}.", place.reader.stem);
        for (index, rule) in place.rules.iter().enumerate() {
            let [verb, name, value, ..] = rule.action else { continue };
            let is_made = matches!(verb.as_str(), "set-header" | "add-header") && value.contains(&claim);
            let header = name.to_ascii_lowercase();
            if !is_made || header.starts_with("x-tkn-") {
                continue;
            }
            let expression = format!("^{}$", header.replace('-', "[^A-Za-z0-9]+"));
            let is_deleted = place.rules.iter().take(index).any(|above| deletes(above, &expression));
            if !is_deleted {
                self.find(
                    rule.line.place,
                    Id::ClaimHeader,
                    format!(
                        "A client's own {name}, or another spelling of it, reaches the application where the claim is absent, or beside it."
                    ),
                    format!("http-request del-header {expression} -m reg"),
                );
            }
        }
    }

    /// Forms of requests that go past the rules, or that are read in two ways.
    fn forms(&mut self, place: &Guarded<'_>) {
        let is_about_upgrades = |rule: &Rule<'_>| match rule.verb() {
            "del-header" => rule.action.get(1).is_some_and(|name| name.eq_ignore_ascii_case("upgrade")),
            _ => rule.refuses() && rule.line.text().contains("hdr(upgrade)"),
        };
        let does = |proxy: &Proxy| rules(proxy).iter().any(is_about_upgrades);
        let is_mended = place.rules.iter().any(is_about_upgrades)
            || (!place.proxy.takes_clients() && self.all_frontends(place.proxy, does));
        if !is_mended {
            self.find(
                place.filter.place,
                Id::UpgradeKept,
                "An application that accepts an upgrade to h2c gets every later request of that connection past HAProxy.",
                "http-request del-header upgrade unless { req.fhdr_cnt(upgrade) eq 1 } { req.fhdr(upgrade) -m str -i websocket }",
            );
        }
        let is_by_path =
            place.reader.definitions("tkn_public").iter().any(|line| line.word(2).starts_with("path"))
                || place.rules.iter().any(|rule| {
                    rule.sets().is_some_and(|(name, _)| name == POLICY)
                        && rule.when.terms().any(|term| term.text().contains("path"))
                });
        let is_origin_form = |rule: &Rule<'_>| rule.refuses() && rule.line.text().contains("url -m beg /");
        if is_by_path && !place.rules.iter().any(is_origin_form) {
            self.find(
                place.filter.place,
                Id::TargetForm,
                "A path decides here, and in `GET http:///public/x` HAProxy and the application read two paths.",
                "http-request deny status 400 default-errorfiles unless { url -m beg / } || { fc_http_major ge 2 }",
            );
        }
    }
}
