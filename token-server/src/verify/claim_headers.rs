//! Claims as the headers that an application reads.
//!
//! A value can be taken apart again: it is percent-encoded (RFC 3986 section 2.1) where a byte is no visible ASCII, is `%`
//! or stands for the comma that joins arrays, and a space stays a space only between other characters. No value can
//! end a header line, look like two, or come out as somebody else's name.

use axum::http::{HeaderName, HeaderValue};
use jose::{Claim, ClaimNames, Claims, Profile, Reject};

/// Bytes of all values of one answer. Proxies hold an answer's head in 4 to 8 KiB.
const MAX_BYTES: usize = 4 * 1024;

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

    /// Every header, empty: it still takes the place of what the client sent.
    pub(super) fn empty(&self) -> Vec<(HeaderName, HeaderValue)> {
        self.0.iter().map(|header| (header.name.clone(), HeaderValue::from_static(""))).collect()
    }

    /// Every header, empty where the claim is absent; the claims may have these short names.
    ///
    /// # Errors
    /// [`Reject::AnswerSize`]
    pub(super) fn of(
        &self,
        claims: &Claims,
        names: &ClaimNames,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, Reject> {
        let mut left = MAX_BYTES;
        self.0
            .iter()
            .map(|header| {
                let value =
                    claims.path(&names.path(&header.claim)).map(|claim| value(&claim)).unwrap_or_default();
                left = left.checked_sub(value.len()).ok_or(Reject::AnswerSize)?;
                let value = HeaderValue::try_from(value).map_err(|_| Reject::Malformed)?;
                Ok((header.name.clone(), value))
            })
            .collect()
    }
}

fn value(claim: &Claim<'_>) -> String {
    match claim {
        Claim::Null => String::new(),
        Claim::Bool(truth) => truth.to_string(),
        Claim::Int(number) => number.to_string(),
        Claim::Number(literal) => (*literal).to_owned(),
        Claim::String(text) => encoded(text, true),
        Claim::Json(json) => joined(json).unwrap_or_else(|| encoded(json, false)),
    }
}

/// An array of simple values, joined by commas; absent for anything else.
fn joined(json: &str) -> Option<String> {
    let elements: Vec<serde_json::Value> = serde_json::from_str(json).ok()?;
    let texts: Option<Vec<String>> = elements
        .iter()
        .map(|element| match element {
            serde_json::Value::String(text) => Some(encoded(text, true)),
            serde_json::Value::Number(_) | serde_json::Value::Bool(_) => Some(element.to_string()),
            serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => None,
        })
        .collect();
    texts.map(|texts| texts.join(","))
}

fn encoded(text: &str, commas_too: bool) -> String {
    let last = text.len().saturating_sub(1);
    let mut safe = String::with_capacity(text.len());
    for (place, byte) in text.bytes().enumerate() {
        let plain = match byte {
            b' ' => place > 0 && place < last,
            b',' => !commas_too,
            b'%' => false,
            _ => byte.is_ascii_graphic(),
        };
        if plain {
            safe.push(char::from(byte));
        } else {
            safe.push('%');
            safe.extend(
                [byte >> 4, byte & 15]
                    .map(|half| char::from_digit(half.into(), 16).unwrap_or('0').to_ascii_uppercase()),
            );
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(claim: &str) -> String {
        let headers = ClaimHeaders::new(vec![ClaimHeader::new("X-A", "a").unwrap()]).unwrap();
        let claims = Claims::parse(format!(r#"{{"a":{claim}}}"#).as_bytes()).unwrap();
        let sent = headers.of(&claims, &ClaimNames::default()).unwrap();
        sent[0].1.to_str().unwrap().to_owned()
    }

    #[test]
    fn values_are_safe_and_can_be_told_apart() {
        for (claim, expected) in [
            (r#""anna""#, "anna"),
            (r#""Anna B""#, "Anna B"),
            (r#"" anna""#, "%20anna"),
            (r#""anna ""#, "anna%20"),
            (r#"" ""#, "%20"),
            (r#""a\r\nX-Admin: 1""#, "a%0D%0AX-Admin: 1"),
            (r#""a\u0000\u007f""#, "a%00%7F"),
            (r#""é""#, "%C3%A9"),
            (r#""100%""#, "100%25"),
            (r#""a,b""#, "a%2Cb"),
            (r#"["a","b c"]"#, "a,b c"),
            (r#"["a,b"]"#, "a%2Cb"),
            (r#"["a","b "]"#, "a,b%20"),
            (r#"[1,true]"#, "1,true"),
            ("[]", ""),
            (r#"[["a"]]"#, r#"[["a"]]"#),
            (r#"{"x":["é",1]}"#, r#"{"x":["%C3%A9",1]}"#),
            ("12345678901234567", "12345678901234567"),
            ("1.50", "1.50"),
            ("true", "true"),
            ("null", ""),
            (r#""""#, ""),
        ] {
            assert_eq!(sent(claim), expected, "{claim}");
        }
    }

    #[test]
    fn an_absent_claim_sends_an_empty_header_and_a_path_reaches_inside() {
        let pairs = [("X-Id", "sub"), ("X-Roles", "realm.roles"), ("X-None", "none")];
        let headers = pairs.map(|(name, claim)| ClaimHeader::new(name, claim).unwrap());
        let headers = ClaimHeaders::new(headers.to_vec()).unwrap();
        let claims =
            Claims::parse(br#"{"sub":7,"realm":{"roles":["a","b"]},"none":"x","long":["y"]}"#).unwrap();
        let sent = |claim: &str| {
            let names = ClaimNames::new([("none".to_owned(), claim.to_owned())]).unwrap();
            let sent = headers.of(&claims, &names).unwrap();
            sent.into_iter().map(|(_, value)| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(sent("absent"), ["7", "a,b", ""]);
        assert_eq!(sent("long"), ["7", "a,b", "y"]);
        assert!(headers.empty().iter().all(|(_, value)| value.is_empty()));
        let long = format!(r#"{{"sub":"{}"}}"#, "x".repeat(MAX_BYTES + 1));
        assert_eq!(
            headers.of(&Claims::parse(long.as_bytes()).unwrap(), &ClaimNames::default()),
            Err(Reject::AnswerSize)
        );
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
