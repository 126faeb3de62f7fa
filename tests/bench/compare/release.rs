//! The HAProxy releases that are compared.

use std::fmt;

use integration_tests::haproxy::{program, version_of};

/// One HAProxy program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) program: String,
    version: (u32, u32),
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.version.0, self.version.1)
    }
}

/// The installed one.
pub(crate) fn installed() -> Release {
    Release::of(program())
}

/// The installed one, and those that `BENCH_HAPROXY` names, separated by white space, one of each branch.
pub(crate) fn releases() -> Vec<Release> {
    let others = std::env::var("BENCH_HAPROXY").unwrap_or_default();
    let others = others.split_whitespace().map(|program| Release::of(program.to_owned()));
    let mut releases = vec![installed()];
    for other in others {
        if releases.iter().all(|release| release.version != other.version) {
            releases.push(other);
        }
    }
    releases
}

impl Release {
    fn of(program: String) -> Self {
        Self { version: version_of(&program), program }
    }
}
