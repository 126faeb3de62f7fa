//! Proofs of possession (DPoP, RFC 9449): small signed texts by which a client shows that it holds the key that its token
//! is bound to, made anew for each request.
//!
//! [`Proof::verify`] makes every check of section 4.3 but one: whether the proof was seen before, which needs a memory. For
//! that a good proof has a [`ReplayKey`] and an end, after which it is too old. [`Proofs`] is all of it: what a program is
//! shown of a request and its proof, those checks, and as the last one the memory, [`SeenProofs`].

mod fault;
mod header;
mod judge;
mod nonce;
mod origin;
mod proof;
mod replay;
mod seen;
mod shown;
mod target;

pub use fault::ProofFault;
pub use header::ProofHeaders;
pub use judge::{ProofSettings, Proofs};
pub use nonce::{MIN_NONCE_SECRET_BYTES, NonceSecret};
pub use origin::{TargetOrigin, UriFault};
pub use proof::{MAX_JTI_BYTES, MAX_ML_DSA_PROOF_BYTES, MAX_PROOF_BYTES, Proof, ProofRules, ProvedRequest};
pub use replay::ReplayKey;
pub use seen::SeenProofs;
pub use shown::ShownProof;
pub use target::TargetUri;
