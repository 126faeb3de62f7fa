//! What is said twice: a rule that hits everybody, most subjects, every token of one, or that could be tried on no subject.

use std::sync::Arc;

use rules::Rule;
use serde::Serialize;

use crate::api::{ApiError, App};
use crate::recent::{Preview, WINDOW};
use crate::store::{EVERYBODY, StoreError};

/// What a rule would do to the subjects that were checked lately.
#[derive(Serialize)]
pub(super) struct PreviewNumbers {
    /// How far back the memory of subjects goes.
    seconds: u64,
    /// Subjects that were checked in this time and are remembered.
    seen: usize,
    /// Those of them in whose group the rule is.
    subjects: usize,
    /// Those of these whose last token the rule would revoke.
    hits: usize,
}

impl PreviewNumbers {
    /// Holds a rule of a group against the subjects checked lately.
    pub(super) async fn of(app: &App, group: &str, rule: &Rule) -> Result<Self, ApiError> {
        let (recent, now) = (Arc::clone(&app.recent), app.now());
        let (group, rule) = (group.to_owned(), rule.clone());
        let preview = tokio::task::spawn_blocking(move || recent.preview(&rule, &group, now));
        let Preview { seen, subjects, hits } = preview.await.map_err(|_| StoreError::Stopping)?;
        Ok(Self { seconds: WINDOW.as_secs(), seen, subjects, hits })
    }

    /// Why such a rule must be confirmed, if it must.
    pub(super) fn doubt(&self, group: &str, rule: &Rule) -> Option<String> {
        let Self { seconds, seen, subjects: _, hits } = *self;
        if group == EVERYBODY {
            Some(format!(
                "is for everybody: it hits {hits} of {seen} subjects checked in the last {seconds} s"
            ))
        } else if rule.matches_everything() {
            Some("revokes every token of the group".to_owned())
        } else if seen == 0 {
            Some(format!("cannot be tried first: no subject checked in the last {seconds} s is remembered"))
        } else if hits > seen.saturating_sub(hits) {
            Some(format!("hits {hits} of {seen} subjects checked in the last {seconds} s, more than half"))
        } else {
            None
        }
    }
}
