//! What knows HAProxy beside the protocol, and not the tokens of its requests: [`cfg`] reads of its configuration what the agent
//! needs, and [`config`] writes the lines that protect a place.

pub mod cfg;
pub mod config;
pub mod edge;
pub mod runtime;
