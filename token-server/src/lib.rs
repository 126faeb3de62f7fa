//! `token-server`: decides what needs state. Revocation rules live here; agents and old callers ask whether a token whose
//! signature they have verified may still be used.
//!
//! The way of a request: [`listen`] binds, `serve` accepts, `api` routes, `judge` decides with the [`rulebook`], which
//! [`revocations`] fills from the [`store`] and [`changes`] empty again.

pub mod annotations;
mod api;
pub mod bearer;
pub mod changes;
pub mod cli;
pub mod config;
pub mod continuity;
pub mod encrypted;
mod feed;
pub mod judge;
pub mod listen;
mod metrics;
pub mod recent;
mod reconfigure;
mod reload;
pub mod revocations;
pub mod rulebook;
mod run;
mod serve;
pub mod shadow;
pub mod store;
pub mod tls;
pub mod verify;

pub use run::RunError;
