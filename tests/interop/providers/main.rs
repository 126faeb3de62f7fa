//! Identity providers that others wrote, run as they are: a token by a real flow, through HAProxy and an agent that knows
//! their issuer's name and an audience alone; then their keys are replaced, they are restarted, they are away.
//!
//! `make test-idps` installs them and runs this.

mod authlib;
mod django;
mod flow;
mod glewlwyd;
mod idpyoidc;
mod lemonldap;
mod oidc_provider;
mod provider;
mod story;
