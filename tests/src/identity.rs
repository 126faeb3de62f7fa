//! Identity providers that others wrote, as processes, and what people and clients do there.

pub mod flow;
pub mod oidc_provider;
pub mod provider;
