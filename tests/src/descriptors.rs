//! How many descriptors a program of tests may hold. What its tests start listens until the program ends, and all suites are one
//! program: the 1,024 that most systems begin with are too few.

use std::sync::Once;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Enough for several times the suites. No more, since the programs that are tested inherit it, and HAProxy lays out its
/// tables for as many as it may hold.
const ENOUGH: u64 = 20_000;

/// Raises the limit, once, as far as the system lets us.
pub fn allow_enough() {
    static RAISED: Once = Once::new();
    RAISED.call_once(|| {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let wanted = maximum.map_or(ENOUGH, |maximum| maximum.min(ENOUGH));
        if current.is_some_and(|current| current < wanted) {
            setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).unwrap();
        }
    });
}
