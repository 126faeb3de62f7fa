//! How this server hears of rules that others wrote.

pub(crate) mod consul;
pub(crate) mod redis;

pub use crate::continuity::{MAX_SILENCE, Session, Sessions, Source, Untold};
