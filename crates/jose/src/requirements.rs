//! What a policy can ask of a token beyond time, issuer and audience.

use std::time::Duration;

use crate::json::{Object, string};
use crate::pattern::matches_pattern;
use crate::purpose::is_same_type;
use crate::{Claim, ClaimNames, ClaimRule, Claims, Profile, Reject, Signed, StepUp};

/// Conditions that all must hold; the default has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirements {
    /// Accepted values of the header's `typ`, such as `at+jwt` (RFC 9068). Letter case and a leading `application/` do
    /// not count (RFC 7515 section 4.1.9). Empty: any but those that are made for something else than access; to name
    /// one of those here, of an issuer or of a policy, is the only way to accept it.
    pub types: Vec<String>,
    /// The longest time between `iat` and `exp`; set = both are required.
    pub max_lifetime: Option<Duration>,
    /// Accepted subjects, `*` standing for any characters; empty: not validated.
    pub subjects: Vec<String>,
    /// Scopes that all must be granted, by the claims of `scope_claims`.
    pub all_scopes: Vec<String>,
    /// Scopes of which one must be granted; empty: not validated.
    pub any_scope: Vec<String>,
    /// The claims that grant scopes, by name or path, together; empty: `scope` (RFC 8693 section 4.2) and `scp`.
    pub scope_claims: Vec<String>,
    /// What single claims must be.
    pub claims: Vec<ClaimRule>,
    /// Short names that the conditions use.
    pub names: ClaimNames,
    /// How the user must have logged in. It depends on time and is validated apart, after all else, since a new login
    /// mends nothing else.
    pub step_up: StepUp,
}

/// The claims that grant scopes where nothing else is said.
const SCOPE_CLAIMS: [&str; 2] = ["scope", "scp"];

impl Requirements {
    /// Validates a token whose signature is good, but for [`step_up`](Self::step_up).
    ///
    /// # Errors
    ///
    /// The first that fails: [`Reject::Type`], [`Reject::Lifetime`], [`Reject::Subject`], [`Reject::Scope`],
    /// [`Reject::Claim`].
    pub fn validate(&self, signed: &Signed) -> Result<(), Reject> {
        self.validate_above(self, signed)
    }

    /// The same, where the issuer of the token has requirements of its own: its short names, and its claims that grant
    /// scopes, count where these here do not say otherwise.
    pub(crate) fn validate_above(&self, issuer: &Self, signed: &Signed) -> Result<(), Reject> {
        let claims = &signed.claims;
        let names = self.names.over(&issuer.names);
        self.validate_type(&signed.header)?;
        self.validate_lifetime(claims)?;
        self.validate_subject(claims)?;
        let own = Some(&self.scope_claims).filter(|own| !own.is_empty());
        self.validate_scopes(claims, own.unwrap_or(&issuer.scope_claims), &names)?;
        let holds = |rule: &ClaimRule| rule.holds(claims, &names);
        if self.claims.iter().all(holds) { Ok(()) } else { Err(Reject::Claim) }
    }

    fn validate_type(&self, header: &str) -> Result<(), Reject> {
        if self.types.is_empty() {
            return Ok(());
        }
        let header = Object::parse(header).map_err(|_| Reject::Malformed)?;
        let found = header.get("typ").and_then(string).ok_or(Reject::Type)?;
        let accepted = self.types.iter().any(|wanted| is_same_type(wanted, &found));
        if accepted { Ok(()) } else { Err(Reject::Type) }
    }

    fn validate_lifetime(&self, claims: &Claims) -> Result<(), Reject> {
        let Some(longest) = self.max_lifetime else {
            return Ok(());
        };
        let (Some(expires), Some(issued)) = (claims.numeric_date("exp")?, claims.numeric_date("iat")?) else {
            return Err(Reject::Lifetime);
        };
        let longest = i64::try_from(longest.as_millis()).unwrap_or(i64::MAX);
        let lifetime = expires.as_millis().saturating_sub(issued.as_millis());
        if (0..=longest).contains(&lifetime) { Ok(()) } else { Err(Reject::Lifetime) }
    }

    fn validate_subject(&self, claims: &Claims) -> Result<(), Reject> {
        if self.subjects.is_empty() {
            return Ok(());
        }
        let subject = claims.subject(Profile::Standard).ok_or(Reject::Subject)?;
        let accepted = self.subjects.iter().any(|pattern| matches_pattern(pattern, &subject));
        if accepted { Ok(()) } else { Err(Reject::Subject) }
    }

    fn validate_scopes(&self, claims: &Claims, from: &[String], names: &ClaimNames) -> Result<(), Reject> {
        if self.all_scopes.is_empty() && self.any_scope.is_empty() {
            return Ok(());
        }
        let granted: Vec<String> = if from.is_empty() {
            SCOPE_CLAIMS.iter().flat_map(|claim| granted_by(claims, &names.path(claim))).collect()
        } else {
            from.iter().flat_map(|claim| granted_by(claims, &names.path(claim))).collect()
        };
        let is_granted = |scope: &String| granted.contains(scope);
        let enough = self.all_scopes.iter().all(is_granted)
            && (self.any_scope.is_empty() || self.any_scope.iter().any(is_granted));
        if enough { Ok(()) } else { Err(Reject::Scope) }
    }
}

/// The scopes of one claim: a string of words or an array of strings, whatever the issuer is used to. Where a path may mean
/// several claims, those that all of them grant.
fn granted_by(claims: &Claims, path: &str) -> Vec<String> {
    let found = claims.find(path).values;
    let mut lists = found.iter().map(scopes_of);
    let first = lists.next().unwrap_or_default();
    lists.fold(first, |mut common, list| {
        common.retain(|scope| list.contains(scope));
        common
    })
}

fn scopes_of(claim: &Claim<'_>) -> Vec<String> {
    match claim {
        Claim::String(words) => words.split(' ').map(str::to_owned).collect(),
        Claim::Json(json) => serde_json::from_str(json).unwrap_or_default(),
        Claim::Null | Claim::Bool(_) | Claim::Int(_) | Claim::Number(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokenVersion;

    fn validate(requirements: &Requirements, header: &str, payload: &str) -> Result<(), Reject> {
        let claims = Claims::parse(payload.as_bytes()).unwrap();
        requirements.validate(&Signed { header: header.to_owned(), claims, version: TokenVersion::Legacy })
    }

    fn list(items: &[&str]) -> Vec<String> {
        items.iter().map(|item| (*item).to_owned()).collect()
    }

    #[test]
    fn the_type_is_compared_as_a_media_type() {
        let wanted = Requirements { types: list(&["at+jwt"]), ..Requirements::default() };
        for (header, expected) in [
            (r#"{"alg":"HS256","typ":"at+jwt"}"#, Ok(())),
            (r#"{"typ":"AT+JWT"}"#, Ok(())),
            (r#"{"typ":"application/at+jwt"}"#, Ok(())),
            (r#"{"typ":"applikation/at+jwt"}"#, Err(Reject::Type)),
            (r#"{"typ":"at+jwt;v=1"}"#, Err(Reject::Type)),
            (r#"{"typ":"JWT"}"#, Err(Reject::Type)),
            (r#"{"typ":7}"#, Err(Reject::Type)),
            ("{}", Err(Reject::Type)),
        ] {
            assert_eq!(validate(&wanted, header, "{}"), expected, "{header}");
        }
        assert_eq!(validate(&Requirements::default(), "{}", "{}"), Ok(()));
    }

    #[test]
    fn a_lifetime_needs_both_ends() {
        let wanted = Requirements { max_lifetime: Some(Duration::from_secs(60)), ..Requirements::default() };
        for (payload, expected) in [
            (r#"{"iat":100,"exp":160}"#, Ok(())),
            (r#"{"iat":100,"exp":160.5}"#, Err(Reject::Lifetime)),
            (r#"{"iat":100,"exp":161}"#, Err(Reject::Lifetime)),
            (r#"{"iat":100,"exp":100}"#, Ok(())),
            (r#"{"iat":1700000000000,"exp":1700000000}"#, Err(Reject::Lifetime)),
            (r#"{"exp":1}"#, Err(Reject::Lifetime)),
            (r#"{"iat":1}"#, Err(Reject::Lifetime)),
            (r#"{"iat":-9e15,"exp":9e15}"#, Err(Reject::Lifetime)),
            (r#"{"iat":"100","exp":160}"#, Err(Reject::ClaimType)),
        ] {
            assert_eq!(validate(&wanted, "{}", payload), expected, "{payload}");
        }
    }

    #[test]
    fn a_star_in_a_subject_stands_for_any_characters() {
        let wanted = Requirements { subjects: list(&["user-*"]), ..Requirements::default() };
        assert_eq!(validate(&wanted, "{}", r#"{"sub":"user-1"}"#), Ok(()));
        assert_eq!(validate(&wanted, "{}", r#"{"sub":"svc-1"}"#), Err(Reject::Subject));
        let number = Requirements { subjects: list(&["42"]), ..Requirements::default() };
        for (sub, expected) in [
            ("42", Ok(())),
            ("42.0", Ok(())),
            ("4.2e1", Ok(())),
            (r#""42""#, Ok(())),
            ("42.5", Err(Reject::Subject)),
        ] {
            assert_eq!(validate(&number, "{}", &format!(r#"{{"sub":{sub}}}"#)), expected, "{sub}");
        }
        assert_eq!(validate(&wanted, "{}", "{}"), Err(Reject::Subject));
    }

    #[test]
    fn scopes_come_as_words_or_as_an_array() {
        let wanted = Requirements {
            all_scopes: list(&["read"]),
            any_scope: list(&["eu", "us"]),
            ..Requirements::default()
        };
        for (payload, expected) in [
            (r#"{"scope":"read eu"}"#, Ok(())),
            (r#"{"scope":"us  read"}"#, Ok(())),
            (r#"{"scp":["read","us"]}"#, Ok(())),
            (r#"{"scope":"read","scp":["eu"]}"#, Ok(())),
            (r#"{"scope":"read"}"#, Err(Reject::Scope)),
            (r#"{"scope":"readeu"}"#, Err(Reject::Scope)),
            (r#"{"scope":"Read eu"}"#, Err(Reject::Scope)),
            (r#"{"scp":["read",7,"eu"]}"#, Err(Reject::Scope)),
            (r#"{"scope":{"read":1}}"#, Err(Reject::Scope)),
            ("{}", Err(Reject::Scope)),
        ] {
            assert_eq!(validate(&wanted, "{}", payload), expected, "{payload}");
        }
    }

    #[test]
    fn scopes_come_from_the_claims_that_are_named_and_from_no_other() {
        let long = ClaimNames::new([("perm".to_owned(), "https://a.example/perm".to_owned())]).unwrap();
        let asked = |claims: &[&str]| Requirements {
            all_scopes: list(&["read", "write"]),
            scope_claims: list(claims),
            names: long.clone(),
            ..Requirements::default()
        };
        for (from, payload, expected) in [
            (&["permissions"][..], r#"{"permissions":["read","write"]}"#, Ok(())),
            (&["permissions"], r#"{"permissions":"write read"}"#, Ok(())),
            (&["permission", "permissions"], r#"{"permission":"read","permissions":["write"]}"#, Ok(())),
            (&["realm.roles"], r#"{"realm":{"roles":["read","write"]}}"#, Ok(())),
            (&["perm"], r#"{"https://a.example/perm":["read","write"]}"#, Ok(())),
            (&["permissions"], r#"{"scope":"read write","scp":["read","write"]}"#, Err(Reject::Scope)),
            (&["permissions"], r#"{"permissions":["read"],"scope":"write"}"#, Err(Reject::Scope)),
            (&["permissions"], r#"{"permissions":["read","write",7]}"#, Err(Reject::Scope)),
            (&["permissions"], r#"{"permissions":["read write"]}"#, Err(Reject::Scope)),
            (&["perm"], r#"{"perm":["read","write"]}"#, Err(Reject::Scope)),
            (&["perm"], r#"{"https://a":{"example/perm":["read"]},"perm":"read write"}"#, Err(Reject::Scope)),
            (
                &["realm.roles"],
                r#"{"realm.roles":["read","write"],"realm":{"roles":["read"]}}"#,
                Err(Reject::Scope),
            ),
            (&[], r#"{"permissions":["read","write"]}"#, Err(Reject::Scope)),
            (&[], r#"{"scope":"read","scp":["write"]}"#, Ok(())),
        ] {
            assert_eq!(validate(&asked(from), "{}", payload), expected, "{from:?} {payload}");
        }
    }

    #[test]
    fn a_short_name_means_its_claim_and_a_claim_that_is_called_so_counts_for_nothing() {
        use crate::ClaimCondition::{Absent, NoneOf, OneOf, Present};
        let names = ClaimNames::new([("role".to_owned(), "http://a.example/role".to_owned())]).unwrap();
        let admin = || vec![crate::ClaimValue::String("admin".to_owned())];
        let (long, own) = (r#"{"http://a.example/role":"admin"}"#, r#"{"role":"admin"}"#);
        let both = r#"{"role":"admin","http://a.example/role":"guest"}"#;
        let nested = r#"{"http://a.example/role":{"x":"admin"},"role.x":"guest","role":{"x":"guest"}}"#;
        for (path, condition, payload, expected) in [
            ("role", Present, long, true),
            ("role", Present, own, false),
            ("role", Absent, long, false),
            ("role", Absent, own, true),
            ("role", OneOf(admin()), long, true),
            ("role", OneOf(admin()), own, false),
            ("role", OneOf(admin()), both, false),
            ("role", NoneOf(admin()), long, false),
            ("role", NoneOf(admin()), both, true),
            ("role.x", OneOf(admin()), nested, true),
            ("http://a.example/role", OneOf(admin()), long, true),
        ] {
            let rule = ClaimRule { path: path.to_owned(), condition };
            let wanted = Requirements { claims: vec![rule], names: names.clone(), ..Requirements::default() };
            let validated = validate(&wanted, "{}", payload);
            assert_eq!(validated.is_ok(), expected, "{:?} {payload}", wanted.claims);
        }
    }

    #[test]
    fn what_an_issuer_calls_its_claims_counts_above_it_unless_said_otherwise() {
        let names = |claim: &str| ClaimNames::new([("role".to_owned(), claim.to_owned())]).unwrap();
        let rule = ClaimRule { path: "role".to_owned(), condition: crate::ClaimCondition::Present };
        let issuer = Requirements {
            scope_claims: list(&["permissions"]),
            names: names("long"),
            ..Requirements::default()
        };
        let plain =
            Requirements { claims: vec![rule], any_scope: list(&["read"]), ..Requirements::default() };
        let own = Requirements { scope_claims: list(&["scp"]), names: names("longer"), ..plain.clone() };
        for (payload, by_plain, by_own) in [
            (r#"{"long":1,"permissions":"read"}"#, Ok(()), Err(Reject::Scope)),
            (r#"{"longer":1,"scp":"read"}"#, Err(Reject::Scope), Ok(())),
            (r#"{"role":1,"permissions":"read","scp":"read"}"#, Err(Reject::Claim), Err(Reject::Claim)),
        ] {
            let claims = Claims::parse(payload.as_bytes()).unwrap();
            let signed = Signed { header: "{}".to_owned(), claims, version: TokenVersion::Legacy };
            assert_eq!(plain.validate_above(&issuer, &signed), by_plain, "{payload}");
            assert_eq!(own.validate_above(&issuer, &signed), by_own, "{payload}");
        }
    }
}
