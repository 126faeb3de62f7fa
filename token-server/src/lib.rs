//! `token-server`: decides what needs state. Revocation rules live here; agents and old callers ask whether a token whose
//! signature they have verified may still be used.
//!
//! The way of a request: [`listen`] binds, `serve` accepts, [`api`] routes, [`decide`] looks at the claims (and [`verify`],
//! where the token is still to be verified, by [`trust`]) and checks them by the [`rulebook`], which [`revocations`] fills from
//! the [`store`] and [`changes`] empty again; [`continuity`] tells how long what is known holds.

mod agents;
pub mod annotations;
pub mod api;
pub mod api_keys;
pub mod bearer;
pub mod caller;
pub mod changes;
pub mod cli;
pub mod config;
pub mod continuity;
pub mod decide;
mod doors;
pub mod encrypted;
mod feed;
mod good_tokens;
pub mod listen;
mod metrics;
mod opaque;
pub mod payload;
mod random;
pub mod recent;
mod reconfigure;
mod reload;
pub mod revocations;
pub mod revokers;
pub mod rulebook;
mod run;
mod serve;
pub mod shadow;
pub mod signals;
pub mod store;
pub mod tls;
pub mod trust;
mod ui;
pub mod verify;
pub mod when;
pub mod whole;

pub use run::RunError;
