//! What knows HAProxy beside the protocol, and not the tokens of its requests: [`cfg`] reads of its configuration what the agent
//! needs, [`config`] writes the lines that protect a place, and [`lint`] finds what lets tokens by.

pub mod cfg;
pub mod config;
pub mod edge;
pub mod lint;
pub mod runtime;
pub mod streams;
