//! What changed, for those who keep verdicts: a bounded log with a number for each change.
//!
//! The log is this process's memory. Its epoch is new with each start, so that nobody takes one process's numbers for
//! another's.

mod log;
mod route;

pub use log::{Feed, Since};
pub(crate) use route::events;
