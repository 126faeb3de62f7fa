//! The decision on claims whose signature was verified, here or elsewhere: their form and time, then the rules.

use std::sync::Arc;
use std::time::Duration;

use jose::{Claims, IssuerPolicy, Leeway, Profile, Reject, TokenVersion, UnixTime};
use rules::Issued;
use tokio::time::Instant;

use crate::encrypted::Decryption;
use crate::good_tokens::GoodTokens;
use crate::opaque::Opaque;
use crate::payload::{Dating, Payload};
use crate::revocations::{Revocations, RulesVerdict};

/// What decisions are made with.
pub(crate) struct Basis {
    pub(crate) revocations: Arc<Revocations>,
    pub(crate) decryption: Decryption,
    pub(crate) opaque: Opaque,
    pub(crate) good_tokens: GoodTokens,
}

/// What is known of claims after the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether the token may be used.
    pub verdict: Result<(), Reject>,
    /// Whose it is; absent when the claims name no subject.
    pub subject: Option<String>,
    /// When it expires; absent when it does not say, or not readably.
    pub expires: Option<UnixTime>,
    /// Whether it says when it was issued; an upper bound on `iat` hits one that does not.
    pub issued: Issued,
    /// Whether the feed tells whatever would change the verdict, time apart.
    pub vouched: bool,
    /// How long ago the rules of its subject were read.
    pub read_ago: Duration,
}

/// What this program asks of claims besides rules: the times. Issuers, audiences and versions are the caller's to judge.
pub fn time_policy(profile: Profile, leeway: Leeway) -> IssuerPolicy {
    IssuerPolicy { name: profile.to_string(), leeway, ..IssuerPolicy::of(profile) }
}

/// Decides on claims, and takes no note of them. Rules that have to be read are waited for until `until`.
///
/// Claims without a subject are checked by the rules of everybody, as no others can exist for them. A subject that no rule
/// could name alone is refused; see [`Claims::revocable_subject`]. A refresh token is refused as one, revoked or not.
pub async fn decide(
    claims: &Claims,
    policy: &IssuerPolicy,
    revocations: &Arc<Revocations>,
    now: UnixTime,
    until: Instant,
) -> Decision {
    let payload = validate(claims, policy, now);
    let verdict = check(payload.as_ref(), revocations, now, until).await;
    Decision::of(claims, policy, payload, verdict, now)
}

impl Basis {
    /// The same for claims that were verified, with a note of good ones for the rules that are tried.
    pub(crate) async fn decide(
        &self,
        claims: &Claims,
        policy: &IssuerPolicy,
        now: UnixTime,
        until: Instant,
    ) -> Decision {
        let payload = validate(claims, policy, now);
        let verdict = check(payload.as_ref(), &self.revocations, now, until).await;
        if let (Ok(payload), Ok(())) = (&payload, verdict.verdict) {
            self.good_tokens.note(payload, claims.as_json(), now);
        }
        Decision::of(claims, policy, payload, verdict, now)
    }
}

/// All but the rules.
fn validate(claims: &Claims, policy: &IssuerPolicy, now: UnixTime) -> Result<Payload, Reject> {
    policy.refuse_refresh_token(claims, TokenVersion::of(claims))?;
    policy.validate_time(claims, now)?;
    Payload::read(claims, policy)
}

async fn check(
    payload: Result<&Payload, &Reject>,
    revocations: &Arc<Revocations>,
    now: UnixTime,
    until: Instant,
) -> RulesVerdict {
    match payload {
        Ok(payload) => payload.check(revocations, now, until).await,
        Err(reject) => RulesVerdict { verdict: Err(*reject), vouched: false, read_ago: Duration::ZERO },
    }
}

impl Decision {
    fn of(
        claims: &Claims,
        policy: &IssuerPolicy,
        payload: Result<Payload, Reject>,
        RulesVerdict { verdict, vouched, read_ago }: RulesVerdict,
        now: UnixTime,
    ) -> Self {
        Self {
            verdict,
            expires: policy.expiry(claims).ok().flatten(),
            issued: Dating::of(claims, policy).issued(now),
            subject: payload.map_or_else(|_| claims.subject(policy.profile), Payload::into_subject),
            vouched,
            read_ago,
        }
    }

    /// A refusal of what has no readable claims.
    pub fn refused(reject: Reject) -> Self {
        let issued = Issued::Unknown;
        let read_ago = Duration::ZERO;
        Self { verdict: Err(reject), subject: None, expires: None, issued, vouched: false, read_ago }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::annotations::Annotations;
    use crate::continuity::Sessions;
    use crate::revocations::load_deadline;
    use crate::revocations::tests::{act, draft_of};
    use crate::rulebook::{DEFAULT_BYTES, Lifetimes, Totals};
    use crate::store::{EmbeddedAnnotations, EmbeddedStore};
    use rules::{ExpireAt, Rule};

    const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

    async fn decided(payload: &str, policy: &IssuerPolicy, rules: &Arc<Revocations>) -> Decision {
        match Claims::parse(payload.as_bytes()) {
            Ok(claims) => decide(&claims, policy, rules, NOW, load_deadline()).await,
            Err(reject) => Decision::refused(reject),
        }
    }

    async fn revocations(folder: &tempfile::TempDir) -> Arc<Revocations> {
        let store = Arc::new(EmbeddedStore::open(&folder.path().join("store")).unwrap());
        let lifetimes = Lifetimes { ttl: Duration::ZERO, max_stale: Duration::ZERO };
        let annotations = EmbeddedAnnotations(Arc::clone(&store));
        let revocations = Revocations::new(
            Arc::new(store),
            Arc::new(Annotations::new(annotations, Default::default())),
            Sessions::exclusive(),
            lifetimes,
            DEFAULT_BYTES,
            Totals::default(),
            0,
        );
        let revocations = Arc::new(revocations.unwrap());
        for (group, json) in [("anna", r#"{"rt":"x"}"#), ("5", "{}"), ("g", r#"{"iss":"old"}"#)] {
            let rule = Rule::parse(json).unwrap();
            revocations.add(draft_of(group, rule, ExpireAt::Never), act()).await.unwrap();
        }
        revocations
    }

    #[tokio::test(start_paused = true)]
    async fn a_payload_is_judged_by_time_then_by_rules() {
        use Profile::{MsUsers, Standard};
        let folder = tempfile::tempdir().unwrap();
        let rules = revocations(&folder).await;
        for (profile, payload, verdict) in [
            (Standard, r#"{"sub":"anna","exp":1700000001}"#, Ok(())),
            (Standard, r#"{"sub":"anna","exp":1700000000}"#, Err(Reject::Expired)),
            (Standard, r#"{"sub":"anna","exp":1700000001,"nbf":1700000001}"#, Err(Reject::NotYetValid)),
            (Standard, r#"{"sub":"anna"}"#, Err(Reject::MissingExpiry)),
            (Standard, r#"{"sub":"anna","exp":"1700000001"}"#, Err(Reject::ClaimType)),
            (Standard, r#"{"sub":"anna","exp":1700000001,"rt":"x"}"#, Err(Reject::Revoked)),
            (Standard, r#"{"sub":"anna","exp":1600000000,"rt":"x"}"#, Err(Reject::Expired)),
            (Standard, r#"{"sub":5,"exp":1700000001}"#, Err(Reject::Revoked)),
            (Standard, r#"{"exp":1700000001}"#, Ok(())),
            (Standard, r#"{"exp":1700000001,"iss":"old"}"#, Err(Reject::Revoked)),
            (Standard, r#"{"exp":1700000001,"sub":null}"#, Err(Reject::ClaimType)),
            (Standard, r#"{"exp":1700000001,"sub":["anna"]}"#, Err(Reject::ClaimType)),
            (Standard, r#"{"exp":1700000001,"n":1e400}"#, Err(Reject::Malformed)),
            (Standard, r#"{"exp":1700000001,"username":"anna","rt":"x"}"#, Ok(())),
            (MsUsers, r#"{"username":"anna"}"#, Ok(())),
            (MsUsers, r#"{"username":"anna","rt":"x"}"#, Err(Reject::Revoked)),
            (MsUsers, r#"{"username":"anna","exp":1700000001000}"#, Ok(())),
            (MsUsers, r#"{"username":"anna","exp":1699999999000}"#, Err(Reject::Expired)),
            (MsUsers, r#"{"username":{},"exp":1700000001}"#, Err(Reject::ClaimType)),
            (MsUsers, r#"{"username":"anna","st":1,"irt":1,"rt":"x","exp":1}"#, Err(Reject::RefreshToken)),
            (MsUsers, r#"{"username":"anna","st":1,"irt":1}"#, Err(Reject::RefreshToken)),
            (MsUsers, r#"{"username":"anna","st":1,"irt":0}"#, Ok(())),
            (MsUsers, r#"{"username":"anna","irt":1}"#, Ok(())),
            (MsUsers, r#"{"username":"","rt":"x"}"#, Ok(())),
            (Standard, r#"{"sub":"anna","exp":1700000001,"st":1,"irt":1}"#, Ok(())),
            (Standard, r#"{"sub":"","exp":1700000001}"#, Err(Reject::ClaimType)),
            (Standard, r#"{"sub":"g","exp":1700000001}"#, Err(Reject::ClaimType)),
            (Standard, r#"{"sub":5.0,"exp":1700000001}"#, Err(Reject::Revoked)),
            (Standard, r#"{"sub":0.5e1,"exp":1700000001}"#, Err(Reject::Revoked)),
            (MsUsers, "[]", Err(Reject::Malformed)),
            (MsUsers, "", Err(Reject::Malformed)),
        ] {
            let policy = time_policy(profile, Leeway::NONE);
            assert_eq!(decided(payload, &policy, &rules).await.verdict, verdict, "{payload}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_upper_bound_on_iat_hits_a_token_that_does_not_usably_say_when_it_was_issued() {
        let folder = tempfile::tempdir().unwrap();
        let rules = revocations(&folder).await;
        for (group, json) in [
            ("below", r#"{"iat":{"lt":1700000001}}"#),
            ("upto", r#"{"iat":{"lte":1700000000}}"#),
            ("both", r#"{"rt":"x","iat":{"lt":1700000001}}"#),
            ("either", r#"{"_or":true,"rt":"y","iat":{"lt":1700000001}}"#),
            ("nested", r#"{"rt":"x","n":{"_or":true,"rt":{"eq":"y"},"iat":{"lt":1700000001}}}"#),
            ("range", r#"{"iat":{"gt":0,"lt":1700000001}}"#),
            ("above", r#"{"iat":{"gt":0}}"#),
            ("exact", r#"{"iat":{"eq":1700000000}}"#),
        ] {
            let rule = Rule::parse(json).unwrap();
            revocations_add(&rules, group, rule).await;
        }
        let (hit, passes) = (Err(Reject::Revoked), Ok(()));
        let (unset, none) = (Leeway::default(), Leeway::NONE);
        let wide = Leeway::both(Duration::from_secs(300));
        for (leeway, iat, bounded, above) in [
            (unset, "", hit, passes),
            (unset, r#","iat":1700000001000"#, hit, hit),
            (unset, r#","iat":1700003600"#, hit, hit),
            (unset, r#","iat":1700000031"#, hit, hit),
            (unset, r#","iat":1e300"#, hit, hit),
            (unset, r#","iat":1700000030"#, passes, hit),
            (unset, r#","iat":1700000001"#, passes, hit),
            (unset, r#","iat":1600000000"#, hit, hit),
            (none, r#","iat":1700000001"#, hit, hit),
            (none, r#","iat":1700000000.5"#, hit, hit),
            (wide, r#","iat":1700000300"#, passes, hit),
            (wide, r#","iat":1700000301"#, hit, hit),
        ] {
            for (group, verdict) in [
                ("below", bounded),
                ("upto", bounded),
                ("both", bounded),
                ("either", bounded),
                ("nested", bounded),
                ("range", bounded),
                ("above", above),
                ("exact", passes),
            ] {
                let payload = format!(r#"{{"sub":"{group}","rt":"x","exp":1800000000{iat}}}"#);
                let policy = time_policy(Profile::Standard, leeway);
                let read = Payload::read(&Claims::parse(payload.as_bytes()).unwrap(), &policy).unwrap();
                assert_eq!(
                    read.check(&rules, NOW, load_deadline()).await.verdict,
                    verdict,
                    "{leeway:?} {payload}"
                );
            }
        }
        let old = r#"{"username":"below","iat":1700000001000}"#;
        let as_ever = decided(old, &time_policy(Profile::MsUsers, Leeway::NONE), &rules).await;
        assert_eq!(as_ever.verdict, Ok(()), "ms-users writes milliseconds, in tokens and in rules");
    }

    async fn revocations_add(rules: &Arc<Revocations>, group: &str, rule: Rule) {
        rules.add(draft_of(group, rule, ExpireAt::Never), act()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_expiry_is_told_in_real_time_whatever_unit_it_was_written_in() {
        let folder = tempfile::tempdir().unwrap();
        let rules = revocations(&folder).await;
        for (profile, exp, expires) in [
            (Profile::MsUsers, "1700000001500", Some(1_700_000_001_500)),
            (Profile::MsUsers, "1700000001.5", Some(1_700_000_001_500)),
            (Profile::Standard, "1700000001", Some(1_700_000_001_000)),
            (Profile::Standard, "null", None),
        ] {
            let payload = format!(r#"{{"exp":{exp}}}"#);
            let decision = decided(&payload, &time_policy(profile, Leeway::NONE), &rules).await;
            assert_eq!(decision.expires.map(UnixTime::as_millis), expires, "{exp} in {profile}");
        }
    }
}
