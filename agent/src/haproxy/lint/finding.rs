//! What is found, by a name that stays: `docs/HAPROXY_LINT.md` has a row for each.

use std::fmt;

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which of the files.
    pub file: usize,
    /// From 1.
    pub line: usize,
}

macro_rules! ids {
    ($($id:ident = $text:literal,)*) => {
        /// What kind of fault or hint it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "docs/HAPROXY_LINT.md explains each by its text")]
        pub enum Id {
            $($id,)*
        }

        impl Id {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$id,)*];

            /// The name that stays.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$id => $text,)*
                }
            }
        }
    };
}

ids! {
    NoFilter = "no-filter",
    NoDeny = "no-deny",
    DenyPartial = "deny-partial",
    FailsOpen = "fails-open",
    AdmitsAbove = "admits-above",
    VerdictSet = "verdict-set",
    AclOred = "acl-ored",
    PublicPath = "public-path",
    ExceptionFromClient = "exception-from-client",
    ClientHeaders = "client-headers",
    ClaimHeader = "claim-header",
    UpgradeKept = "upgrade-kept",
    TargetForm = "target-form",
    BypassFrontend = "bypass-frontend",
    SameServer = "same-server",
    FilterSequence = "filter-sequence",
    SpoeFile = "spoe-file",
    SetOnError = "set-on-error",
    Question = "question",
    CertificateUnsent = "certificate-unsent",
    ProofUnsent = "proof-unsent",
    ProofUntracked = "proof-untracked",
    GroupUnsent = "group-unsent",
    SpopCheck = "spop-check",
    Timeouts = "timeouts",
    ChrootSocket = "chroot-socket",
    PolicyUnknown = "policy-unknown",
    PolicyFromClient = "policy-from-client",
    PolicyLate = "policy-late",
    PolicyLaxDefault = "policy-lax-default",
    PolicyPathCase = "policy-path-case",
    PolicyPathPrefix = "policy-path-prefix",
    McpUnsent = "mcp-unsent",
    VariableUnset = "variable-unset",
    EdgeNoLease = "edge-no-lease",
    EdgeRange = "edge-range",
    EdgeLayout = "edge-layout",
    EdgeKey = "edge-key",
    EdgeSocket = "edge-socket",
    EdgeMap = "edge-map",
    StreamUnset = "stream-unset",
    StreamUnsent = "stream-unsent",
    StreamFromMap = "stream-from-map",
    ChallengeUnused = "challenge-unused",
}

impl Id {
    /// Whether it lets nothing by, and could only be better.
    pub const fn is_hint(self) -> bool {
        matches!(self, Self::ChallengeUnused)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// One fault, or a hint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The line to look at.
    pub place: Place,
    /// What kind.
    pub id: Id,
    /// What happens, in a sentence.
    pub what: String,
    /// The line to write, or what to do.
    pub cure: String,
}

impl Finding {
    pub(super) fn new(place: Place, id: Id, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { place, id, what: what.into(), cure: cure.into() }
    }
}
