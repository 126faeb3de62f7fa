//! OAuth clients that others wrote, held against what we tell them: challenges, documents about resources.
//!
//! `make test-idps` installs them and runs this.

mod peers;
mod told;
