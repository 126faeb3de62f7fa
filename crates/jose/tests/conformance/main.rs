//! What this crate makes of published test vectors: `make test-conformance VECTORS=folder`.
//!
//! They make the table in `docs/CONFORMANCE.md`. The vectors, but for those of RFC 9964, are no part of this repository;
//! `tests/conformance.sh` finds them and names their files in variables.

// Marked, so that what tests may do, helpers of tests may do too.
#[cfg(test)]
mod rfc7520;
#[cfg(test)]
mod rfc9964;
#[cfg(test)]
mod table;
#[cfg(test)]
mod wycheproof;
