//! Does the agent see the proofs of clients (RFC 9449), and does HAProxy refuse those that were used before?

use crate::haproxy::lint::checked::{Checked, Guarded};
use crate::haproxy::lint::finding::Id;

impl Checked<'_> {
    pub(super) fn proofs(&mut self, guarded: &[Guarded<'_>]) {
        for place in guarded {
            for engine in &place.engines {
                if let Some(who) = &self.agent.proofs
                    && engine.arguments().all(|(_, name, _)| name != "dpop")
                {
                    let what = format!(
                        "Tokens must be bound to a key, by {who}, and the agent is not told of the client's proof: each is refused."
                    );
                    let cure =
                        "spoe-message proof  of the shipped spoe-jwt.conf, named by the line `messages`";
                    self.find(engine.place, Id::ProofUnsent, what, cure);
                }
            }
            let names = place.engines.iter().map(|engine| format!("var(txn.{}.proof)", engine.prefix()));
            let names: Vec<String> = names.collect();
            let mut lines = self.config.proxies.iter().flat_map(|proxy| &proxy.lines);
            let is_tracked = lines.any(|line| {
                line.word(1).starts_with("track-sc")
                    && names.iter().any(|name| line.word(2).starts_with(name.as_str()))
            });
            if self.agent.tracks_proofs && !is_tracked {
                self.find(
                    place.filter.place,
                    Id::ProofUntracked,
                    "JWT_DPOP_REPLAY=haproxy, and no line tracks the proofs that were used: a stolen request can be sent again.",
                    "the lines with `dpop-proofs` of docs/BINDING.md, or JWT_DPOP_REPLAY=agent",
                );
            }
        }
    }
}
