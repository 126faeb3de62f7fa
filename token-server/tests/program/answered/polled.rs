//! What was acknowledged to a transmitter that is polled is a rule, since it does not come again.

use integration_tests::transmitter::{AUDIENCE, TOKEN, Transmitter};
use integration_tests::wait::eventually;
use serde_json::{Value, json};

use super::*;

const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

/// Tokens of one round.
const TOKENS: u64 = 40;

fn acknowledged(transmitter: &Transmitter) -> Vec<String> {
    let seen = transmitter.seen();
    seen["acks"].as_array().unwrap().iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Kills the server while it polls, at a moment that the number of acknowledged tokens decides.
fn lose_nothing_polled(store: &[(&str, &str)]) {
    let (transmitter, folder) = (Transmitter::start(), tempfile::tempdir().unwrap());
    let origin = &transmitter.origin;
    fs::write(folder.path().join("token"), TOKEN).unwrap();
    let tables = format!(
        "[[ssf]]\nname = 'idp'\nissuer = '{origin}'\naudiences = ['{AUDIENCE}']\npoll_url = '{origin}/ssf/poll'\n\
         poll_interval = 1\npoll_token_file = 'FOLDER/token'\nsubject_issuer = '{ISSUER}'\n"
    );
    let place = Place { folder: folder.path(), store, tables: &tables };
    let mut sent = BTreeMap::new();
    for round in 0..3 {
        transmitter.set(json!({ "polls_down": true, "max": 3 }));
        for number in round * TOKENS..(round + 1) * TOKENS {
            let (user, issued) = (format!("user-{}", number % USERS), now() - 290 + number / USERS);
            let sub_id = json!({ "format": "iss_sub", "iss": origin, "sub": user });
            let claims = json!({ "iat": issued, "sub_id": sub_id, "events": { SESSION_REVOKED: {} } });
            sent.insert(transmitter.send(claims), (user, issued));
        }
        let before = acknowledged(&transmitter).len();
        let enough = before + 7 + 5 * usize::try_from(round).unwrap();
        transmitter.set(json!({ "polls_down": false }));
        let (server, _) = place.start();
        eventually("tokens are acknowledged", || (acknowledged(&transmitter).len() >= enough).then_some(()));
        server.kill();

        // What was not acknowledged must not hide what is lost.
        transmitter.set(json!({ "polls_down": true }));
        let answered = acknowledged(&transmitter).into_iter().map(|jti| {
            let (user, issued) = sent[&jti].clone();
            Answered { user, ends: Ends::IssuedUntil(issued), jti: Some(jti) }
        });
        let (server, _) = place.start();
        stand(&place.told(), &answered.collect::<Vec<_>>());
        server.kill();
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_a_server_with_a_store_of_its_own_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rules.redb");
    lose_nothing_polled(&[("TOKEN_SERVER__STORE__PATH", store.to_str().unwrap())]);
}

#[test]
fn nothing_acknowledged_is_lost_when_a_server_on_redis_is_killed() {
    let redis = Redis::start(&[]);
    lose_nothing_polled(&[("TOKEN_SERVER__REDIS__URLS", redis.url())]);
}
