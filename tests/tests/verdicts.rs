//! Which tokens pass, and why the others do not: every algorithm, every way to be wrong, both shipped files.

use integration_tests::edge::Edge;
use integration_tests::http::Request;
use integration_tests::keys::{ALGORITHMS, SigningKey, jwks, key};
use integration_tests::setup::Setup;
use integration_tests::token::{
    claims, forge_payload, forge_signature, hs256_under, now, sign_raw, token, unsigned,
};
use serde_json::{Value, json};

/// Sends a token to a denying edge that must refuse it with 401, and tells why it did.
fn detail(edge: &Edge, what: &str, request: &Request) -> String {
    let response = edge.refuses(what, 401, request);
    let challenge = response.header("www-authenticate").unwrap_or_default();
    challenge
        .split("error_description=\"")
        .nth(1)
        .unwrap_or("missing or scheme\"")
        .trim_end_matches('"')
        .to_owned()
}

#[test]
fn a_good_token_of_every_algorithm_passes() {
    let edge = Setup::denying().start();
    for algorithm in ALGORITHMS {
        let token = token(key(algorithm), json!({"sub": algorithm}));
        let seen = edge.admits(algorithm, &Request::get("/").bearer(&token));
        assert_eq!(seen.header("x-tkn-valid"), Some("1"), "{algorithm}");
        assert_eq!(seen.header("x-tkn-reason"), Some("ok"), "{algorithm}");
        let body: Value = serde_json::from_str(seen.header("x-tkn-body").unwrap()).unwrap();
        assert_eq!(body["sub"], algorithm);
        let header: Value = serde_json::from_str(seen.header("x-tkn-header").unwrap()).unwrap();
        assert_eq!(header["alg"], algorithm);
        assert_eq!(seen.header("x-tkn-stateless"), None, "only ms-users knows versions");
        assert_eq!(seen.header("x-tkn-legacy"), None, "only ms-users knows versions");
    }
}

#[test]
fn a_tampered_token_of_every_algorithm_is_refused() {
    let edge = Setup::denying().start();
    for algorithm in ALGORITHMS {
        let good = token(key(algorithm), json!({}));
        let (message, signature) = good.rsplit_once('.').unwrap();
        let other_key = SigningKey::generate(algorithm, algorithm);
        let table = [
            ("other claims", forge_payload(&good, &claims(json!({"sub": "root"})))),
            ("one bit of the signature", forge_signature(&good)),
            ("another key under the same kid", token(&other_key, json!({}))),
            ("a signature of zeros", format!("{message}.{}", "A".repeat(signature.len()))),
            ("half a signature", format!("{message}.{}", &signature[..signature.len() / 2 / 4 * 4])),
        ];
        for (what, token) in table {
            let what = format!("{algorithm}: {what}");
            let detail = detail(&edge, &what, &Request::get("/").bearer(&token));
            assert!(["signature", "malformed"].contains(&detail.as_str()), "{what}: {detail}");
        }
    }
}

#[test]
fn a_token_cannot_choose_how_it_is_verified() {
    let edge = Setup::denying().start();
    let rsa = key("RS256");
    let claims = claims(json!({}));
    let jwk = rsa.jwk();
    let modulus = jwk["n"].as_str().unwrap();
    let header = |header: Value| header.to_string();
    let body = claims.to_string();
    let mut table = vec![
        ("HS256 under the RSA key as PEM".to_owned(), hs256_under(rsa.pem().as_bytes(), "RS256", &claims)),
        (
            "HS256 under the RSA key as trimmed PEM".to_owned(),
            hs256_under(rsa.pem().trim().as_bytes(), "RS256", &claims),
        ),
        ("HS256 under the RSA key as DER".to_owned(), hs256_under(&rsa.spki(), "RS256", &claims)),
        (
            "HS256 under the RSA key as JWK".to_owned(),
            hs256_under(jwk.to_string().as_bytes(), "RS256", &claims),
        ),
        ("HS256 under the modulus".to_owned(), hs256_under(modulus.as_bytes(), "RS256", &claims)),
        ("HS256 under an empty secret".to_owned(), hs256_under(b"", "HS256", &claims)),
        ("HS256 with the kid of no key".to_owned(), hs256_under(b"secret", "unknown", &claims)),
        (
            "RS512 under a key for RS256".to_owned(),
            sign_raw(key("RS512"), &header(json!({"alg": "RS512", "kid": "RS256"})), &body),
        ),
        ("a key that the token brings".to_owned(), {
            let own = SigningKey::generate("ES256", "ES256");
            sign_raw(&own, &header(json!({"alg": "ES256", "kid": "ES256", "jwk": own.jwk()})), &body)
        }),
        (
            "crit".to_owned(),
            sign_raw(rsa, &header(json!({"alg": "RS256", "kid": "RS256", "crit": ["exp"], "exp": 1})), &body),
        ),
        (
            "b64".to_owned(),
            sign_raw(
                rsa,
                &header(json!({"alg": "RS256", "kid": "RS256", "b64": false, "crit": ["b64"]})),
                &body,
            ),
        ),
        ("no alg".to_owned(), sign_raw(rsa, &header(json!({"kid": "RS256"})), &body)),
        (
            "alg in lower case".to_owned(),
            sign_raw(rsa, &header(json!({"alg": "rs256", "kid": "RS256"})), &body),
        ),
        ("two algs".to_owned(), sign_raw(rsa, r#"{"alg":"none","alg":"RS256","kid":"RS256"}"#, &body)),
    ];
    for none in ["none", "None", "NONE", "nOnE", "", "null", "HS0"] {
        table.push((format!("alg {none:?}"), unsigned(none, &claims)));
        table.push((format!("alg {none:?} with a signature"), format!("{}AAAA", unsigned(none, &claims))));
    }
    for (what, token) in table {
        let detail = detail(&edge, &what, &Request::get("/").bearer(&token));
        let expected = ["algorithm", "unknown_key", "signature", "malformed", "crit"];
        assert!(expected.contains(&detail.as_str()), "{what}: {detail}");
    }
}

#[test]
fn time_is_validated_to_the_second() {
    let edge = Setup::denying().start();
    let now = now();
    let refused = [
        ("expired a second ago", json!({"exp": now - 1}), "expired"),
        ("expired long ago", json!({"exp": 1}), "expired"),
        ("expired before 1970", json!({"exp": -1}), "expired"),
        ("not valid for a minute", json!({"nbf": now + 60}), "not_yet_valid"),
        ("without exp", json!({"exp": null}), "exp_missing"),
        ("exp as a text", json!({"exp": (now + 600).to_string()}), "claim_type"),
        ("exp as true", json!({"exp": true}), "claim_type"),
        ("exp as a list", json!({"exp": [now + 600]}), "claim_type"),
        ("nbf as a text", json!({"nbf": now.to_string()}), "claim_type"),
        ("iat as a text", json!({"iat": "yesterday"}), "claim_type"),
    ];
    for (what, changes, expected) in refused {
        let token = token(key("ES256"), changes);
        assert_eq!(detail(&edge, what, &Request::get("/").bearer(&token)), expected, "{what}");
    }
    let admitted = [
        ("valid since a second", json!({"nbf": now - 1})),
        ("exp with a fraction", json!({"exp": now as f64 + 600.5})),
        ("without iat", json!({"iat": null})),
    ];
    for (what, changes) in admitted {
        edge.admits(what, &Request::get("/").bearer(&token(key("ES256"), changes)));
    }
}

#[test]
fn a_duplicate_claim_is_refused() {
    let edge = Setup::denying().start();
    let payload = format!(r#"{{"exp":1,"sub":"alice","exp":{}}}"#, now() + 600);
    let token = sign_raw(key("ES256"), r#"{"alg":"ES256","kid":"ES256"}"#, &payload);
    assert_eq!(detail(&edge, "two exp", &Request::get("/").bearer(&token)), "malformed");
}

#[test]
fn issuer_and_audience_are_required_once_configured() {
    let edge = Setup::denying()
        .agent_env("JWT_ISSUERS", "https://id.test")
        .agent_env("JWT_AUDIENCES", "api,web")
        .start();
    let good = json!({"iss": "https://id.test", "aud": "api"});
    let with = |name: &str, value: Value| {
        let mut changes = good.clone();
        changes[name] = value;
        Request::get("/").bearer(&token(key("ES256"), changes))
    };
    for (what, aud) in
        [("one audience", json!("api")), ("the other", json!("web")), ("a list", json!(["x", "web"]))]
    {
        edge.admits(what, &with("aud", aud));
    }
    for iss in [
        Value::Null,
        json!("https://id.test/"),
        json!("https://ID.test"),
        json!(""),
        json!(["https://id.test"]),
    ] {
        let what = format!("iss {iss}");
        let detail = detail(&edge, &what, &with("iss", iss));
        assert!(["issuer", "claim_type"].contains(&detail.as_str()), "{what}: {detail}");
    }
    for aud in [Value::Null, json!("ap"), json!("apis"), json!(""), json!([]), json!(["x"]), json!("api,web")]
    {
        let what = format!("aud {aud}");
        let response = edge.refuses(&what, 401, &with("aud", aud));
        let challenge = response.header("www-authenticate").unwrap();
        assert_eq!(
            challenge, r#"Bearer realm="api", error="invalid_token", error_description="audience""#,
            "{what}"
        );
    }
}

#[test]
fn pem_and_legacy_key_files_verify_too() {
    let (rsa, ec) = (key("RS256"), key("ES384"));
    let table = [
        ("PEM", format!("{}{}", rsa.pem(), ec.pem())),
        (
            "legacy list",
            json!([{"kid": "RS256", "cert": rsa.pem()}, {"kid": "ES384", "cert": ec.pem()}]).to_string(),
        ),
        ("a set with bad keys", {
            let mut set: Value = serde_json::from_str(&jwks([rsa, ec])).unwrap();
            let keys = set["keys"].as_array_mut().unwrap();
            keys.insert(0, json!({"kty": "RSA", "n": "AQ", "e": "AQAB"}));
            keys.insert(1, json!({"kty": "novel"}));
            keys.insert(2, json!({"kid": "EdDSA"}));
            set.to_string()
        }),
    ];
    for (what, keys) in table {
        let edge = Setup::denying().keys(keys).start();
        for key in [rsa, ec] {
            edge.admits(what, &Request::get("/").bearer(&token(key, json!({}))));
            edge.refuses(what, 401, &Request::get("/").bearer(&forge_signature(&token(key, json!({})))));
        }
        edge.refuses(what, 401, &Request::get("/").bearer(&token(self::key("EdDSA"), json!({}))));
    }
}

#[test]
fn ms_users_tokens_are_annotated_with_their_version() {
    let edge = Setup::annotating().start();
    let key = key("HS256");
    let jwt = |token: String| format!("JWT {token}");
    let user = |changes: Value| {
        let mut all = json!({"username": "alice"});
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        token(key, all)
    };
    let now = now();
    // Authorization, then valid, reason, stateless, legacy, whether the body is told.
    let table = [
        ("stateless", jwt(user(json!({"st": 1}))), "1", "ok", Some("1"), None, true),
        (
            "stateless, milliseconds",
            jwt(user(json!({"st": 1, "exp": (now + 600) * 1000}))),
            "1",
            "ok",
            Some("1"),
            None,
            true,
        ),
        (
            "stateless, without exp",
            jwt(user(json!({"st": 1, "exp": null}))),
            "1",
            "ok",
            Some("1"),
            None,
            true,
        ),
        (
            "refresh token",
            jwt(user(json!({"st": 1, "irt": 1}))),
            "0",
            "E_TKN_ACCESS_TOKEN_REQUIRED",
            Some("1"),
            None,
            false,
        ),
        ("legacy", jwt(user(json!({}))), "0", "E_TKN_LEGACY", None, Some("1"), true),
        (
            "expired",
            jwt(user(json!({"st": 1, "exp": now - 1}))),
            "0",
            "E_TKN_INVALID",
            Some("1"),
            None,
            false,
        ),
        (
            "expired, milliseconds",
            jwt(user(json!({"st": 1, "exp": (now - 1) * 1000}))),
            "0",
            "E_TKN_INVALID",
            Some("1"),
            None,
            false,
        ),
        ("tampered", jwt(forge_signature(&user(json!({"st": 1})))), "0", "E_TKN_INVALID", None, None, false),
        ("not a token", jwt("garbage".into()), "0", "E_TKN_LEGACY", None, Some("1"), false),
        ("Bearer", format!("Bearer {}", user(json!({"st": 1}))), "0", "E_TKN_INVALID", None, None, false),
        ("empty", "JWT ".into(), "0", "E_TKN_INVALID", None, None, false),
    ];
    for (what, authorization, valid, reason, stateless, legacy, body) in table {
        let request = Request::get("/").header("Authorization", authorization).header("x-tkn-body", "{}");
        let seen = edge.admits(what, &request.header("x_tkn_stateless", "1"));
        assert_eq!(seen.header("x-tkn-valid"), Some(valid), "{what}");
        assert_eq!(seen.header("x-tkn-reason"), Some(reason), "{what}");
        if valid == "1" || reason == "E_TKN_LEGACY" && body {
            assert_eq!(seen.header("x-tkn-stateless"), stateless, "{what}");
            assert_eq!(seen.header("x-tkn-legacy"), legacy, "{what}");
        }
        assert_eq!(seen.header("x-tkn-body").is_some(), body, "{what}");
        assert_eq!(seen.header("x-tkn-header").is_some(), body, "{what}");
        assert_eq!(seen.header("x_tkn_stateless"), None, "{what}");
    }
    let seen = edge.admits("no header", &Request::get("/").header("x-tkn-valid", "1"));
    assert_eq!((seen.header("x-tkn-valid"), seen.header("x-tkn-reason")), (Some("0"), Some("E_TKN_INVALID")));
}

/// By its `typ`, whatever the letter case and with `application/` before it, or as an event by its claims (RFC 8725 section 3.11).
#[test]
fn a_token_that_was_made_for_something_else_is_no_access_token() {
    let edge = Setup::denying()
        .agent_env("JWT_ISSUERS", "https://id.test")
        .agent_env("JWT_AUDIENCES", "client")
        .start();
    let key = key("ES256");
    let signed = |typ: &str, changes: Value| {
        let mut claims = claims(json!({"iss": "https://id.test", "aud": "client"}));
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let header = json!({"alg": key.algorithm, "kid": key.kid, "typ": typ});
        Request::get("/").bearer(&sign_raw(key, &header.to_string(), &claims.to_string()))
    };
    for typ in [
        "logout+jwt",
        "command+jwt",
        "secevent+jwt",
        "dpop+jwt",
        "token-introspection+jwt",
        "statuslist+jwt",
        "oauth-authz-req+jwt",
        "client-authentication+jwt",
        "entity-statement+jwt",
        "kb+jwt",
        "dc+sd-jwt",
        "vc+sd-jwt",
        "oauth-id-jag+jwt",
        "global-token-revocation+jwt",
    ] {
        for spelling in [typ.to_owned(), typ.to_uppercase(), format!("application/{typ}")] {
            assert_eq!(detail(&edge, &spelling, &signed(&spelling, json!({}))), "typ", "{spelling}");
        }
    }
    let event = json!({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}});
    assert_eq!(detail(&edge, "an event", &signed("JWT", event)), "typ");
    for typ in ["JWT", "at+jwt", "application/at+jwt"] {
        edge.admits(typ, &signed(typ, json!({})));
    }
}
