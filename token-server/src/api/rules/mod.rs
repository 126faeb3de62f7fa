//! `/v1/rules`, `/v1/everybody/rules` and `/v1/import`: what operators write, try, read and delete.

mod delete;
mod doubts;
mod draft;
pub(super) mod fields;
mod import;
mod place;
mod read;
mod view;
mod write;

pub(crate) use fields::{MAX_BATCH_BYTES, MAX_BATCH_LINES, MAX_BODY_BYTES};

pub(super) use delete::{delete, delete_for_everybody};
pub(super) use draft::{UsualEnd, usual_end};
pub(super) use fields::page_size;
pub(super) use import::import;
pub(super) use read::{list_everybody, list_group, list_groups};
pub(super) use view::RuleView;
pub(super) use write::{asks_for_a_preview, write_for_everybody, write_to_group, write_to_named_group};
