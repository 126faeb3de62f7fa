//! Presets of what a token must look like.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A preset of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Profile {
    /// RFC 7519 with `exp` required.
    #[default]
    #[serde(rename = "standard")]
    Standard,
    /// Tokens of an ms-users installation: `exp` optional, a version in the claim `st`, the subject in `username`.
    #[serde(rename = "ms-users")]
    MsUsers,
}

impl Profile {
    /// The name in configuration and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::MsUsers => "ms-users",
        }
    }

    /// The claim that says whose token it is.
    pub const fn subject_claim(self) -> &'static str {
        match self {
            Self::Standard => "sub",
            Self::MsUsers => "username",
        }
    }
}

/// The text is not the name of a [`Profile`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a profile: expected `standard` or `ms-users`")]
pub struct UnknownProfile;

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::Standard, Self::MsUsers]
            .into_iter()
            .find(|profile| profile.as_str() == name)
            .ok_or(UnknownProfile)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_text_and_in_serde() {
        for profile in [Profile::Standard, Profile::MsUsers] {
            assert_eq!(profile.to_string().parse(), Ok(profile));
            let json = serde_json::to_string(&profile).unwrap();
            assert_eq!(json, format!("\"{profile}\""));
            assert_eq!(serde_json::from_str::<Profile>(&json).unwrap(), profile);
        }
        assert_eq!("Standard".parse::<Profile>(), Err(UnknownProfile));
    }
}
