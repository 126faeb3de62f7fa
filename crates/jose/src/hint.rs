//! What an unverified token says of itself that helps to find newer keys for it. Nothing of it is believed: it can only
//! choose which sources are asked, and whether a token that no key verifies is refused or cannot be judged yet.

use crate::{Algorithm, Claim, Claims, Policy, Trust, UnixTime, Uuid};

/// Whose keys a token wants, and when it says it was issued.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hint {
    /// The key set of the issuer that it names: the index in the slice that [`Trust::verify`] gets. Absent: any.
    pub keys: Option<usize>,
    /// Its `iat`; absent: it does not say.
    pub issued: Option<UnixTime>,
    /// Its `kid`, where the keys of its issuer are fetched by that: of an AWS load balancer, whose `kid`s are UUIDs.
    pub kid: Option<Uuid>,
}

/// What is counted and logged of a token that was refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claimed<'t> {
    /// The first configured name of the issuer by whose keys it is judged; absent where it names none, or none is configured.
    pub issuer: Option<&'t str>,
    /// The issuer that it names, where it was refused for that; no key has signed it. See [`Trust::named_issuer`].
    pub stranger: Option<String>,
    /// The `kid` of its header, which no key has signed.
    pub kid: Option<String>,
    /// The `alg` of its header.
    pub alg: Option<Algorithm>,
}

impl Hint {
    /// Whether newer keys of that set might verify the token.
    pub fn concerns(&self, keys: usize) -> bool {
        self.keys.is_none_or(|own| own == keys)
    }
}

impl Trust {
    /// By whose keys `policy` would judge a token, and which key it names.
    pub fn claimed(&self, token: &str, policy: &Policy) -> Claimed<'_> {
        let Ok(unverified) = self.open(token) else { return Claimed::default() };
        let issuer = self.choose_issuer(&unverified, policy).ok();
        Claimed {
            issuer: issuer.and_then(|issuer| issuer.policy.name()),
            stranger: None,
            kid: unverified.header().kid.clone(),
            alg: Some(unverified.header().algorithm),
        }
    }

    /// The issuer that a token names, whether it is configured or not.
    pub fn named_issuer(&self, token: &str) -> Option<String> {
        let unverified = self.open(token).ok()?;
        match Claims::parse(unverified.payload()).ok()?.get("iss")? {
            Claim::String(name) => Some(name.into_owned()),
            Claim::Null | Claim::Bool(_) | Claim::Int(_) | Claim::Number(_) | Claim::Json(_) => None,
        }
    }

    /// Reads what a signed token, which `policy` would judge, says of itself.
    pub fn hint(&self, token: &str, policy: &Policy) -> Hint {
        let Ok(unverified) = self.open(token) else { return Hint::default() };
        let Ok(issuer) = self.choose_issuer(&unverified, policy) else { return Hint::default() };
        let claims = Claims::parse(unverified.payload()).ok();
        let kid = unverified.header().kid.as_deref().filter(|_| issuer.is_load_balancer());
        Hint {
            keys: Some(issuer.keys),
            issued: claims.and_then(|claims| issuer.policy.issued(&claims)),
            kid: kid.and_then(Uuid::parse),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IssuerPolicy, Profile};
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn token(payload: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part(r#"{"alg":"ES256","kid":"k"}"#), part(payload), part("signature"))
    }

    #[test]
    fn what_a_token_says_of_itself_is_read_and_what_it_does_not_say_is_absent() {
        let trust = |profile| Trust::single(IssuerPolicy::of(profile));
        for (profile, payload, issued) in [
            (Profile::Standard, r#"{"iat":1700000000}"#, Some(1_700_000_000)),
            (Profile::MsUsers, r#"{"iat":1700000000000}"#, Some(1_700_000_000)),
            (Profile::Standard, r#"{"iat":"now"}"#, None),
            (Profile::Standard, "{}", None),
            (Profile::Standard, "[]", None),
        ] {
            let trust = trust(profile);
            let hint = trust.hint(&token(payload), &trust.policies()[0]);
            let expected = Hint { keys: Some(0), issued: issued.map(UnixTime::from_secs), kid: None };
            assert_eq!(hint, expected, "{payload}");
            assert!(hint.concerns(0) && !hint.concerns(1));
        }
        let trust = trust(Profile::Standard);
        assert_eq!(trust.hint("garbage", &trust.policies()[0]), Hint::default());
        assert!(Hint::default().concerns(7));
    }

    #[test]
    fn by_whose_keys_a_token_would_be_judged_is_told_by_the_issuers_first_name() {
        let issuers = vec!["https://a.example".into(), "https://b.example".into()];
        let trust = Trust::single(IssuerPolicy { issuers, ..IssuerPolicy::of(Profile::Standard) });
        let key = Some("k".to_owned());
        for (token, issuer, kid) in [
            (token(r#"{"iss":"https://a.example"}"#), Some("https://a.example"), key.clone()),
            (token(r#"{"iss":"https://b.example"}"#), Some("https://a.example"), key.clone()),
            ("garbage".to_owned(), None, None),
        ] {
            let claimed = trust.claimed(&token, &trust.policies()[0]);
            assert_eq!((claimed.issuer, claimed.kid), (issuer, kid), "{token}");
            assert_eq!(claimed.alg, issuer.map(|_| Algorithm::ES256), "{token}");
        }
        for (token, named) in [
            (token(r#"{"iss":"https://c.example"}"#), Some("https://c.example")),
            (token(r#"{"iss":5}"#), None),
            (token("[]"), None),
            ("garbage".to_owned(), None),
        ] {
            assert_eq!(trust.named_issuer(&token).as_deref(), named, "{token}");
        }
        let unnamed = Trust::single(IssuerPolicy::of(Profile::Standard));
        let claimed = unnamed.claimed(&token("{}"), &unnamed.policies()[0]);
        assert_eq!((claimed.issuer, claimed.kid), (None, key));
    }
}
