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
    let place = Place { issuer: 0, remote: true, by_kid: false, name: "keys".to_owned() };
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
