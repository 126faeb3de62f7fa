//! Identity providers that others wrote, run as they are: a token by a real flow, through HAProxy and an agent that knows
//! their issuer's name and an audience alone; then their keys are replaced, they are restarted, they are away. And what they
//! tell a token-server when a user logs out there.
//!
//! `make test-idps` installs them and runs this.

mod asking;
mod authlib;
mod bound;
mod django;
mod glewlwyd;
mod idpyoidc;
mod introspection;
mod introspection_clients;
mod introspection_signed;
mod lemonldap;
mod logout;
mod oidc_provider;
mod story;
