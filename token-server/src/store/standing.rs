//! How a rule stands.

use rules::ExpireAt;
use serde::{Deserialize, Serialize};

use super::annotations::{Annotation, Mode};

/// How a rule stands: what it does, until when, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// What the rule does.
    pub mode: Mode,
    /// When it ends, unix seconds; 0 for never.
    pub expire_at: i64,
    /// Why it was written, in its writer's words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// Who says to have written it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
    /// When it was written, unix seconds; absent if another program wrote it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub written_at: Option<i64>,
}

impl Standing {
    /// How a rule stands, by its end where rules are that refuse, and by what is known beside it.
    pub(crate) fn of(enforced: Option<ExpireAt>, known: Option<Annotation>) -> Option<Self> {
        let (mode, known) = match (enforced, known) {
            (Some(_), known) => (Mode::Enforce, known.filter(|known| known.mode == Mode::Enforce)),
            (None, Some(known)) if known.mode == Mode::Shadow => (Mode::Shadow, Some(known)),
            // A note whose rule is gone tells nothing.
            (None, _) => return None,
        };
        let end = enforced.or(known.as_ref().map(Annotation::end));
        let (note, by, written_at) =
            known.map_or((None, None, None), |known| (known.note, known.by, Some(known.written_at)));
        Some(Self { mode, expire_at: end.unwrap_or(ExpireAt::Never).as_seconds(), note, by, written_at })
    }

    /// When it ends.
    pub const fn end(&self) -> ExpireAt {
        ExpireAt::from_seconds(self.expire_at)
    }

    /// Whether it revokes.
    pub fn is_enforced(&self) -> bool {
        self.mode == Mode::Enforce
    }

    /// What the store keeps of it beside the rule; nothing where another program wrote it.
    pub(super) fn annotation(&self) -> Option<Annotation> {
        let Self { mode, expire_at, note, by, written_at } = self.clone();
        Some(Annotation { mode, note, by, written_at: written_at?, expire_at })
    }
}

impl From<Annotation> for Standing {
    fn from(annotation: Annotation) -> Self {
        let Annotation { mode, note, by, written_at, expire_at } = annotation;
        Self { mode, expire_at, note, by, written_at: Some(written_at) }
    }
}
