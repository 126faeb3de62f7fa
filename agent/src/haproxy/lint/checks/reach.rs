//! Which ways lead to what is protected, and past our lines.

use std::collections::{BTreeMap, BTreeSet};

use crate::haproxy::lint::checked::{Checked, Guarded};
use crate::haproxy::lint::finding::Id;
use crate::haproxy::lint::sections::{Kind, Proxy};

impl Checked<'_> {
    pub(super) fn reach(&mut self, guarded: &[Guarded<'_>], protecting: &BTreeSet<String>) {
        let is_place = |proxy: &Proxy| guarded.iter().any(|place| std::ptr::eq(place.proxy, proxy));
        let stem = guarded.first().map_or_else(String::new, |place| place.reader.stem.clone());
        let decides = |proxy: &Proxy| is_place(proxy) || super::decision::is_protected(proxy, &stem);
        // What is protected by the frontends that lead to it, and by nothing of its own.
        let mut behind: BTreeMap<&str, &str> = BTreeMap::new();
        for place in guarded.iter().filter(|place| place.proxy.takes_clients()) {
            if !protecting.contains(&place.proxy.name) {
                continue;
            }
            for (name, _) in place.proxy.targets().unwrap_or_default() {
                if self.config.proxy(name).is_none_or(|backend| !decides(backend)) {
                    behind.insert(name, &place.proxy.name);
                }
            }
        }
        let mut addresses: BTreeMap<String, String> = BTreeMap::new();
        for proxy in &self.config.proxies {
            let is_protected = behind.contains_key(proxy.name.as_str()) || is_place(proxy);
            if proxy.has_servers() && is_protected {
                addresses
                    .extend(proxy.servers().map(|(address, _)| (address.to_owned(), proxy.name.clone())));
            }
        }
        let open: Vec<&Proxy> =
            self.config.proxies.iter().filter(|proxy| proxy.takes_clients() && !decides(proxy)).collect();
        let mut found = Vec::new();
        for proxy in open {
            let Some(targets) = proxy.targets() else {
                found.extend(chosen_while_running(proxy, &behind));
                continue;
            };
            for (name, line) in &targets {
                if let Some(frontend) = behind.get(name) {
                    found.push((
                        line.place,
                        Id::BypassFrontend,
                        format!("`{name}` is protected by the lines of frontend {frontend} alone; this way leads there without them."),
                        format!("jwt-agent haproxy-config --backend {name}"),
                    ));
                }
            }
            let reached = targets.iter().filter_map(|(name, _)| self.config.proxy(name));
            let own = (proxy.kind == Kind::Listen).then_some(proxy);
            for reached in reached.chain(own).filter(|reached| !decides(reached)) {
                let is_behind = behind.contains_key(reached.name.as_str());
                for (address, line) in reached.servers().filter(|_| !is_behind) {
                    if let Some(protected) = addresses.get(address) {
                        found.push((
                            line.place,
                            Id::SameServer,
                            format!("It is the server of `{protected}`, which is protected; {} leads here without a token.", proxy.name),
                            format!("jwt-agent haproxy-config --backend {}", reached.name),
                        ));
                    }
                }
            }
        }
        for (place, id, what, cure) in found {
            self.find(place, id, what, cure);
        }
    }
}

type Found = (crate::haproxy::lint::finding::Place, Id, String, String);

/// A way that is chosen by the request may lead to any backend.
fn chosen_while_running(proxy: &Proxy, behind: &BTreeMap<&str, &str>) -> Option<Found> {
    let (name, frontend) = behind.first_key_value()?;
    let line = proxy.with(&["use_backend"]).find(|line| line.word(1).contains("%["))?;
    Some((
        line.place,
        Id::BypassFrontend,
        format!(
            "The backend is chosen by the request, and may be `{name}`, which the lines of frontend {frontend} alone protect."
        ),
        format!("jwt-agent haproxy-config --backend {name}"),
    ))
}
