//! What operators look at exists: every metric that the documentation, the dashboard and the alerts name.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;

use integration_tests::agent::{ask, listening};
use integration_tests::http::{Client, Request};
use integration_tests::keys::key;
use integration_tests::process::repository;
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::token::{now, sign_raw, token};
use integration_tests::wait::{DEADLINE, poll};
use serde_json::json;
use tempfile::NamedTempFile;

/// Every word of a text that begins like one of our metrics.
fn metrics_in(text: &str) -> BTreeSet<String> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| word.starts_with("jwt_agent_") || word.starts_with("token_server_"))
        .map(|word| {
            let endings = ["_total", "_bucket", "_sum", "_count"];
            endings.iter().find_map(|ending| word.strip_suffix(ending)).unwrap_or(word).to_owned()
        })
        .collect()
}

#[test]
fn every_metric_that_is_documented_drawn_or_alerted_on_exists_and_no_other() {
    // A source that is down is there to be counted.
    let unused = Address::free_port().unwrap();
    let down = format!("http://{unused}/jwks.json");
    let mut keys = NamedTempFile::new().unwrap();
    // So is a key that is left out.
    let set = json!({"keys": [key("ES256").jwk(), {"kty": "AKP", "alg": "ML-DSA-65", "kid": "no pub"}]})
        .to_string();
    keys.write_all(set.as_bytes()).unwrap();
    // A secret in a file.
    let mut bearer_file = NamedTempFile::new().unwrap();
    bearer_file.write_all(b"a-bearer-token").unwrap();
    let bearer = bearer_file.path().to_str().unwrap();
    // A stream of shared signals, one whose transmitter is asked and down, and an authorization server that is down.
    let mut streams = NamedTempFile::new().unwrap();
    let own = keys.path().display();
    let stream = format!(
        "[[ssf]]\nname = 's'\nissuer = 'i'\naudiences = ['a']\nkeys_file = '{own}'\nauthorization_file = '{bearer}'\n\
         [[ssf]]\nname = 'p'\nissuer = 'i'\naudiences = ['a']\nkeys_file = '{own}'\npoll_url = '{down}'\npoll_token_file = '{bearer}'\n\
         [[introspection]]\nissuer = 'https://id.example'\nurl = '{down}'\nauth = 'bearer'\ntoken_file = '{bearer}'\n"
    );
    streams.write_all(stream.as_bytes()).unwrap();
    let edge = Setup::denying()
        .keys(set)
        .token_server_env("TOKEN_SERVER_CONFIG", streams.path().to_str().unwrap())
        .token_server_env("TOKEN_SERVER__AGENT__TOKENS_FILE", bearer)
        .agent_env("JWT_TOKEN_SERVER_TOKEN_FILE", bearer)
        .token_server_env("TOKEN_SERVER__JWKS__FILE", keys.path().to_str().unwrap())
        .token_server_env("TOKEN_SERVER__JWKS__URL", &down)
        .token_server_env("TOKEN_SERVER__VERIFY__PROXY", "nginx")
        .token_server_env("TOKEN_SERVER__SIGNALS__LISTEN", "127.0.0.1:0")
        .agent_env("JWT_JWKS_URL", &down)
        // A HAProxy that is to keep verdicts, and is not there.
        .agent_env("JWT_EDGE_SOCKETS", "/nowhere/edge.sock")
        .agent_env("JWT_EDGE_MAP", "/nowhere/verdicts.map")
        .agent_env("JWT_EDGE_LEASES", "/nowhere/leases.map")
        .agent_env("JWT_VARIABLES", "valid,reason,detail,body,header")
        .start();
    let agent = &edge.agents[0];
    edge.comes_to(
        "a good token",
        200,
        &Request::get("/").bearer(&token(key("ES256"), json!({"sub": "anna"}))),
    );
    edge.token_server.as_ref().unwrap().revoke("anna", &json!({"iat": {"lte": now()}}));
    // A peer that speaks something else.
    let mut stranger = agent.listen.connect(DEADLINE).unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();

    // A proxy that asks.
    let asked = ask(&edge.token_server.as_ref().unwrap().address, &Request::get("/verify"));
    assert_eq!(asked.status, 401);

    // Events that their sender has signed.
    let lines = edge.token_server.as_ref().unwrap().process.lines();
    let signals = listening(&lines, "signals").unwrap();
    let es256 = key("ES256");
    let header = json!({"alg": "ES256", "kid": es256.kid, "typ": "secevent+jwt"}).to_string();
    let push = |event: &str| {
        let push = Request::line("POST /ssf/s HTTP/1.1")
            .header("Authorization", "a-bearer-token")
            .header("Content-Type", "application/secevent+jwt")
            .header("Content-Length", event.len().to_string());
        let mut sender = Client::new(signals.connect(DEADLINE).unwrap());
        sender.write(&[&push.to_bytes(), event.as_bytes()].concat()).unwrap();
        assert_eq!(sender.response().unwrap().status, 202);
    };
    let ssf = "https://schemas.openid.net/secevent/ssf/event-type";
    for (jti, events) in [
        ("j", json!({"https://example.com/x": {}})),
        ("k", json!({format!("{ssf}/verification"): {}})),
        ("l", json!({format!("{ssf}/stream-updated"): {"status": "enabled"}})),
    ] {
        let claims = json!({"iss": "i", "aud": "a", "iat": now(), "jti": jti, "events": events,
            "sub_id": {"format": "opaque", "id": "one"}});
        push(&sign_raw(es256, &header, &claims.to_string()));
    }

    let server = &edge.token_server.as_ref().unwrap().admin;
    let named: Vec<_> = ["docs/METRICS.md", "dashboards/haproxy-jwt.json", "dashboards/alerts.yml"]
        .map(|file| (file, metrics_in(&fs::read_to_string(repository().join(file)).unwrap())))
        .into();
    for (file, named) in &named {
        assert!(named.len() > 5, "{file}: {named:?}");
    }
    let (mut missing, mut shown) = (BTreeSet::new(), BTreeSet::new());
    poll(DEADLINE, || {
        let answers = [agent.admin("/metrics"), ask(server, &Request::get("/metrics"))];
        shown =
            answers.iter().flat_map(|answer| metrics_in(&String::from_utf8_lossy(&answer.body))).collect();
        missing = named.iter().flat_map(|(_, named)| named.difference(&shown).cloned()).collect();
        missing.is_empty().then_some(())
    });
    assert!(missing.is_empty(), "no program shows {missing:?}");
    let (_, documented) = &named[0];
    let untold: Vec<_> = shown.difference(documented).collect();
    assert!(untold.is_empty(), "docs/METRICS.md does not tell of {untold:?}");
}
