//! `/v1/rules`: what operators and ms-users write, try, read and delete.

mod delete;
mod fields;
mod place;
mod read;
mod view;
mod write;

pub(super) use delete::delete;
pub(super) use read::{list_group, list_groups};
pub(super) use view::RuleView;
pub(super) use write::{write_to_group, write_to_named_group};

/// Bytes of a request: a rule of the largest size, with white space to spare.
const MAX_BODY_BYTES: usize = 64 * 1024;
