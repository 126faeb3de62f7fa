//! What a program is shown of a proof: its text, and the request that it came with.

use std::borrow::Cow;
use std::fmt;

/// One proof, and the request that it must be for.
#[derive(Clone, PartialEq, Eq)]
pub struct ShownProof<'a> {
    /// The value of the one `DPoP` header, which anybody may have written.
    pub proof: Cow<'a, str>,
    /// The method, as the client wrote it.
    pub method: Cow<'a, str>,
    /// Whether the request came over TLS, and the host that its client named (RFC 9110 section 7.2); absent where that is not
    /// told.
    pub place: Option<(bool, Cow<'a, str>)>,
    /// The path of its target; a query behind it is left out.
    pub path: Cow<'a, str>,
    /// What tells this request from all others, also where it is asked about twice.
    pub request_id: Option<Cow<'a, str>>,
}

impl ShownProof<'_> {
    /// The same, for longer than the request is at hand.
    pub fn into_owned(self) -> ShownProof<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        ShownProof {
            proof: owned(self.proof),
            method: owned(self.method),
            place: self.place.map(|(is_tls, host)| (is_tls, owned(host))),
            path: owned(self.path),
            request_id: self.request_id.map(owned),
        }
    }
}

/// A thief who has the token too may use a proof once.
impl fmt::Debug for ShownProof<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ShownProof").field("method", &self.method).finish_non_exhaustive()
    }
}
