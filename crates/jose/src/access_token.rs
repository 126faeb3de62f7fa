//! The profile of access tokens (RFC 9068): what tells one from every other JWT of its issuer.

use crate::json::{Object, string};
use crate::purpose::is_same_type;
use crate::{Claim, Claims, Reject, Signed};

/// The media type of an access token (RFC 9068 section 2.1).
const TYPE: &str = "at+jwt";

/// What kind of tokens an issuer's must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenKind {
    /// Any that were not made for something else.
    #[default]
    Any,
    /// Access tokens by RFC 9068 alone.
    AccessToken,
}

impl TokenKind {
    /// Validates what RFC 9068 section 4 asks beyond signature, time, issuer and audience.
    ///
    /// # Errors
    ///
    /// [`Reject::Type`] for another `typ`; then, for a claim of section 2.2 that is absent, [`Reject::Issuer`],
    /// [`Reject::Audience`] and [`Reject::MissingExpiry`], else [`Reject::ClaimType`], also where it is of another type.
    pub(crate) fn validate(self, signed: &Signed) -> Result<(), Reject> {
        match self {
            Self::Any => Ok(()),
            Self::AccessToken => {
                validate_type(&signed.header)?;
                validate_claims(&signed.claims)
            }
        }
    }
}

fn validate_type(header: &str) -> Result<(), Reject> {
    let header = Object::parse(header).map_err(|_| Reject::Malformed)?;
    let is_access_token = header.get("typ").and_then(string).is_some_and(|typ| is_same_type(TYPE, &typ));
    if is_access_token { Ok(()) } else { Err(Reject::Type) }
}

fn validate_claims(claims: &Claims) -> Result<(), Reject> {
    for (name, absent) in [
        ("iss", Reject::Issuer),
        ("sub", Reject::ClaimType),
        ("client_id", Reject::ClaimType),
        ("jti", Reject::ClaimType),
    ] {
        match claims.get(name) {
            Some(Claim::String(_)) => {}
            Some(_) => return Err(Reject::ClaimType),
            None => return Err(absent),
        }
    }
    // What it holds is validated wherever audiences are configured, as they must be for this kind.
    if claims.get("aud").is_none() {
        return Err(Reject::Audience);
    }
    claims.numeric_date("exp")?.ok_or(Reject::MissingExpiry)?;
    claims.numeric_date("iat")?.ok_or(Reject::ClaimType)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::TokenVersion;

    fn validate(kind: TokenKind, header: &str, payload: &str) -> Result<(), Reject> {
        let claims = Claims::parse(payload.as_bytes()).unwrap();
        kind.validate(&Signed { header: header.to_owned(), claims, version: TokenVersion::Legacy })
    }

    fn good() -> Value {
        json!({
            "iss": "https://id.example", "aud": ["api"], "sub": "anna", "client_id": "shop", "jti": "1",
            "iat": 1, "exp": 2.5,
        })
    }

    #[test]
    fn only_an_access_token_has_the_type_of_one() {
        let payload = good().to_string();
        for (header, expected) in [
            (r#"{"typ":"at+jwt"}"#, Ok(())),
            (r#"{"typ":"AT+JWT"}"#, Ok(())),
            (r#"{"typ":"application/at+jwt"}"#, Ok(())),
            (r#"{"typ":"Application/AT+jwt"}"#, Ok(())),
            (r#"{"typ":"JWT"}"#, Err(Reject::Type)),
            (r#"{"typ":"jwt"}"#, Err(Reject::Type)),
            (r#"{"typ":"at+jwt;v=1"}"#, Err(Reject::Type)),
            (r#"{"typ":" at+jwt"}"#, Err(Reject::Type)),
            (r#"{"typ":"text/at+jwt"}"#, Err(Reject::Type)),
            (r#"{"typ":""}"#, Err(Reject::Type)),
            (r#"{"typ":null}"#, Err(Reject::Type)),
            (r#"{"typ":["at+jwt"]}"#, Err(Reject::Type)),
            (r#"{"cty":"at+jwt"}"#, Err(Reject::Type)),
            ("{}", Err(Reject::Type)),
        ] {
            assert_eq!(validate(TokenKind::AccessToken, header, &payload), expected, "{header}");
            assert_eq!(validate(TokenKind::Any, header, "{}"), Ok(()), "{header}");
        }
    }

    #[test]
    fn each_claim_that_an_access_token_has_must_be_there_and_of_its_type() {
        let header = r#"{"typ":"at+jwt"}"#;
        for (name, absent, wrong) in [
            ("iss", Reject::Issuer, json!(7)),
            ("sub", Reject::ClaimType, json!(7)),
            ("client_id", Reject::ClaimType, json!(["shop"])),
            ("jti", Reject::ClaimType, json!(null)),
            ("exp", Reject::MissingExpiry, json!("2")),
            ("iat", Reject::ClaimType, json!("1")),
            ("aud", Reject::Audience, Value::Null),
        ] {
            let mut payload = good();
            payload.as_object_mut().unwrap().remove(name);
            assert_eq!(validate(TokenKind::AccessToken, header, &payload.to_string()), Err(absent), "{name}");
            if name != "aud" {
                payload[name] = wrong;
                let found = validate(TokenKind::AccessToken, header, &payload.to_string());
                assert_eq!(found, Err(Reject::ClaimType), "{name}");
            }
        }
    }
}
