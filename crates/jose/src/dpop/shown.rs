//! What a program is shown of a proof: its text, and the request that it came with.

use std::fmt;

/// One proof, and the request that it must be for.
#[derive(Clone, PartialEq, Eq)]
pub struct ShownProof {
    /// The value of the one `DPoP` header, which anybody may have written.
    pub proof: String,
    /// The method, as the client wrote it.
    pub method: String,
    /// Whether the request came over TLS, and the host that its client named (RFC 9110 section 7.2); absent where that is not
    /// told.
    pub place: Option<(bool, String)>,
    /// The path of its target; a query behind it is left out.
    pub path: String,
    /// What tells this request from all others, also where it is asked about twice.
    pub request_id: Option<String>,
}

/// Whoever has the token too may use a proof once.
impl fmt::Debug for ShownProof {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ShownProof").field("method", &self.method).finish_non_exhaustive()
    }
}
