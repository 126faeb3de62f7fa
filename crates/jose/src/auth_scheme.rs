//! The scheme behind which a token is sent, as far as it says how the token is proved.

use crate::credentials::trimmed;

/// The scheme of `Authorization` (RFC 9110 section 11.1) behind which a token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum AuthScheme {
    /// `Bearer` (RFC 6750), any other one, or none, such as in a cookie: the token is all that is shown.
    #[default]
    Bearer,
    /// `DPoP` (RFC 9449 section 7.1): a proof comes with the token.
    Dpop,
}

impl AuthScheme {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Bearer, Self::Dpop];

    /// That of this value of the header. Letter case does not matter.
    pub fn of(authorization: &str) -> Self {
        let is_dpop = trimmed(authorization)
            .split_once(' ')
            .is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case(Self::Dpop.as_str()));
        if is_dpop { Self::Dpop } else { Self::Bearer }
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_what_stands_before_the_first_space() {
        for value in ["DPoP a.b.c", "dpop  a.b.c", " \tDPOP a.b.c "] {
            assert_eq!(AuthScheme::of(value), AuthScheme::Dpop, "{value}");
        }
        for value in ["", "DPoP", " DPoP ", "DPoP\ta.b.c", "DPoPx a.b.c", "Bearer DPoP a.b.c", "Bearer a.b.c"]
        {
            assert_eq!(AuthScheme::of(value), AuthScheme::Bearer, "{value}");
        }
    }
}
