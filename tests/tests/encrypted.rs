//! Encrypted tokens, as ms-users makes them, through HAProxy, agent and token-server.

use integration_tests::edge::Edge;
use integration_tests::http::Request;
use integration_tests::setup::Setup;
use integration_tests::token::{encrypted, now};
use integration_tests::wait::eventually;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

const KEY: [u8; 64] = [7; 64];
const OTHER: [u8; 64] = [8; 64];
/// Seconds that no test lives to see: what is seen was told.
const FOREVER: &str = "3600";

fn write_keys(file: &NamedTempFile, key: &[u8]) {
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
    let k = BASE64_URL_SAFE_NO_PAD.encode(key);
    let keys = json!([{"kty": "oct", "kid": "main", "k": k, "default": true}]);
    std::fs::write(file.path(), keys.to_string()).unwrap();
}

fn edge(setup: Setup) -> (Edge, NamedTempFile) {
    let keys = NamedTempFile::new().unwrap();
    write_keys(&keys, &KEY);
    let path = keys.path().display().to_string();
    (setup.token_server_env("TOKEN_SERVER__JWE__KEYS_FILE", &path).start(), keys)
}

fn request(token: &str) -> Request {
    Request::get("/").header("Authorization", format!("JWT {token}"))
}

fn jwe(claims: &Value) -> String {
    encrypted(&KEY, "main", &claims.to_string())
}

#[test]
fn an_ms_users_session_is_annotated_as_the_old_system_did() {
    let (edge, _keys) = edge(Setup::annotating());
    let claims = r#"{"username":"alice","rt":"r1","iat":1700000000000,"n":12345678901234567,"e":[]}"#;
    let token = encrypted(&KEY, "main", claims);
    let seen = eventually("the rules are read", || {
        let seen = edge.admits("a good token", &request(&token));
        (seen.header("x-tkn-reason") != Some("E_BACKEND_UNAVAIL")).then_some(seen)
    });
    for (name, value) in [
        ("x-tkn-valid", Some("1")),
        ("x-tkn-reason", Some("ok")),
        ("x-tkn-body", Some(claims)),
        ("x-tkn-header", Some(r#"{"alg":"dir","enc":"A256CBC-HS512","kid":"main"}"#)),
        ("x-tkn-stateless", Some("1")),
        ("x-tkn-legacy", None),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }
    let unknown_kid = encrypted(&KEY, "rotated-away", claims);
    assert_eq!(edge.admits("the default key", &request(&unknown_kid)).header("x-tkn-valid"), Some("1"));

    let server = edge.token_server.as_ref().unwrap();
    server.revoke("alice", &json!({"rt": "r1"}));
    eventually("the rule is heard of", || {
        (edge.admits("revoked", &request(&token)).header("x-tkn-valid") == Some("0")).then_some(())
    });
    let refused = [
        ("revoked", token, "E_TKN_INVALID"),
        ("another key", encrypted(&OTHER, "main", claims), "E_TKN_INVALID"),
        ("expired", jwe(&json!({"username": "bob", "exp": now() - 1})), "E_TKN_INVALID"),
        ("a refresh token", jwe(&json!({"username": "bob", "irt": 1})), "E_TKN_ACCESS_TOKEN_REQUIRED"),
        ("five parts of garbage", "a.b.c.d.e".to_owned(), "E_TKN_INVALID"),
    ];
    for (what, token, reason) in refused {
        let seen = edge.admits(what, &request(&token));
        assert_eq!(seen.header("x-tkn-valid"), Some("0"), "{what}");
        assert_eq!(seen.header("x-tkn-reason"), Some(reason), "{what}");
        assert_eq!(seen.header("x-tkn-body"), None, "{what}");
        // By their form, whether they open or not.
        let version = (seen.header("x-tkn-stateless"), seen.header("x-tkn-legacy"));
        assert_eq!(version, (Some("1"), None), "{what}");
    }
}

#[test]
fn an_encrypted_token_passes_the_denying_edge_only_while_it_is_good() {
    let (edge, _keys) = edge(Setup::denying());
    let good = jwe(&json!({"sub": "alice", "exp": now() + 600}));
    edge.comes_to("good", 200, &request(&good));
    for (what, token) in [
        ("without exp", jwe(&json!({"sub": "alice"}))),
        ("expired", jwe(&json!({"sub": "alice", "exp": now() - 1}))),
        ("another key", encrypted(&OTHER, "main", &json!({"exp": now() + 600}).to_string())),
        ("cut", good[..good.len() - 4].to_owned()),
    ] {
        edge.refuses(what, 401, &request(&token));
    }
    edge.token_server.as_ref().unwrap().revoke("alice", &json!({"sub": "alice"}));
    edge.comes_to("revoked", 401, &request(&good));
}

#[test]
fn an_encrypted_token_is_opened_once_and_believed_while_its_server_vouches() {
    let setup = Setup::denying().agent_env("JWT_CACHE_TTL", FOREVER).agent_env("JWT_CACHE_TTL_MAX", FOREVER);
    let (edge, _keys) = edge(setup);
    let good = jwe(&json!({"sub": "alice", "exp": now() + 600, "n": 12_345_678_901_234_567_u64}));
    edge.comes_to("good", 200, &request(&good));
    let first = edge.admits("good", &request(&good));
    let calls = edge.count("jwt_agent_token_server_calls_total");
    for _ in 0..5 {
        let again = edge.admits("good again", &request(&good));
        for name in ["x-tkn-body", "x-tkn-header", "x-tkn-reason"] {
            assert_eq!(again.header(name), first.header(name), "{name}");
        }
    }
    assert_eq!(edge.count("jwt_agent_token_server_calls_total"), calls);
    edge.token_server.as_ref().unwrap().revoke_for_everybody(&json!({"sub": "alice"}));
    edge.comes_to("revoked for everybody", 401, &request(&good));
}

#[test]
fn what_a_removed_key_opened_is_forgotten() {
    let setup = Setup::denying().agent_env("JWT_CACHE_TTL", FOREVER).agent_env("JWT_CACHE_TTL_MAX", FOREVER);
    let (edge, keys) = edge(setup);
    let old = jwe(&json!({"sub": "alice", "exp": now() + 600}));
    edge.comes_to("under the key of today", 200, &request(&old));
    write_keys(&keys, &OTHER);
    edge.comes_to("under the key of yesterday", 401, &request(&old));
    let new = encrypted(&OTHER, "main", &json!({"sub": "alice", "exp": now() + 600}).to_string());
    edge.comes_to("under the new key", 200, &request(&new));
}

#[test]
fn an_encrypted_token_without_a_key_for_it_is_refused() {
    let good = jwe(&json!({"sub": "alice", "username": "alice", "exp": now() + 600}));
    let edge = Setup::denying().token_server().start();
    edge.refuses("no decryption keys", 401, &request(&good));
    let edge = Setup::denying().start();
    edge.refuses("no token-server", 401, &request(&good));
    let edge = Setup::annotating().start();
    let seen = edge.admits("no token-server, ms-users", &request(&good));
    assert_eq!(seen.header("x-tkn-reason"), Some("E_BACKEND_UNAVAIL"));
    assert_eq!(seen.header("x-tkn-valid"), Some("0"));
}

#[test]
fn a_token_server_that_dies_opens_nothing() {
    let (mut edge, _keys) = edge(Setup::denying());
    let good = jwe(&json!({"sub": "alice", "exp": now() + 600}));
    edge.comes_to("good", 200, &request(&good));
    edge.token_server.as_mut().unwrap().process.kill();
    edge.refuses("no server to open it", 503, &request(&jwe(&json!({"sub": "bob", "exp": now() + 600}))));
    edge.comes_to("no server to say that it still holds", 503, &request(&good));
}

#[test]
fn an_old_caller_hears_what_it_always_heard() {
    let (edge, _keys) = edge(Setup::annotating());
    let server = edge.token_server.as_ref().unwrap();
    let heard = |body: &str| {
        let response = server.ask_as_before(body);
        assert_eq!(response.status, 200);
        String::from_utf8(response.body).unwrap()
    };
    let claims = r#"{"username":"alice","rt":"r1","n":12345678901234567,"e":[]}"#;
    let token = encrypted(&KEY, "main", claims);
    let header = r#"{"alg":"dir","enc":"A256CBC-HS512","kid":"main"}"#;
    let good = format!(r#"{{"valid":"1","reason":"ok","body":{claims},"header":{header},"stateless":"1"}}"#);
    eventually("the rules are read", || (heard(&token) == good).then_some(()));
    assert_eq!(heard(&format!("\"{token}\"")), good, "as a JSON string");
    assert_eq!(heard(claims), "ok");
    server.revoke("alice", &json!({"rt": "r1"}));
    assert_eq!(heard(claims), "E_TKN_INVALID");
    for (token, reason) in [
        (token, "E_TKN_INVALID"),
        (encrypted(&OTHER, "main", claims), "E_TKN_INVALID"),
        (jwe(&json!({"username": "bob", "irt": 1})), "E_TKN_ACCESS_TOKEN_REQUIRED"),
    ] {
        assert_eq!(heard(&token), format!(r#"{{"valid":"0","reason":"{reason}","stateless":"1"}}"#));
    }
    for garbage in ["", "a.b.c", "not a token"] {
        assert_eq!(heard(garbage), r#"{"valid":"0","reason":"E_TKN_LEGACY"}"#, "{garbage}");
    }
}
