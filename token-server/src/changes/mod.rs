//! How this server hears of rules that others wrote.

pub(crate) mod consul;
pub(crate) mod redis;
