//! `jwt-agent`: a SPOE agent that verifies the token of each HAProxy request.
//!
//! The way of a request: [`listen`] accepts, [`spoa`] reads frames, [`request`] finds the token in them, [`responder`]
//! puts the checks in order, [`verifier`] judges, [`answer`] tells HAProxy. The program is this library and a `main`;
//! fuzz targets and tests drive the same code without a process.

pub mod answer;
pub mod cache;
pub mod check;
pub mod cli;
pub mod config;
pub mod current;
pub mod explain;
pub mod haproxy_cfg;
pub mod listen;
pub mod metrics;
pub mod origin;
pub mod reload;
pub mod request;
pub mod responder;
pub mod run;
pub mod spoa;
pub mod start;
#[cfg(test)]
mod tls_tests;
pub mod token_server;
pub mod told;
pub mod unix_stream;
pub mod unknown_policies;
pub mod verifier;
