//! A member of a sorted set with its score: a rule and its end.

use super::score::end_of;
use crate::store::StoredRule;

/// As Redis answers them.
pub(super) type Scored = (Vec<u8>, String);

/// The rule of a group that it is.
pub(super) fn stored(group: &str, (member, score): Scored) -> StoredRule {
    StoredRule {
        group: group.to_owned(),
        json: String::from_utf8_lossy(&member).into_owned(),
        expire_at: end_of(&score),
        revision: None,
    }
}
