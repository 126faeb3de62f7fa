//! How strictly the keys of a source are judged.

use crate::Profile;

/// Where keys come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyOrigin {
    /// A file of the operator.
    File,
    /// A URL: whatever it serves is seen by others too.
    Url,
}

/// How strictly a source's keys are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRules {
    /// Where the keys come from.
    pub origin: KeyOrigin,
    /// The preset: `ms-users` takes weak keys of the legacy list, with a warning.
    pub profile: Profile,
    /// Take HMAC secrets shorter than the hash, with a warning.
    pub allow_short_secrets: bool,
    /// Take symmetric keys beside asymmetric ones from a URL, with a warning.
    pub allow_mixed_keys: bool,
}
