//! Tokens that are bound to a key of their client (DPoP, RFC 9449), through HAProxy with an agent that remembers proofs.

use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::http::{Request, Response};
use integration_tests::keys::key;
use integration_tests::proof::Holder;
use integration_tests::setup::Setup;
use integration_tests::token::{now, token};
use integration_tests::wait::eventually;
use serde_json::{Value, json};

/// Where the requests of these tests go: their listener has no TLS.
const URI: &str = "http://edge.test/api";

fn get(token: &str) -> Request {
    Request::get("/api?q=1").header("Authorization", format!("DPoP {token}"))
}

fn proved(token: &str, proof: impl AsRef<[u8]>) -> Request {
    get(token).header("DPoP", proof)
}

/// A proof of these claims, changed.
fn with(holder: &Holder, token: &str, name: &str, value: Value) -> String {
    let mut claims = holder.claims(token, "GET", URI);
    claims[name] = value;
    holder.prove(&claims)
}

fn good(holder: &Holder, token: &str) -> String {
    holder.prove(&holder.claims(token, "GET", URI))
}

fn challenge(response: &Response) -> &str {
    response.header("www-authenticate").unwrap_or_default()
}

fn assert_refused(edge: &Edge, what: &str, request: &Request, error: &str, detail: &str) {
    let response = edge.refuses(what, 401, request);
    let challenge = challenge(&response);
    let told = format!("error=\"{error}\", error_description=\"{detail}\"");
    assert!(challenge.contains(&told), "{what}: {challenge}");
}

#[test]
fn a_token_bound_to_a_key_passes_with_a_new_proof_each_time_and_in_no_other_way() {
    let (anna, bob) = (Holder::new(), Holder::new());
    for shipped in [Shipped::Denying, Shipped::Backend] {
        let edge = Setup::new(shipped).start();
        let (bound, others) = (anna.token(json!({})), anna.token(json!({"jti": "another"})));
        for round in 0..2 {
            let name = |what: &str| format!("{shipped:?}, round {round}: {what}");
            let seen = edge.admits(&name("good"), &proved(&bound, good(&anna, &bound)));
            assert!(seen.header("x-tkn-body").is_none_or(|body| body.contains("jkt")), "{seen:?}");
            let used = good(&anna, &bound);
            edge.admits(&name("another"), &proved(&bound, &used));
            assert_refused(
                &edge,
                &name("used"),
                &proved(&bound, &used),
                "invalid_dpop_proof",
                "proof_replayed",
            );
            for (what, request, error, detail) in [
                ("none", get(&bound), "invalid_token", "binding"),
                ("stolen", Request::get("/api").bearer(&bound), "invalid_token", "binding"),
                (
                    "as a bearer token",
                    Request::get("/api").bearer(&bound).header("DPoP", good(&anna, &bound)),
                    "invalid_token",
                    "binding",
                ),
                ("another key", proved(&bound, good(&bob, &bound)), "invalid_token", "binding"),
                ("another token", proved(&bound, good(&anna, &others)), "invalid_dpop_proof", "proof"),
                (
                    "two",
                    proved(&bound, good(&anna, &bound)).header("DPoP", good(&anna, &bound)),
                    "invalid_dpop_proof",
                    "proof",
                ),
                (
                    "two in one",
                    proved(&bound, format!("{}, {}", good(&anna, &bound), good(&anna, &bound))),
                    "invalid_dpop_proof",
                    "proof",
                ),
                ("garbage", proved(&bound, "a.b.c"), "invalid_dpop_proof", "proof"),
            ] {
                assert_refused(&edge, &name(what), &request, error, detail);
            }
        }
        let unbound = token(key("ES256"), json!({}));
        edge.admits("unbound", &Request::get("/api").bearer(&unbound));
        edge.admits("unbound with a header", &Request::get("/api").bearer(&unbound).header("DPoP", "x"));
        assert_refused(
            &edge,
            "unbound",
            &proved(&unbound, good(&anna, &unbound)),
            "invalid_token",
            "binding",
        );
    }
}

#[test]
fn a_proof_is_for_one_method_one_uri_and_a_short_time() {
    let anna = Holder::new();
    let edge = Setup::denying().start();
    let bound = anna.token(json!({}));
    for (what, name, value, detail) in [
        ("htm in lower case", "htm", json!("get"), "proof"),
        ("another method", "htm", json!("POST"), "proof"),
        ("https", "htu", json!("https://edge.test/api"), "proof"),
        ("another host", "htu", json!("http://api.test/api"), "proof"),
        ("another port", "htu", json!("http://edge.test:8080/api"), "proof"),
        ("another path", "htu", json!("http://edge.test/api/"), "proof"),
        ("the token endpoint", "htu", json!("https://id.test/token"), "proof"),
        ("old", "iat", json!(now() - 62), "proof_time"),
        ("ahead", "iat", json!(now() + 30), "proof_time"),
        ("no jti", "jti", json!(null), "proof"),
        ("a long jti", "jti", json!("j".repeat(300)), "proof"),
        ("a hash of nothing", "ath", json!(""), "proof"),
    ] {
        let request = proved(&bound, with(&anna, &bound, name, value));
        assert_refused(&edge, what, &request, "invalid_dpop_proof", detail);
    }
    for (what, uri) in [
        ("with a query", "http://edge.test/api?q=2"),
        ("with a fragment", "http://edge.test/api#x"),
        ("capitals", "HTTP://EDGE.test/api"),
        ("the default port", "http://edge.test:80/api"),
        ("dots", "http://edge.test/a/../api"),
        ("an escape that is none", "http://edge.test/%61pi"),
    ] {
        edge.admits(what, &proved(&bound, with(&anna, &bound, "htu", json!(uri))));
    }
    let claims = || anna.claims(&bound, "GET", URI);
    let header = |name: &str, value: Value| {
        let mut header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": anna.jwk()});
        header[name] = value;
        anna.sign(&header, &claims())
    };
    let mut private = anna.jwk();
    private["d"] = json!("AAAA");
    for (what, name, value) in [
        ("typ", "typ", json!("JWT")),
        ("none", "alg", json!("none")),
        ("HS256", "alg", json!("HS256")),
        ("a private key", "jwk", private),
        ("no key", "jwk", json!(null)),
    ] {
        assert_refused(&edge, what, &proved(&bound, header(name, value)), "invalid_dpop_proof", "proof");
    }
    for (name, value) in
        [("kid", json!("../x")), ("x5u", json!("http://127.0.0.1:1/")), ("jku", json!("http://127.0.0.1:1/"))]
    {
        edge.admits("what else names a key is not looked at", &proved(&bound, header(name, value)));
    }
    let post = Request::line("POST /api HTTP/1.1").header("Authorization", format!("DPoP {bound}"));
    let post =
        post.header("Content-Length", "0").header("DPoP", anna.prove(&anna.claims(&bound, "POST", URI)));
    edge.admits("another method with its own proof", &post);
}

#[test]
fn of_32_copies_of_a_request_at_once_one_passes() {
    let anna = Holder::new();
    let threads = |text: &str, _: &Path| {
        assert!(text.contains("\nglobal\n"));
        // HAProxy 3.0 and newer warn of more threads than there are processors.
        let most = thread::available_parallelism().map_or(1, usize::from).min(4);
        text.replacen("\nglobal\n", &format!("\nglobal\n    nbthread {most}\n"), 1)
    };
    let edge = Setup::denying().edit(threads).start();
    let bound = anna.token(json!({}));
    for _ in 0..3 {
        let request = proved(&bound, good(&anna, &bound));
        let together = Barrier::new(32);
        let statuses: Vec<u16> = thread::scope(|scope| {
            let sending = || {
                together.wait();
                edge.send(&request).status
            };
            let copies: Vec<_> = (0..32).map(|_| scope.spawn(sending)).collect();
            copies.into_iter().map(|copy| copy.join().unwrap()).collect()
        });
        let of = |status: u16| statuses.iter().filter(|seen| **seen == status).count();
        assert_eq!((of(200), of(401)), (1, 31), "{statuses:?}");
    }
}

#[test]
fn a_client_is_given_a_nonce_and_passes_with_it() {
    let anna = Holder::new();
    let hands_on = |text: &str, folder: &Path| {
        fs::write(folder.join("nonce"), "0f".repeat(32)).unwrap();
        let line = "    http-after-response set-header DPoP-Nonce %[var(txn.tkn.dpop_nonce)] if { var(txn.tkn.dpop_nonce) -m found }\n";
        let bind = "    bind \"${EDGE_BIND}\"\n";
        text.replace(bind, &format!("{bind}{line}"))
    };
    let folder = tempfile::TempDir::with_prefix("nonce-").unwrap();
    let file = folder.path().join("secret");
    fs::write(&file, "0f".repeat(32)).unwrap();
    let edge = Setup::denying()
        .edit(hands_on)
        .agent_env("JWT_DPOP_NONCE", "required")
        .agent_env("JWT_DPOP_NONCE_SECRET_FILE", &file.display().to_string())
        .start();
    let bound = anna.token(json!({}));
    let nonce_of = |response: &Response| response.header("dpop-nonce").unwrap().to_owned();
    let first = edge.refuses("without a nonce", 401, &proved(&bound, good(&anna, &bound)));
    assert!(challenge(&first).starts_with("DPoP "), "{first}");
    assert!(challenge(&first).contains("error=\"use_dpop_nonce\""), "{first}");
    let nonce = nonce_of(&first);
    for _ in 0..2 {
        let request = proved(&bound, with(&anna, &bound, "nonce", json!(nonce)));
        let response = edge.send(&request);
        assert_eq!(response.status, 200, "{response}");
        assert_eq!(nonce_of(&response).len(), 32);
    }
    let unknown = proved(&bound, with(&anna, &bound, "nonce", json!("A".repeat(32))));
    assert_refused(&edge, "an unknown one", &unknown, "use_dpop_nonce", "nonce");
    let nothing = edge.refuses("nothing sent", 401, &Request::get("/api"));
    let offered = challenge(&nothing);
    assert!(offered.contains("Bearer realm=") && offered.contains("DPoP realm="), "{offered}");
    nonce_of(&nothing);
    // Another secret: what was given out before counts no more, and the next one does.
    fs::write(folder.path().join("new"), "1e".repeat(32)).unwrap();
    fs::rename(folder.path().join("new"), &file).unwrap();
    let fresh = eventually("the new secret is in use", || {
        let request = proved(&bound, with(&anna, &bound, "nonce", json!(nonce)));
        let response = edge.send(&request);
        (response.status == 401).then(|| nonce_of(&response))
    });
    edge.admits("the new one", &proved(&bound, with(&anna, &bound, "nonce", json!(fresh))));
}

#[test]
fn haproxy_s_own_map_never_holds_a_verdict_on_a_token_that_needs_a_proof() {
    let anna = Holder::new();
    let edge = Setup::new(Shipped::EdgeDenying).kept_by_agents().start();
    let bound = anna.token(json!({}));
    eventually("it comes often enough to be offered", || {
        edge.admits("good", &proved(&bound, good(&anna, &bound)));
        (edge.count("jwt_agent_edge_left_out_total{reason=\"bound\"}") > 1).then_some(())
    });
    assert_eq!(edge.kept.entries(), [""; 0], "HAProxy cannot ask for the proof");
    for _ in 0..5 {
        edge.refuses("without a proof", 401, &get(&bound));
    }
}

#[test]
fn where_names_are_set_a_client_s_host_counts_for_nothing() {
    let anna = Holder::new();
    let edge = Setup::denying().agent_env("JWT_DPOP_ORIGINS", "https://api.example.com").start();
    let bound = anna.token(json!({}));
    let ours = with(&anna, &bound, "htu", json!("https://api.example.com/api"));
    edge.admits("what clients call us", &proved(&bound, ours));
    let other = proved(&bound, good(&anna, &bound));
    assert_refused(&edge, "what the request says", &other, "invalid_dpop_proof", "proof");
}
