//! `/v1/rules`, and `/v1/everybody/rules`: what operators write, try, read and delete.

mod delete;
mod doubts;
mod fields;
mod place;
mod read;
mod view;
mod write;

pub(super) use delete::{delete, delete_for_everybody};
pub(super) use read::{list_everybody, list_group, list_groups};
pub(super) use view::RuleView;
pub(super) use write::{write_for_everybody, write_to_group, write_to_named_group};
