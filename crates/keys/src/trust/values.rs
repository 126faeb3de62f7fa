//! What flat settings and tables say alike.

use std::time::Duration;

use jose::{Algorithm, AlgorithmSet, Binding, ClaimCondition, ClaimRule, Leeway, Opaque};
use service::settings::Settings;

/// The largest clock skew that may be granted, seconds.
pub(super) const MAX_LEEWAY: u64 = 300;

/// The clock skew of that name, for both ends of a token; absent: not set.
pub(super) fn leeway(settings: &mut Settings, name: &'static str) -> Option<Leeway> {
    let seconds = settings.parse(name, "seconds")?;
    if seconds > MAX_LEEWAY {
        settings.fault(name, format!("expected seconds, at most {MAX_LEEWAY}"));
    }
    Some(Leeway::both(Duration::from_secs(seconds)))
}

/// The signature algorithms that a setting lists; absent: not set.
pub(super) fn algorithms(settings: &mut Settings, name: &'static str) -> Option<AlgorithmSet> {
    let known = Algorithm::ALL.iter().map(|algorithm| algorithm.as_str());
    let list = settings.words::<Algorithm>(name, "signature algorithm", known)?;
    Some(list.into_iter().collect())
}

/// Whether tokens must be bound to their client; absent: not set.
pub(super) fn binding(settings: &mut Settings, name: &'static str) -> Option<Binding> {
    settings.parse(name, Binding::NAMES)
}

/// What becomes of tokens that are no JWT; absent: not set.
pub(super) fn opaque(settings: &mut Settings, name: &'static str) -> Option<Opaque> {
    settings.parse(name, Opaque::NAMES)
}

/// Claims that must be there; absent: not set.
pub(super) fn present(settings: &mut Settings, name: &'static str) -> Option<Vec<ClaimRule>> {
    let paths = settings.list(name)?;
    Some(paths.into_iter().map(|path| ClaimRule { path, condition: ClaimCondition::Present }).collect())
}
