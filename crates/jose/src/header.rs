//! The protected header of a signed token (RFC 7515 section 4), of which six parameters count.
//!
//! `alg`, `kid` and the hashes of a certificate (`x5t`, `x5t#S256`) choose among our own keys; `crit` and `b64` would change the rules and are refused. Keys that the
//! token brings along or points to (`jwk`, `jku`, `x5c`, `x5u`) are not read at all.

use std::borrow::Cow;

use crate::json::{Malformed, Object, compact, name, string};
use crate::keys::thumbprint::Thumbprints;
use crate::{Algorithm, Reject, base64url};

/// What the header asks for.
pub(crate) struct Header {
    /// The whole header as compact JSON.
    pub(crate) json: String,
    /// How it claims to be signed.
    pub(crate) algorithm: Algorithm,
    /// Which key it names.
    pub(crate) kid: Option<String>,
    /// The hashes of a certificate by which it names a key. One that cannot be read names nothing.
    pub(crate) thumbprints: Thumbprints,
}

impl Header {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Reject> {
        let malformed = |Malformed| Reject::Malformed;
        let text = std::str::from_utf8(bytes).map_err(|_| Reject::Malformed)?;
        let json = compact(text).map_err(malformed)?;
        let object = Object::parse(&json).map_err(malformed)?;

        let alg = object.get("alg").and_then(string).ok_or(Reject::Malformed)?;
        let kid = match object.get("kid") {
            Some(kid) => Some(name(kid).map(Cow::into_owned).ok_or(Reject::Malformed)?),
            None => None,
        };
        if object.get("crit").is_some() || object.get("b64").is_some() {
            return Err(Reject::CriticalHeader);
        }
        let algorithm = alg.parse().map_err(|_| Reject::Algorithm)?;
        let mut thumbprints = Thumbprints::default();
        for member in Thumbprints::MEMBERS {
            let hash = object.get(member).and_then(string);
            if let Some(hash) = hash.and_then(|text| base64url::decode(&text).ok()) {
                thumbprints.add(hash);
            }
        }
        Ok(Self { algorithm, kid, thumbprints, json: json.into_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_algorithm_and_kid_and_ignores_keys_that_the_token_brings() {
        let header = br#"{ "typ":"JWT", "alg":"ES256", "kid":"a\/b", "jwk":{"kty":"oct","k":"AA"}, "jku":"https://x.example/",
            "x5u":7, "x5c":[] }"#;
        let header = Header::parse(header).unwrap();
        assert_eq!(header.algorithm, Algorithm::ES256);
        assert_eq!(header.kid.as_deref(), Some("a/b"));
        assert_eq!(
            Header::parse(br#"{"alg":"ES256","kid":1399593380}"#).unwrap().kid.as_deref(),
            Some("1399593380")
        );
        assert!(header.json.starts_with(r#"{"typ":"JWT","alg":"ES256","kid":"a\/b","jwk":{"#));
    }

    #[test]
    fn refuses_headers_by_what_is_wrong_with_them() {
        for (header, reject) in [
            ("", Reject::Malformed),
            ("null", Reject::Malformed),
            ("{}", Reject::Malformed),
            (r#"{"alg":null}"#, Reject::Malformed),
            (r#"{"alg":["HS256"]}"#, Reject::Malformed),
            (r#"{"alg":"HS256","alg":"HS256"}"#, Reject::Malformed),
            (r#"{"alg":"HS256","kid":true}"#, Reject::Malformed),
            (r#"{"alg":"HS256","kid":[1]}"#, Reject::Malformed),
            (r#"{"alg":"HS256","kid":null}"#, Reject::Malformed),
            (r#"{"alg":"HS256","jwk":{"k":1,"k":2}}"#, Reject::Malformed),
            (r#"{"alg":"HS256","crit":[]}"#, Reject::CriticalHeader),
            (r#"{"alg":"HS256","crit":["exp"],"exp":1}"#, Reject::CriticalHeader),
            (r#"{"alg":"HS256","b64":true}"#, Reject::CriticalHeader),
            (r#"{"alg":"none"}"#, Reject::Algorithm),
            (r#"{"alg":"None"}"#, Reject::Algorithm),
            (r#"{"alg":"nOnE"}"#, Reject::Algorithm),
            (r#"{"alg":"NONE"}"#, Reject::Algorithm),
            (r#"{"alg":""}"#, Reject::Algorithm),
            (r#"{"alg":"hs256"}"#, Reject::Algorithm),
            (r#"{"alg":"HS256 "}"#, Reject::Algorithm),
            (r#"{"alg":"dir"}"#, Reject::Algorithm),
        ] {
            assert_eq!(Header::parse(header.as_bytes()).err(), Some(reject), "{header}");
        }
        assert_eq!(Header::parse(b"{\"alg\":\"HS256\",\"x\":\"\xff\"}").err(), Some(Reject::Malformed));
    }
}
