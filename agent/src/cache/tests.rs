use jose::{Claims, Thumbprint, TokenVersion};
use revocation::events::{Changes, Events};
use revocation::lease::{ServerId, Stamp, Terms};

use super::*;

const TTL: Duration = Duration::from_secs(1);
const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

fn key(token: &str) -> Key {
    Key { token: TokenHash::of(token), policy: 0, keys: 1, scheme: AuthScheme::Bearer }
}

fn made(bytes: usize, reject: Option<Reject>, word: Option<Word>) -> Arc<Kept> {
    let answers = Answers::Same(ack_of(bytes));
    Arc::new(Kept { word, ..Kept::new(answers, reject, Window::ALWAYS) })
}

fn ack_of(bytes: usize) -> Ack {
    Ack { actions: vec![0; bytes].into(), ..Ack::default() }
}

fn kept(bytes: usize, reject: Option<Reject>) -> Arc<Kept> {
    made(bytes, reject, None)
}

fn lease(ttl: Duration) -> Arc<SharedLease> {
    Arc::new(SharedLease::new(Terms { ttl, ttl_max: Duration::from_secs(300) }, Instant::now()))
}

fn cache(entries: u64, bytes: u64) -> VerdictCache {
    VerdictCache::new(Limits { entries, bytes }, lease(TTL))
}

fn has(cache: &VerdictCache, token: &str, at: Instant) -> bool {
    matches!(cache.get(&key(token), NOW, at), Found::Hit(_))
}

fn word(asked: Instant) -> Option<Word> {
    let stamp = Stamp {
        server: ServerId(0),
        epoch: "e".into(),
        revision: 5,
        vouched: true,
        asked,
        read: asked,
        until: None,
    };
    Some(Word::new(stamp, Some("anna".into())))
}

#[test]
fn both_limits_hold_however_large_or_small_the_entries_are() {
    let at = Instant::now();
    for (entries, bytes, each) in [(100, 1 << 20, 10), (1000, 1 << 20, 10_000)] {
        let cache = cache(entries, bytes);
        for index in 0..5000 {
            cache.keep(key(&index.to_string()), &kept(each, None), at);
        }
        let (count, weight) = cache.size();
        assert!(count <= entries && weight <= bytes, "{count} entries, {weight} bytes");
        assert!(count > 0);
    }
}

#[test]
fn without_a_limit_nothing_is_kept() {
    let at = Instant::now();
    for (entries, bytes) in [(0, 1), (1, 0)] {
        let cache = cache(entries, bytes);
        cache.keep(key("a"), &kept(1, None), at);
        cache.keep(key("b"), &kept(1, Some(Reject::Signature)), at);
        assert!(!has(&cache, "a", at) && !has(&cache, "b", at));
    }
}

#[test]
fn refusals_are_forgotten_soon_and_push_nothing_out() {
    let at = Instant::now();
    let cache = cache(100, 1 << 20);
    cache.keep(key("good"), &kept(10, None), at);
    for index in 0..100_000 {
        cache.keep(key(&format!("bad {index}")), &kept(10, Some(Reject::Signature)), at);
    }
    assert_eq!(cache.size().0, 1);
    cache.keep(key("bad"), &kept(10, Some(Reject::Signature)), at);
    assert!(has(&cache, "good", at) && has(&cache, "bad", at));
    assert!(has(&cache, "good", at + REFUSED_FOR) && !has(&cache, "bad", at + REFUSED_FOR));
}

#[test]
fn another_policy_or_key_set_is_another_question() {
    let at = Instant::now();
    let cache = cache(100, 1 << 20);
    cache.keep(key("a"), &kept(1, None), at);
    for other in [
        Key { policy: 1, ..key("a") },
        Key { scheme: AuthScheme::Dpop, ..key("a") },
        Key { keys: 2, ..key("a") },
        key("b"),
    ] {
        assert!(matches!(cache.get(&other, NOW, at), Found::Miss), "{other:?}");
    }
}

#[test]
fn a_hit_judges_time_and_lease_again() {
    let at = Instant::now();
    let cache = cache(100, 1 << 20);
    cache.keep(key("a"), &made(1, None, word(at)), at);
    let needs_recheck = |at| matches!(cache.get(&key("a"), NOW, at), Found::Recheck(_));
    assert!(has(&cache, "a", at + TTL));
    assert!(needs_recheck(at + TTL * 2), "no server has vouched for it since");
    let changes = Changes::Groups(vec!["anna".to_owned()]);
    let (store_id, epoch) = ("s".into(), "e".into());
    let events = Events { store_id, epoch, revision: 6, complete_as_of: Some(0), changes };
    cache.lease.hear(ServerId(0), at, at, &events);
    assert!(needs_recheck(at), "the rules of its subject have changed");

    let window = Window { until: Some(NOW), ..Window::ALWAYS };
    let expired = Kept::new(Answers::Same(Ack::default()), None, window);
    cache.keep(key("b"), &Arc::new(expired), at);
    assert!(matches!(cache.get(&key("b"), NOW, at), Found::Miss));
    assert_eq!(cache.size().0, 1, "it will not hold again");
}

#[test]
fn a_refusal_takes_the_place_of_what_was_accepted_and_ends_with_its_rule() {
    let at = Instant::now();
    let cache = cache(100, 1 << 20);
    cache.keep(key("a"), &made(1, None, word(at)), at);
    cache.keep(key("a"), &made(2, Some(Reject::Revoked), word(at)), at);
    match cache.get(&key("a"), NOW, at) {
        Found::Hit(kept) => assert_eq!(kept.reject, Some(Reject::Revoked)),
        other => panic!("{other:?}"),
    }
    let changes = Changes::Groups(vec!["g".to_owned()]);
    let (store_id, epoch) = ("s".into(), "e".into());
    let events = Events { store_id, epoch, revision: 6, complete_as_of: Some(0), changes };
    cache.lease.hear(ServerId(0), at, at, &events);
    assert!(matches!(cache.get(&key("a"), NOW, at), Found::Miss), "the rule may have been deleted");
}

#[test]
fn where_no_verdict_is_used_twice_no_request_follows_another() {
    let (limits, at) = (Limits { entries: 100, bytes: 1 << 20 }, Instant::now());
    let unkept = cache(0, 0);
    let unshared = VerdictCache::new(limits, lease(Duration::ZERO));
    for cache in [&unkept, &unshared] {
        assert!(cache.board(key("a"), at).is_none());
    }
    assert!(matches!(cache(100, 1 << 20).board(key("a"), at), Some(Boarding::Lead(_))));
}

#[test]
fn an_entry_weighs_its_texts_and_never_less_than_its_share() {
    let claims = Claims::parse(br#"{"a":1}"#).unwrap();
    let signed = Signed { header: "{}".to_owned(), claims, version: TokenVersion::Legacy };
    let at = Instant::now();
    for (bytes, signed, word, least, expected) in [
        (10, None, None, 1, OVERHEAD_BYTES + 10),
        (0, Some(signed.clone()), None, 1, OVERHEAD_BYTES + 9),
        (0, None, word(at), 1, OVERHEAD_BYTES + 5),
        (10, Some(signed), word(at), 1, OVERHEAD_BYTES + 24),
        (10, None, None, 5000, 5000),
    ] {
        let answers = Answers::Same(ack_of(bytes));
        let kept = Kept { word, signed, ..Kept::new(answers, None, Window::ALWAYS) };
        assert_eq!(Weight { least }.weight(&key("a"), &Arc::new(kept)), expected);
    }
    let (kept, _) = bound(10, 4);
    let both = OVERHEAD_BYTES + 14 + u64::try_from(size_of::<ByProof>()).unwrap();
    assert_eq!(Weight { least: 1 }.weight(&key("a"), &Arc::new(kept)), both);
}

/// The verdict on a token that is bound to a certificate, and what shows that.
fn bound(proved: usize, unproved: usize) -> (Kept, Evidence) {
    let certificate = Some(Thumbprint::of(b"der"));
    let confirmation = Confirmation { certificate, ..Confirmation::NONE };
    let answers = ByProof { confirmation, proved: ack_of(proved), unproved: ack_of(unproved) };
    let kept = Kept::new(Answers::ByProof(Box::new(answers)), None, Window::ALWAYS);
    (kept, Evidence { certificate, ..Evidence::NONE })
}

#[test]
fn what_is_sent_of_a_bound_token_depends_on_what_each_request_shows() {
    let (kept, own) = bound(2, 1);
    let other = Evidence { certificate: Some(Thumbprint::of(b"other")), ..Evidence::NONE };
    let as_key = Evidence { key: own.certificate, ..Evidence::NONE };
    for (evidence, bytes) in [(own, 2), (Evidence::NONE, 1), (other, 1), (as_key, 1), (own, 2)] {
        assert_eq!(kept.ack(&evidence).actions.len(), bytes, "{evidence:?}");
    }
    assert!(kept.ack_to_all().is_none(), "HAProxy would give it to any client");
    assert!(made(1, None, None).ack_to_all().is_some());
}

#[test]
fn the_size_is_that_of_the_accepted_verdicts_alone() {
    let at = Instant::now();
    let cache = cache(100, 1 << 20);
    let share = (1 << 20) / 100;
    assert_eq!(cache.size(), (0, 0));
    for (token, reject, expected) in
        [("a", None, 1), ("b", None, 2), ("c", Some(Reject::Signature), 2), ("a", Some(Reject::Revoked), 1)]
    {
        cache.keep(key(token), &kept(1, reject), at);
        assert_eq!(cache.size(), (expected, share * expected), "{token}");
    }
}
