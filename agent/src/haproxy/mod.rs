//! What knows HAProxy's configuration, and not the tokens of its requests.

pub mod cfg;
