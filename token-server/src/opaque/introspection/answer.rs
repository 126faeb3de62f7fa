//! What an authorization server answers (RFC 7662 section 2.2). Pure.

use std::time::Duration;

use jose::{Claim, Claims, Confirmation, Reject, UnixTime};

use crate::config::introspection::Terms;

/// The least time that a token without an end of its own gets: clocks that differ by less do not refuse it.
const LEAST_LIFE: Duration = Duration::from_secs(60);

/// Why an answer says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// It is no JSON object.
    #[error("an answer that is no JSON object with members of different names")]
    Json,
    /// RFC 7662 section 2.2 asks for a boolean.
    #[error(
        "an answer without the boolean member active (RFC 7662 section 2.2); is this the introspection endpoint?"
    )]
    Active,
}

/// An answer, and how long it may be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// What the token says, or why it is refused.
    pub(super) claims: Result<Claims, Reject>,
    /// From when it was asked.
    pub(super) for_at_most: Duration,
}

/// Reads an answer to a question that was sent at `asked`.
pub(super) fn read(bytes: &[u8], issuer: &str, terms: &Terms, asked: UnixTime) -> Result<Said, Unreadable> {
    let claims = Claims::parse(bytes).map_err(|_| Unreadable::Json)?;
    let said = match claims.get("active") {
        Some(Claim::Bool(true)) => accepted(claims, issuer, terms, asked),
        Some(Claim::Bool(false)) => Err(Reject::Inactive),
        Some(Claim::Null | Claim::Int(_) | Claim::Number(_) | Claim::String(_) | Claim::Json(_)) | None => {
            return Err(Unreadable::Active);
        }
    };
    Ok(match said {
        Ok((claims, for_at_most)) => Said { claims: Ok(claims), for_at_most },
        Err(reject) => Said { claims: Err(reject), for_at_most: terms.negative_ttl },
    })
}

/// What is active, if it is an access token of this issuer.
fn accepted(
    claims: Claims,
    issuer: &str,
    terms: &Terms,
    asked: UnixTime,
) -> Result<(Claims, Duration), Reject> {
    judge_type(&claims, terms)?;
    let mut more = Vec::new();
    match claims.get("iss") {
        None => more.push(("iss", serde_json::Value::from(issuer))),
        Some(Claim::String(told)) if told == issuer => {}
        Some(_) => return Err(Reject::Issuer),
    }
    let for_at_most = match claims.numeric_date("exp")? {
        None => {
            let life = terms.cache_ttl.max(LEAST_LIFE);
            let end = asked.as_millis().div_euclid(1_000).saturating_add_unsigned(life.as_secs());
            more.push(("exp", end.into()));
            terms.cache_ttl
        }
        Some(end) => {
            let left = u64::try_from(end.as_millis().saturating_sub(asked.as_millis())).unwrap_or(0);
            // One that is over is refused by its time, whatever its server says: it is asked about no more often than others.
            let left = if left == 0 { terms.negative_ttl } else { Duration::from_millis(left) };
            terms.cache_ttl.min(left)
        }
    };
    Ok((with(claims, &more)?, for_at_most))
}

/// Refuses what is no access token: a refresh token is active as well, and many servers answer for it without a type.
fn judge_type(claims: &Claims, terms: &Terms) -> Result<(), Reject> {
    let told = match claims.get("token_type") {
        None | Some(Claim::Null) if terms.allow_untyped => return Ok(()),
        Some(Claim::String(told)) => told,
        None | Some(Claim::Null | Claim::Bool(_) | Claim::Int(_) | Claim::Number(_) | Claim::Json(_)) => {
            return Err(Reject::TokenType);
        }
    };
    if !terms.token_types.iter().any(|name| name.eq_ignore_ascii_case(&told)) {
        return Err(Reject::TokenType);
    }
    // One that is bound to a key, and whose key is not told, could be used by any client (RFC 9449 section 6.2).
    let is_bound = || Confirmation::read(claims).is_ok_and(|asked| asked.key.is_some());
    if told.eq_ignore_ascii_case("DPoP") && !is_bound() { Err(Reject::Binding) } else { Ok(()) }
}

/// The same claims and these, which it does not have.
fn with(claims: Claims, more: &[(&str, serde_json::Value)]) -> Result<Claims, Reject> {
    if more.is_empty() {
        return Ok(claims);
    }
    let json = claims.as_json();
    // It has `active` at least.
    let mut json = json.strip_suffix('}').ok_or(Reject::Malformed)?.to_owned();
    for (name, value) in more {
        json.push_str(&format!(",\"{name}\":{value}"));
    }
    json.push('}');
    Claims::parse(json.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://id.example.com";
    const ASKED: UnixTime = UnixTime::from_secs(1_700_000_000);

    fn said(json: &str) -> Result<(Result<String, Reject>, u64), Unreadable> {
        let said = read(json.as_bytes(), ISSUER, &Terms::default(), ASKED)?;
        let claims = said.claims.map(|claims| claims.as_json().to_owned());
        Ok((claims, u64::try_from(said.for_at_most.as_millis()).unwrap()))
    }

    #[test]
    fn only_the_boolean_true_is_active_and_only_a_boolean_is_an_answer() {
        for active in [r#""true""#, "1", "null", "[true]", r#"{"a":true}"#, r#""false""#, "0"] {
            let json = format!(r#"{{"active":{active},"token_type":"Bearer","exp":1700000100}}"#);
            assert_eq!(said(&json), Err(Unreadable::Active), "{json}");
        }
        for json in [r#"{"Active":true,"token_type":"Bearer"}"#, "{}", r#"{"sub":"anna"}"#] {
            assert_eq!(said(json), Err(Unreadable::Active), "{json}");
        }
        for json in
            ["", "null", "true", "[]", "<html>", r#"{"active":true,"active":false}"#, r#"{"active":true"#]
        {
            assert_eq!(said(json), Err(Unreadable::Json), "{json}");
        }
        assert_eq!(said(r#"{"active":false}"#), Ok((Err(Reject::Inactive), 5_000)));
        assert_eq!(said(r#"{"active":false,"token_type":"Bearer"}"#), Ok((Err(Reject::Inactive), 5_000)));
    }

    #[test]
    fn an_answer_is_used_for_its_time_and_never_beyond_the_tokens_end() {
        let end = r#","iss":"https://id.example.com","token_type":"Bearer"}"#;
        for (exp, milliseconds) in [
            ("1700000031", 30_000),
            ("1700000030", 30_000),
            ("1700000029", 29_000),
            ("1700000000.5", 500),
            ("1700000000", 5_000),
            ("1600000000", 5_000),
        ] {
            let json = format!(r#"{{"active":true,"exp":{exp}{end}"#);
            assert_eq!(said(&json), Ok((Ok(json.clone()), milliseconds)), "{exp}");
        }
        let json = format!(r#"{{"active":true,"exp":"1700000031"{end}"#);
        assert_eq!(said(&json), Ok((Err(Reject::ClaimType), 5_000)));
    }

    #[test]
    fn an_issuer_and_an_end_that_are_not_told_are_written_in_and_another_issuer_is_refused() {
        let json = r#"{"active":true,"token_type":"bearer","n":12345678901234567890}"#;
        let expected = r#"{"active":true,"token_type":"bearer","n":12345678901234567890,"iss":"https://id.example.com","exp":1700000060}"#;
        assert_eq!(said(json), Ok((Ok(expected.to_owned()), 30_000)));
        for iss in [
            r#""https://id.example.com/""#,
            r#""https://other.example.com""#,
            "null",
            "7",
            r#"["https://id.example.com"]"#,
        ] {
            let json = format!(r#"{{"active":true,"token_type":"Bearer","exp":1700000100,"iss":{iss}}}"#);
            assert_eq!(said(&json), Ok((Err(Reject::Issuer), 5_000)), "{iss}");
        }
    }

    #[test]
    fn what_is_no_access_token_of_an_accepted_type_is_refused() {
        const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        let key = format!(r#","cnf":{{"jkt":"{JKT}"}}"#);
        let certificate = format!(r#","cnf":{{"x5t#S256":"{JKT}"}}"#);
        for (members, strict, lax) in [
            ("", Err(Reject::TokenType), Ok(())),
            (r#","token_type":null"#, Err(Reject::TokenType), Ok(())),
            (r#","token_type":"BEARER""#, Ok(()), Ok(())),
            (r#","token_type":"N_A""#, Err(Reject::TokenType), Err(Reject::TokenType)),
            (r#","token_type":"refresh_token""#, Err(Reject::TokenType), Err(Reject::TokenType)),
            (r#","token_type":["Bearer"]"#, Err(Reject::TokenType), Err(Reject::TokenType)),
            (r#","token_type":"""#, Err(Reject::TokenType), Err(Reject::TokenType)),
            (r#","token_type":"DPoP""#, Err(Reject::Binding), Err(Reject::Binding)),
            (&format!(r#","token_type":"DPoP"{key}"#), Ok(()), Ok(())),
            (&format!(r#","token_type":"DPoP"{certificate}"#), Err(Reject::Binding), Err(Reject::Binding)),
            (&format!(r#","token_type":"Bearer"{certificate}"#), Ok(()), Ok(())),
        ] {
            let json = format!(r#"{{"active":true{members}}}"#);
            for (allow_untyped, expected) in [(false, strict), (true, lax)] {
                let terms = Terms { allow_untyped, ..Terms::default() };
                let said = read(json.as_bytes(), ISSUER, &terms, ASKED).unwrap();
                assert_eq!(said.claims.map(|_| ()), expected, "{json} {allow_untyped}");
            }
        }
    }
}
