//! Whether a server is asked, and why not. Two witnesses tell of it, each for itself: its driver, by what became of
//! checks, and its feed. What changes is logged and shown here, once for both.

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::metrics::{ByEjection, Metrics};

/// Why a server is left out, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Several calls in a row brought no answer.
    Failing,
    /// It answers, and cannot read its store.
    Unread,
    /// It refuses our bearer token or certificate.
    Credentials,
    /// It judges by another profile.
    Profile,
    /// It reads another store than most servers.
    Store,
}

impl Cause {
    /// Every one of them.
    pub const ALL: [Self; 5] = [Self::Failing, Self::Unread, Self::Credentials, Self::Profile, Self::Store];

    /// The word that metrics and logs have for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Unread => "unread",
            Self::Credentials => "credentials",
            Self::Profile => "profile",
            Self::Store => "store",
        }
    }

    /// What is wrong, and the cure.
    pub const fn explain(self) -> &'static str {
        match self {
            Self::Failing => "it failed several times in a row",
            Self::Unread => "it cannot read its store, so that it knows no rules but those in its memory",
            Self::Credentials => {
                "it refuses our bearer token: JWT_TOKEN_SERVER_TOKEN_FILE and TOKEN_SERVER__AGENT__TOKENS_FILE must agree"
            }
            Self::Profile => "it runs another profile: JWT_PROFILE and TOKEN_SERVER__PROFILE must agree",
            Self::Store => {
                "it reads another store than most servers; all servers of one agent must share one"
            }
        }
    }

    const fn rank(self) -> Rank {
        match self {
            Self::Failing => Rank::Doubtful,
            Self::Unread | Self::Credentials | Self::Profile => Rank::Useless,
            Self::Store => Rank::Foreign,
        }
    }
}

/// Which servers are asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// It is asked.
    InService,
    /// It failed, and may answer all the same: it is asked where no other answers.
    Doubtful,
    /// It said that it cannot answer. It is asked only where no other server could be.
    Useless,
    /// Its answers would be wrong. It is never asked.
    Foreign,
}

/// What tells why a server is to be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// Its driver.
    Checks,
    /// Its feed.
    Feed,
}

/// What both witnesses said last.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    checks: Option<Cause>,
    feed: Option<Cause>,
}

impl Told {
    fn cause(self) -> Option<Cause> {
        self.checks.max(self.feed)
    }
}

/// How one server stands. While this lives the server counts as known.
#[derive(Debug)]
pub struct Standing {
    server: String,
    told: Mutex<Told>,
    metrics: Arc<Metrics>,
}

impl Standing {
    /// In service until a witness says otherwise.
    pub fn new(server: String, metrics: Arc<Metrics>) -> Self {
        metrics.token_servers.inc();
        metrics.token_servers_up.inc();
        let standing = Self { server, told: Mutex::default(), metrics };
        Cause::ALL.into_iter().for_each(|cause| standing.show(cause, false));
        standing
    }

    /// Its name, for people.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// How soon it is asked.
    pub fn rank(&self) -> Rank {
        self.lock().cause().map_or(Rank::InService, Cause::rank)
    }

    /// A witness says why the server is to be left out, with what it saw, or that it is not.
    pub fn tell(&self, by: Witness, cause: Option<Cause>, seen: impl Display) {
        let (before, after) = {
            let mut told = self.lock();
            let before = told.cause();
            match by {
                Witness::Checks => told.checks = cause,
                Witness::Feed => told.feed = cause,
            }
            let after = told.cause();
            // Shown while it is locked, so that the last to tell is the last to show.
            if before != after {
                before.inspect(|cause| self.show(*cause, false));
                after.inspect(|cause| self.show(*cause, true));
                match (before, after) {
                    (None, Some(_)) => {
                        self.metrics.token_server_ejections.inc();
                        self.metrics.token_servers_up.dec();
                    }
                    (Some(_), None) => {
                        self.metrics.token_servers_up.inc();
                    }
                    (None, None) | (Some(_), Some(_)) => {}
                }
            }
            (before, after)
        };
        let server = self.server();
        match after {
            _ if before == after => {}
            Some(cause) => tracing::warn!(
                server,
                reason = cause.word(),
                why = cause.explain(),
                %seen,
                "a token-server is left out"
            ),
            None => tracing::info!(server, "a token-server is asked again"),
        }
    }

    fn show(&self, cause: Cause, is_out: bool) {
        self.metrics.token_server_ejected.get_or_create(&self.label(cause)).set(i64::from(is_out));
    }

    fn label(&self, cause: Cause) -> ByEjection {
        ByEjection { server: self.server.clone(), reason: cause.word() }
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.metrics.token_servers.dec();
        if self.rank() == Rank::InService {
            self.metrics.token_servers_up.dec();
        }
        for cause in Cause::ALL {
            self.metrics.token_server_ejected.remove(&self.label(cause));
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn a_server_is_in_service_while_neither_witness_objects_and_the_worse_objection_counts() {
        use Cause::{Credentials, Failing, Profile, Store, Unread};
        use Witness::{Checks, Feed};
        let metrics = Metrics::register(&mut Registry::default());
        let standing = Standing::new("a".to_owned(), Arc::clone(&metrics));
        let shown = || {
            let is_shown = |cause: &Cause| {
                metrics.token_server_ejected.get_or_create(&standing.label(*cause)).get() == 1
            };
            Cause::ALL.into_iter().filter(is_shown).collect::<Vec<_>>()
        };
        assert_eq!((standing.rank(), shown()), (Rank::InService, vec![]));
        for (by, cause, effective, rank, ejections) in [
            (Checks, Some(Failing), Some(Failing), Rank::Doubtful, 1),
            (Feed, Some(Profile), Some(Profile), Rank::Useless, 1),
            (Checks, None, Some(Profile), Rank::Useless, 1),
            (Feed, None, None, Rank::InService, 1),
            (Checks, Some(Unread), Some(Unread), Rank::Useless, 2),
            (Feed, Some(Store), Some(Store), Rank::Foreign, 2),
            (Feed, None, Some(Unread), Rank::Useless, 2),
            (Checks, Some(Credentials), Some(Credentials), Rank::Useless, 2),
            (Checks, Some(Credentials), Some(Credentials), Rank::Useless, 2),
            (Checks, None, None, Rank::InService, 2),
        ] {
            standing.tell(by, cause, "seen");
            assert_eq!((standing.rank(), shown()), (rank, effective.into_iter().collect()));
            assert_eq!(metrics.token_server_ejections.get(), ejections);
            assert_eq!(metrics.token_servers_up.get(), i64::from(effective.is_none()));
        }
    }

    #[test]
    fn each_reason_has_an_alert_and_a_line_for_operators() {
        let read = |file: &str| {
            std::fs::read_to_string(format!("{}/../{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
        };
        let (alerts, operating) = (read("dashboards/alerts.yml"), read("docs/OPERATING.md"));
        let alerted: Vec<_> = alerts
            .split("jwt_agent_token_server_ejected{reason=~")
            .skip(1)
            .flat_map(|rest| rest.split('"').nth(1).unwrap().split('|'))
            .collect();
        for cause in Cause::ALL {
            assert_eq!(alerted.iter().filter(|word| **word == cause.word()).count(), 1, "{cause:?}");
            assert!(operating.contains(&format!("\n| `{}` |", cause.word())), "{cause:?}");
        }
        assert_eq!(alerted.len(), Cause::ALL.len(), "{alerted:?}");
    }

    #[test]
    fn a_server_that_is_known_no_more_is_shown_no_more() {
        let metrics = Metrics::register(&mut Registry::default());
        let out = Standing::new("a".to_owned(), Arc::clone(&metrics));
        out.tell(Witness::Feed, Some(Cause::Profile), "seen");
        let up = Standing::new("b".to_owned(), Arc::clone(&metrics));
        assert_eq!((metrics.token_servers.get(), metrics.token_servers_up.get()), (2, 1));
        drop(out);
        drop(up);
        assert_eq!((metrics.token_servers.get(), metrics.token_servers_up.get()), (0, 0));
        let label = ByEjection { server: "a".to_owned(), reason: "profile" };
        assert!(metrics.token_server_ejected.get(&label).is_none());
    }
}
