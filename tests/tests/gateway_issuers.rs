//! Forward-auth by the tables of several issuers, behind real proxies: what the application learns of each, and that no issuer,
//! tenant or load balancer gets in by the name of another.

use std::collections::BTreeMap;
use std::fs;

use integration_tests::backend::Seen;
use integration_tests::documents::{Document, Documents};
use integration_tests::gateway::Gateway;
use integration_tests::http::{Request, Response};
use integration_tests::key_server::{Answer, KeyServer};
use integration_tests::keys::{SigningKey, jwks, key};
use integration_tests::load_balancer;
use integration_tests::proxy::Proxy;
use integration_tests::token::{forge_signature, token};
use integration_tests::wait::eventually;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A gateway with these tables, and beside them an issuer `main` that signs with EdDSA.
fn gateway(proxy: Proxy, tables: &str, change: impl Fn(String) -> String) -> (Gateway, TempDir) {
    let folder = TempDir::with_prefix("issuers-").unwrap();
    let file = folder.path().join("token-server.toml");
    fs::write(&file, tables).unwrap();
    let settings = [
        ("TOKEN_SERVER_CONFIG", file.to_str().unwrap()),
        ("TOKEN_SERVER__VERIFY__ISSUERS", "main"),
        ("TOKEN_SERVER__JWKS__SYNC_INTERVAL", "3600"),
    ];
    (Gateway::start_changed(proxy, jwks([key("EdDSA")]), &settings, change), folder)
}

/// What the application learns: the user's name and address.
fn user(seen: &Seen) -> [Option<&str>; 2] {
    ["x-user-id", "x-user-email"].map(|name| seen.header(name).filter(|value| !value.is_empty()))
}

fn detail(response: &Response) -> &str {
    response.header("www-authenticate").and_then(|text| text.split('"').rev().nth(1)).unwrap_or_default()
}

/// A request with this token, and with headers that pretend to be the proxy's.
fn bearer(token: &str) -> Request {
    Request::get("/").bearer(token).header("X-User-Id", "root").header("X-User-Email", "root@a.example")
}

fn short_names_and_other_scopes_are_the_issuers_own(proxy: Proxy) {
    const ROLE: &str = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role";
    const MAIL: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress";
    let keys = TempDir::with_prefix("keys-").unwrap();
    let file = |name: &str, algorithm| {
        let path = keys.path().join(name);
        fs::write(&path, jwks([key(algorithm)])).unwrap();
        path.display().to_string()
    };
    let tables = format!(
        "[[issuers]]\nissuer = \"long\"\nkeys_file = \"{}\"\nscope_claim = \"permissions\"\n\
         claim_names = {{ role = \"{ROLE}\", mail = \"{MAIL}\" }}\n\
         [[issuers]]\nissuer = \"plain\"\nkeys_file = \"{}\"\n\
         [[policies]]\nname = \"default\"\nall_scopes = [\"write\"]\nclaims = {{ role = [\"boss\"] }}\n\
         [[verify]]\nheaders = {{ \"X-User-Id\" = \"role\", \"X-User-Email\" = \"mail\" }}\n",
        file("long.json", "ES256"),
        file("plain.json", "RS256"),
    );
    let (gateway, _folder) = gateway(proxy, &tables, |shipped| shipped);
    let (boss, mail) = (Some("boss"), Some("b@a.example"));
    for (what, algorithm, claims, expected) in [
        (
            "long",
            "ES256",
            json!({"iss": "long", ROLE: "boss", MAIL: "b@a.example", "permissions": ["read", "write"]}),
            Ok([boss, mail]),
        ),
        (
            "long, with claims of the short names beside",
            "ES256",
            json!({"iss": "long", ROLE: "boss", "role": "root", "mail": "root@a.example", "permissions": "write"}),
            Ok([boss, None]),
        ),
        (
            "long, by the usual claim",
            "ES256",
            json!({"iss": "long", ROLE: "boss", "scope": "write"}),
            Err(403),
        ),
        (
            "long, by a claim of the short name",
            "ES256",
            json!({"iss": "long", "role": "boss", "permissions": ["write"]}),
            Err(403),
        ),
        (
            "plain",
            "RS256",
            json!({"iss": "plain", "role": "boss", "mail": "b@a.example", "scope": "write", MAIL: "root@a.example"}),
            Ok([boss, mail]),
        ),
        (
            "plain, by the claims of the other",
            "RS256",
            json!({"iss": "plain", ROLE: "boss", "permissions": ["write"]}),
            Err(403),
        ),
        (
            "plain's key in the name of the other",
            "RS256",
            json!({"iss": "long", ROLE: "boss", "permissions": ["write"]}),
            Err(401),
        ),
        (
            "the key of the third",
            "EdDSA",
            json!({"iss": "long", ROLE: "boss", "permissions": ["write"]}),
            Err(401),
        ),
    ] {
        let token = token(key(algorithm), claims);
        match expected {
            Ok(expected) => {
                assert_eq!(user(&gateway.admits(what, &bearer(&token))), expected, "{what}");
                let forged = gateway.refuses(what, &bearer(&forge_signature(&token)));
                assert_eq!((forged.status, detail(&forged)), (401, "signature"), "{what}");
            }
            Err(status) => assert_eq!(gateway.refuses(what, &bearer(&token)).status, status, "{what}"),
        }
    }
}

#[test]
fn short_names_and_other_scopes_are_the_issuers_own_behind_nginx() {
    short_names_and_other_scopes_are_the_issuers_own(Proxy::Nginx);
}

#[test]
fn short_names_and_other_scopes_are_the_issuers_own_behind_envoy() {
    short_names_and_other_scopes_are_the_issuers_own(Proxy::Envoy);
}

const ONE: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const TWO: &str = "8e7a41f9-2c1d-4f7a-9c55-0d8f3b6a1e20";
const OTHER: &str = "11111111-2222-3333-4444-555555555555";

/// A key set's entry that says whose it is, as Entra has it.
fn owned(key: &SigningKey, owner: &str) -> Value {
    let mut jwk = key.jwk();
    jwk["issuer"] = format!("https://login.example/{owner}/v2.0").into();
    jwk
}

fn tenants_are_told_apart(proxy: Proxy) {
    let [shared, ones, twos, others] =
        ["shared", "one", "two", "other"].map(|kid| SigningKey::generate("ES256", kid));
    let documents = Documents::listen();
    let document = |url: &str, body: Value| {
        let url = documents.moved(&format!("https://login.example/{url}"));
        (url, Document { body: body.to_string(), bearer: None })
    };
    let (keys_url, set) = document(
        "keys",
        json!({"keys": [
            owned(&shared, "{tenantid}"),
            owned(&ones, ONE),
            owned(&twos, TWO),
            owned(&others, OTHER),
        ]}),
    );
    let metadata = json!({"issuer": "https://login.example/{tenantid}/v2.0", "jwks_uri": keys_url});
    let (url, metadata) = document("organizations/openid-configuration", metadata);
    let tables = format!(
        "[[issuers]]\nissuer = \"https://login.example/{{tenantid}}/v2.0\"\ntenants = [\"{ONE}\", \"{TWO}\"]\n\
         discovery_url = \"{url}\"\n"
    );
    documents.serve(BTreeMap::from([(keys_url, set), (url, metadata)]));
    let (gateway, _folder) = gateway(proxy, &tables, |shipped| shipped);
    let of = |key: &SigningKey, named: &str, tid: Value| {
        let iss = format!("https://login.example/{named}/v2.0");
        let claims = json!({"iss": iss, "tid": tid, "sub": format!("of {named}"), "email": "a@a.example"});
        token(key, claims)
    };
    let (one, two) = (json!(ONE), json!(TWO));
    for (what, token) in [
        ("one", of(&shared, ONE, one.clone())),
        ("two", of(&shared, TWO, two.clone())),
        ("one by its own key", of(&ones, ONE, one.clone())),
        ("two by its own key", of(&twos, TWO, two.clone())),
    ] {
        let tenant = if what.starts_with("one") { ONE } else { TWO };
        let seen = gateway.admits(what, &bearer(&token));
        assert_eq!(user(&seen), [Some(format!("of {tenant}").as_str()), Some("a@a.example")], "{what}");
        let forged = gateway.refuses(what, &bearer(&forge_signature(&token)));
        assert_eq!((forged.status, detail(&forged)), (401, "signature"), "{what}");
    }
    for (what, token, expected) in [
        ("one by the key of two", of(&twos, ONE, one.clone()), "unknown_key"),
        ("two by the key of one", of(&ones, TWO, two.clone()), "unknown_key"),
        ("one by the key of a tenant that is not listed", of(&others, ONE, one.clone()), "unknown_key"),
        ("a tenant that is not listed", of(&shared, OTHER, json!(OTHER)), "issuer"),
        ("the same by its own key", of(&others, OTHER, json!(OTHER)), "issuer"),
        ("the name of one, the tid of two", of(&shared, ONE, two), "issuer"),
        ("no tid", of(&shared, ONE, Value::Null), "issuer"),
        ("in capitals", of(&shared, &ONE.to_uppercase(), one.clone()), "issuer"),
        ("the template itself", of(&shared, "{tenantid}", one.clone()), "issuer"),
        ("main's key", of(key("EdDSA"), ONE, one), "unknown_key"),
        ("in main's name", token(&shared, json!({"iss": "main", "tid": ONE})), "unknown_key"),
    ] {
        let refused = gateway.refuses(what, &bearer(&token));
        assert_eq!((refused.status, detail(&refused)), (401, expected), "{what}");
    }
    let seen = gateway.admits("main", &bearer(&token(key("EdDSA"), json!({"iss": "main"}))));
    assert_eq!(user(&seen), [Some("alice"), None]);
}

#[test]
fn tenants_are_told_apart_behind_traefik() {
    tenants_are_told_apart(Proxy::Traefik);
}

#[test]
fn tenants_are_told_apart_behind_nginx() {
    tenants_are_told_apart(Proxy::Nginx);
}

fn a_load_balancers_tokens_are_its_own(proxy: Proxy) {
    use load_balancer::{ARN, HEADER, NEW, OLD, pages, token};
    let [old, new] = [OLD, NEW].map(|kid| SigningKey::generate("ES256", kid));
    let server = KeyServer::start(pages(&[&old]));
    let tables =
        format!("{}[[verify]]\nplaces = [\"header:{HEADER}\"]\n", load_balancer::table(&server.origin()));
    // Envoy passes the headers to the token-server that are listed.
    let listed = |shipped: String| {
        let cookie = "- exact: cookie\n";
        shipped.replace(cookie, &format!("{cookie}                          - exact: {HEADER}\n"))
    };
    let (gateway, _folder) = gateway(proxy, &tables, listed);
    let request = |token: &str| {
        Request::get("/")
            .header(HEADER, token)
            .header("X-User-Id", "root")
            .header("X-User-Email", "r@a.example")
    };
    let good = token(&old, OLD, ARN);
    let seen = gateway.admits("a good token", &request(&good));
    assert_eq!(user(&seen), [Some("alice"), Some("alice@a.example")]);
    for (what, token, expected) in load_balancer::refused(&old, &new) {
        let refused = gateway.refuses(what, &request(&token));
        assert_eq!((refused.status, detail(&refused)), (401, expected), "{what}");
    }
    assert_eq!(gateway.refuses("in another header", &bearer(&good)).status, 401);

    server.set(Answer::Close);
    let before = server.fetches();
    eventually("a key is asked for in vain", || {
        let undecided = gateway.undecided("a kid that is not known", &request(&token(&new, NEW, ARN)));
        assert_eq!(undecided.status, 503);
        (server.fetches() > before).then_some(())
    });
    gateway.admits("a kid that is known", &request(&token(&old, OLD, ARN)));
    server.set(pages(&[&old, &new]));
    let seen = gateway.admits("the next key", &request(&token(&new, NEW, ARN)));
    assert_eq!(user(&seen), [Some("alice"), Some("alice@a.example")]);
}

#[test]
fn a_load_balancers_tokens_are_its_own_behind_nginx() {
    a_load_balancers_tokens_are_its_own(Proxy::Nginx);
}

#[test]
fn a_load_balancers_tokens_are_its_own_behind_traefik() {
    a_load_balancers_tokens_are_its_own(Proxy::Traefik);
}

#[test]
fn a_load_balancers_tokens_are_its_own_behind_envoy() {
    a_load_balancers_tokens_are_its_own(Proxy::Envoy);
}
