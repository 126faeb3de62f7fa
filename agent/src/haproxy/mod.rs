//! What knows HAProxy beside the protocol, and not the tokens of its requests.

pub mod cfg;
pub mod edge;
pub mod runtime;
