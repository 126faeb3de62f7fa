//! Whether a token that the keys at hand did not verify may find newer ones.

use jose::Hint;
use tokio::time::Instant;

use crate::kids::Known;
use crate::part::Part;

/// What one look at the sources of the token's issuer tells.
pub(crate) struct Outlook {
    pub(crate) loads: Loads,
    /// The token says that it is older than what each of the URLs gave last.
    pub(crate) is_older: bool,
    /// Some source has given no keys yet, or was not asked for this one.
    pub(crate) lacks_keys: bool,
}

/// Whether newer keys are on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loads {
    Coming,
    /// Each source was loaded since the token came.
    Fresh,
    /// Some source may not be loaded now.
    Spent,
}

impl Outlook {
    /// Asks the issuer's sources for newer keys than those that a token met which came `since` then.
    pub(crate) fn of(parts: &mut [Part], hint: &Hint, since: Instant, now: Instant) -> Self {
        let (mut coming, mut spent, mut is_older, mut lacks_keys) = (false, false, true, false);
        for part in parts.iter_mut().filter(|part| hint.concerns(part.place.issuer)) {
            if part.place.by_kid {
                is_older = false;
                match part.ask_kid(hint.kid, now) {
                    Known::Answered => {}
                    Known::Coming => coming = true,
                    Known::Unasked | Known::Crowded => (spent, lacks_keys) = (true, true),
                }
                continue;
            }
            if !part.is_fresh(since) {
                let comes = part.ask(now);
                coming |= comes;
                spent |= !comes && part.place.remote;
            }
            is_older &= !part.place.remote
                || hint.issued.zip(part.good).is_some_and(|(issued, good)| good.is_after(issued));
            lacks_keys |= part.set.is_none();
        }
        let loads = match (coming, spent) {
            (true, _) => Loads::Coming,
            (false, true) => Loads::Spent,
            (false, false) => Loads::Fresh,
        };
        Self { loads, is_older, lacks_keys }
    }
}
