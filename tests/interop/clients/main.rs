//! OAuth clients that others wrote, held against what we tell them: challenges, documents about resources; among them clients of
//! the Model Context Protocol, which find their way from a URL to a tool's answer by these alone, and clients whose tokens are bound
//! to their keys and certificates; and clients of answers that stay open, which end with their token.
//!
//! `make test-idps` installs them and runs this.

mod authlab;
mod bound;
mod certificates;
mod dpop;
mod mcp;
mod peers;
mod streams;
mod told;
