use std::hint::spin_loop;
use std::sync::Barrier;
use std::thread;

use jose::{KeyOrigin, KeyRules, Profile};

use super::*;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
/// Often enough that a token looks at the ring in each moment of a load that ends.
const ROTATIONS: usize = 3_000;

fn one_key() -> KeySet {
    let document = format!(
        r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","x":"{}"}}]}}"#,
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    );
    let rules = KeyRules {
        origin: KeyOrigin::Url,
        profile: Profile::Standard,
        allow_short_secrets: false,
        allow_mixed_keys: true,
    };
    KeySet::parse(document.as_bytes(), &rules).unwrap()
}

#[test]
fn a_token_that_came_while_newer_keys_were_loaded_asks_for_no_further_load() {
    let place = Place { issuer: 0, remote: true, by_kid: false, optional: false, name: "keys".to_owned() };
    let ring = KeyRing::new(1, &[place], Duration::from_secs(3_600), Readiness::new(), KeyMetrics::default());
    let hint = Hint { issued: Some(NOW), ..Hint::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let both = Barrier::new(2);
    for rotation in 0..ROTATIONS {
        let began = Instant::now();
        ring.begins(0);
        let (version, since) = (ring.current().version, Instant::now());
        thread::scope(|scope| {
            scope.spawn(|| {
                both.wait();
                ring.publish(0, "keys", one_key());
                ring.ends(0, Ok(Good { began, at: NOW }), began);
            });
            both.wait();
            (0..rotation).for_each(|_| spin_loop());
            let deadline = since + Duration::from_secs(60);
            let newer = runtime.block_on(ring.newer_than(version, &hint, since, deadline, NOW));
            assert!(matches!(newer, Newer::Keys(_)), "{newer:?}");
        });
        assert!(matches!(ring.lock()[0].state, State::Ended(_)), "a load too many");
    }
}

#[test]
fn a_process_is_ready_by_the_keys_that_it_needs_alone() {
    let place =
        |issuer, optional| Place { issuer, remote: true, by_kid: false, optional, name: "keys".to_owned() };
    let readiness = Readiness::new();
    let ring = KeyRing::new(
        2,
        &[place(0, false), place(1, true)],
        Duration::from_secs(1),
        readiness.clone(),
        KeyMetrics::default(),
    );
    ring.publish(1, "keys", one_key());
    ring.explain(1, "a stream", &LoadError::Keys(KeySetError::NotText));
    assert_eq!(readiness.check().unwrap_err().matches("a stream").count(), 0);
    assert!(!ring.has_keys(), "a stream's keys verify no tokens");
    ring.publish(0, "keys", one_key());
    assert!(readiness.check().is_ok() && ring.has_keys());

    let readiness = Readiness::new();
    let alone =
        KeyRing::new(1, &[place(0, true)], Duration::from_secs(1), readiness.clone(), KeyMetrics::default());
    assert!(readiness.check().is_ok(), "without any it does not wait");
    // What was needed before is not needed by what comes after.
    readiness.block(Cause::Keys, "no key is loaded");
    drop(alone.successor(1, &[(place(0, true), None)], Duration::from_secs(1)));
    assert!(readiness.check().is_ok());
}
