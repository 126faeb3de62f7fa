//! What the setting of a profile names: the profile itself, or one with more conditions.

use std::str::FromStr;

use jose::{Opaque, Policy, Profile, TokenKind, Trust, TrustedIssuer};
use service::settings::Settings;

use super::trust_names::TrustNames;

/// A profile, and what kind of tokens it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preset {
    /// The profile, by which agents and token-servers understand each other.
    pub profile: Profile,
    /// The kind of tokens.
    pub kind: TokenKind,
}

impl Preset {
    /// The names in configuration.
    pub const NAMES: &'static [&'static str] = &["standard", "at+jwt", "ms-users"];
    /// The same, for error texts.
    pub const EXPECTED: &'static str = "standard, at+jwt or ms-users";
}

/// The text names no [`Preset`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", Preset::EXPECTED)]
pub struct UnknownPreset;

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "at+jwt" => Ok(Self { profile: Profile::Standard, kind: TokenKind::AccessToken }),
            _ => {
                let profile = name.parse().map_err(|_| UnknownPreset)?;
                Ok(Self { profile, kind: TokenKind::Any })
            }
        }
    }
}

/// RFC 9068 section 4 asks for both: an access token is told by whose it is and for whom.
pub(super) fn judge(settings: &mut Settings, names: &TrustNames, trust: &Trust) {
    const ASKS: &str = "the profile at+jwt (RFC 9068) asks for it";
    let is_strict = |issuer: &&TrustedIssuer| issuer.policy.kind == TokenKind::AccessToken;
    if trust.issuers().iter().filter(is_strict).any(|issuer| issuer.policy.issuers.is_empty()) {
        settings.fault(names.issuers, format!("no issuer is set, and {ASKS}"));
    }
    let introspects = trust.policies().iter().any(|policy| policy.opaque == Opaque::Introspect);
    if introspects && trust.issuers().iter().any(|issuer| is_strict(&issuer)) {
        let what = "introspect lets in tokens that are no JWT, and the profile at+jwt (RFC 9068) only JWTs; use the profile standard, or \
                    leave it out, of [[policies]] too";
        settings.fault(names.opaque, what);
    }
    if introspects && trust.profile() == Profile::MsUsers {
        let what = "introspect is for the profile standard: in ms-users the backend decides on tokens that are no JWT; leave it out, of \
                    [[policies]] too";
        settings.fault(names.opaque, what);
    }
    let is_open = |policy: &Policy| {
        let accepted = policy.issuers.iter().filter_map(|index| trust.issuers().get(*index));
        policy.audiences.is_empty()
            && accepted.filter(is_strict).any(|issuer| issuer.policy.audiences.is_empty())
    };
    if trust.policies().iter().any(is_open) {
        settings.fault(
            names.audiences,
            format!("no audience is set, and {ASKS}; or set {}", names.challenge.resource),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_a_preset_and_no_other_is() {
        for name in Preset::NAMES {
            let preset: Preset = name.parse().unwrap();
            assert_eq!(preset.kind == TokenKind::AccessToken, *name == "at+jwt");
            assert_eq!(preset.profile == Profile::MsUsers, *name == "ms-users");
        }
        for name in ["", "Standard", "at", "AT+JWT", "application/at+jwt"] {
            assert_eq!(name.parse::<Preset>(), Err(UnknownPreset), "{name}");
        }
    }
}
