//! Until when HAProxy may use what it has.

use std::time::Duration;

use jose::UnixTime;
use revocation::lease::ServerId;

use super::{Lease, Ledger, Moment};

/// The most that a lease is ahead. HAProxy takes none that is further, so that a clock that is set back ends it.
const LONGEST_LEASE: Duration = Duration::from_secs(5);
/// How often a lease is renewed.
const RENEWAL: Duration = Duration::from_millis(250);

impl Ledger {
    /// Until when HAProxy may use verdicts that rest on a server's word; absent: not now. A poll that was sent after the
    /// `moment` at which the keys were looked at counts from that: these may have been replaced since.
    pub(super) fn until(&self, server: Option<ServerId>, moment: Moment) -> Option<UnixTime> {
        let counted = match server {
            None => moment.at,
            Some(server) => self.heard.get(&server)?.complete_as_of?.min(moment.at),
        };
        let left = counted.checked_add(self.terms.lease)?.saturating_duration_since(moment.at);
        (!left.is_zero()).then(|| later(moment.now, left.min(LONGEST_LEASE)))
    }

    pub(super) fn renewals(&mut self, moment: Moment) -> Vec<(String, UnixTime, bool)> {
        let mut leases = std::mem::take(&mut self.leases);
        let renewals = leases
            .iter_mut()
            .filter(|(_, lease)| {
                lease.renewed.is_none_or(|at| moment.at.saturating_duration_since(at) >= RENEWAL)
            })
            .filter_map(|(server, lease)| {
                let until = self.until(*server, moment)?;
                let is_known = lease.renewed.replace(moment.at).is_some();
                Some((lease.name.clone(), until, is_known))
            })
            .collect();
        self.leases = leases;
        renewals
    }

    pub(super) fn lease_of(&mut self, server: Option<ServerId>) -> &str {
        let (agent, number) = (&self.agent, self.number);
        let lease = self.leases.entry(server).or_insert_with(|| {
            let server = server.map_or_else(|| "-".to_owned(), |server| server.0.to_string());
            Lease { name: format!("{agent}.{number}.{server}"), renewed: None }
        });
        &lease.name
    }
}

pub(super) fn later(now: UnixTime, by: Duration) -> UnixTime {
    let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    UnixTime::from_millis(now.as_millis().saturating_add(millis))
}
