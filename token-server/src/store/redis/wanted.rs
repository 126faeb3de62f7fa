//! What is to be changed in Redis.

use crate::store::{Batch, Clearing};

/// Single changes, or all of a group.
#[derive(Debug)]
pub(super) enum Wanted {
    Changes(Batch),
    Clearing(Clearing),
}
