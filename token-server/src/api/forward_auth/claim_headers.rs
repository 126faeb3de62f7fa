//! The headers in which an application is handed claims.

use axum::http::header::InvalidHeaderValue;
use axum::http::{HeaderName, HeaderValue};
use bytes::Bytes;
use jose::Profile;

use crate::verify::HandedOn;

/// Headers that say something about the answer itself, or about its connection.
const RESERVED: [&str; 17] = [
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "host",
    "keep-alive",
    "location",
    "proxy-connection",
    "retry-after",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
];

/// One claim that the application learns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimHeader {
    name: HeaderName,
    claim: String,
}

/// Why a header cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// The name is none.
    #[error("expected pairs such as X-User-Id=sub")]
    Name,
    /// The header has a meaning in HTTP.
    #[error("names a header that HTTP gives another meaning")]
    Reserved,
    /// Two claims would share a header.
    #[error("names one header twice")]
    Twice,
}

/// All claims that the application learns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimHeaders(Vec<ClaimHeader>);

impl ClaimHeader {
    /// A header of that name for a claim or a path to one.
    ///
    /// # Errors
    /// See [`HeaderFault`].
    pub fn new(name: &str, claim: &str) -> Result<Self, HeaderFault> {
        let name: HeaderName = name.trim().parse().map_err(|_| HeaderFault::Name)?;
        if claim.trim().is_empty() {
            return Err(HeaderFault::Name);
        }
        if RESERVED.contains(&name.as_str()) {
            return Err(HeaderFault::Reserved);
        }
        Ok(Self { name, claim: claim.trim().to_owned() })
    }
}

impl ClaimHeaders {
    /// Headers for these claims.
    ///
    /// # Errors
    /// [`HeaderFault::Twice`]
    pub fn new(headers: Vec<ClaimHeader>) -> Result<Self, HeaderFault> {
        let mut names: Vec<_> = headers.iter().map(|header| header.name.as_str()).collect();
        names.sort_unstable();
        let distinct = names.windows(2).all(|pair| pair.first() != pair.last());
        if distinct { Ok(Self(headers)) } else { Err(HeaderFault::Twice) }
    }

    /// Who it is, and how to write to him.
    pub fn usual(profile: Profile) -> Self {
        let header =
            |name, claim: &str| ClaimHeader { name: HeaderName::from_static(name), claim: claim.to_owned() };
        Self(vec![header("x-user-id", profile.subject_claim()), header("x-user-email", "email")])
    }

    /// The claims, in the order of the headers.
    pub(super) fn claims(&self) -> HandedOn {
        HandedOn::new(self.0.iter().map(|header| header.claim.clone()).collect())
    }

    /// Every header with its value, in their order, and empty where there is none: it still takes the place of what the client
    /// sent.
    pub(super) fn with<'a>(
        &'a self,
        values: Option<&'a [Bytes]>,
    ) -> impl Iterator<Item = Result<(&'a HeaderName, HeaderValue), InvalidHeaderValue>> {
        let mut values = values.into_iter().flatten();
        self.0.iter().map(move |header| {
            let value = values.next().cloned().unwrap_or_default();
            Ok((&header.name, HeaderValue::from_maybe_shared(value)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_takes_its_place_with_its_value_or_empty() {
        let pairs = [("X-Id", "sub"), ("X-Roles", "realm.roles")];
        let headers = pairs.map(|(name, claim)| ClaimHeader::new(name, claim).unwrap());
        let headers = ClaimHeaders::new(headers.to_vec()).unwrap();
        assert_eq!(headers.claims(), HandedOn::new(vec!["sub".to_owned(), "realm.roles".to_owned()]));
        let values = [Bytes::from_static(b"7"), Bytes::from_static(b"a,b")];
        for (values, expected) in [(Some(&values[..]), ["7", "a,b"]), (None, ["", ""])] {
            let sent: Vec<_> = headers.with(values).map(Result::unwrap).collect();
            let told: Vec<_> =
                sent.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
            assert_eq!(told, [("x-id", expected[0]), ("x-roles", expected[1])]);
        }
        let bad = [Bytes::from_static(b"7\r\nX-Admin: 1")];
        assert!(headers.with(Some(&bad)).any(|sent| sent.is_err()));
    }

    #[test]
    fn names_that_http_needs_and_names_twice_are_refused() {
        assert_eq!(ClaimHeader::new("X User", "sub"), Err(HeaderFault::Name));
        assert_eq!(ClaimHeader::new("X-User", " "), Err(HeaderFault::Name));
        for name in RESERVED {
            assert_eq!(ClaimHeader::new(&name.to_uppercase(), "sub"), Err(HeaderFault::Reserved));
        }
        let twice = ["X-A", "x-a"].map(|name| ClaimHeader::new(name, "sub").unwrap());
        assert_eq!(ClaimHeaders::new(twice.to_vec()), Err(HeaderFault::Twice));
        assert_eq!(ClaimHeaders::usual(Profile::MsUsers).0[0].claim, "username");
    }
}
