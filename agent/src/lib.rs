//! `jwt-agent`: a SPOE agent that verifies the token of each HAProxy request.
//!
//! The way of a request: [`listen`] accepts, [`spoa`] reads frames, [`request`] finds the token in their messages
//! (and the call, whose policy [`mcp`] chooses), [`decide`] makes the decision, all checks in their order, and [`answer`] makes its ACK. [`current`] holds the
//! configuration by which all of that is done.
//!
//! Verdicts of tokens that come often are given to HAProxy itself ([`haproxy::edge`]), which then asks no more. What stays open after
//! its answer is looked after for as long ([`streams`]). Token-servers are told of decisions for people to look at ([`reports`]).
//!
//! The life of the agent: [`start`] opens what the configuration names, [`run`] serves until it is asked to stop, and
//! [`reload`] puts another configuration in use.
//!
//! The program is this library and a `main`; fuzz targets and tests drive the same code without a process.

pub mod answer;
pub mod cache;
pub mod check;
pub mod cli;
pub mod config;
pub mod current;
pub mod decide;
pub mod decision;
pub mod explain;
pub mod haproxy;
pub mod instance;
pub mod listen;
pub mod mcp;
pub mod metadata;
pub mod metrics;
pub mod origin;
pub mod reload;
pub mod reports;
pub mod request;
pub mod run;
pub mod spoa;
pub mod start;
pub mod streams;
pub mod token_server;
pub mod unix_stream;
