//! Signed answers about opaque tokens (RFC 9701).

use integration_tests::identity::flow::{basic, part};
use integration_tests::identity::oidc_provider::{EDDSA, ES256, RS256, opaque_tokens};
use integration_tests::identity::provider::{Kind, Provider};
use integration_tests::keys::key;
use integration_tests::wait::eventually;
use serde_json::{Value, json};

use crate::asking::{Asking, STRANGE};
use crate::glewlwyd::{GLEWLWYD, RESOURCE};

/// Clients of `oidc-provider`: one for which answers are signed as its other tokens are, and one for which they are encrypted too.
fn clients() -> Value {
    let mut public = key("ES256").jwk();
    for (name, value) in [("use", "enc"), ("alg", "ECDH-ES")] {
        public[name] = value.into();
    }
    let client = |id: &str| {
        json!({
            "client_id": id, "client_secret": "of the edge",
            "grant_types": ["client_credentials"], "redirect_uris": [], "response_types": [],
        })
    };
    let mut sealed = client("sealed");
    sealed["introspection_encrypted_response_alg"] = "ECDH-ES".into();
    sealed["jwks"] = json!({ "keys": [public] });
    json!([client("edge"), sealed])
}

fn start(kind: &'static Kind) -> Provider {
    let more = vec![("CLIENTS", clients().to_string()), ("SIGNED_ANSWERS", "1".to_owned())];
    Provider::start_with(kind, more)
}

fn asking(provider: &Provider, client: &str) -> Asking {
    let more = [("SIGNED", "true"), ("CACHE_TTL", "0")];
    Asking::start(&provider.place.issuer, (client, "of the edge"), &more)
}

#[test]
fn answers_that_oidc_provider_signs_are_judged_and_outlive_the_rotation_of_its_keys() {
    for kind in [&RS256, &ES256, &EDDSA] {
        let mut provider = start(kind);
        let asking = asking(&provider, "edge");
        let [token, refresh] = opaque_tokens(&provider.place, "alice");
        let verdict = asking.server.verdict_on_token(&token);
        assert_eq!((&verdict["detail"], &verdict["subject"]), (&json!("ok"), &json!("alice")), "{verdict}");
        assert_eq!(asking.verdicts(&token), ("ok".to_owned(), 200));
        assert_eq!(asking.verdicts(STRANGE), ("inactive".to_owned(), 401));
        assert_eq!(asking.verdicts(&refresh), ("token_type".to_owned(), 401));

        // It keeps tokens in memory alone, so that those of before a restart are gone.
        provider.restarts_with(&[2]);
        let [token, _] = opaque_tokens(&provider.place, "alice");
        eventually("the new key is known", || {
            let (detail, status) = asking.verdicts(&token);
            assert!(["ok", "introspection"].contains(&detail.as_str()), "{detail}");
            (detail == "ok" && status == 200).then_some(())
        });
        asking.tells_no_secret(&[&token, &refresh, STRANGE, "of+the+edge"]);
    }
}

#[test]
fn answers_that_are_not_signed_or_are_encrypted_make_no_verdict() {
    let provider = Provider::start_with(&ES256, vec![("CLIENTS", json!([clients()[0]]).to_string())]);
    let [token, _] = opaque_tokens(&provider.place, "alice");
    asking(&provider, "edge").has_no_answer(&token, "introspection_signed_response_alg");
    let provider = start(&ES256);
    let [token, _] = opaque_tokens(&provider.place, "alice");
    asking(&provider, "sealed").has_no_answer(&token, "no introspection_encrypted_response_alg");
}

/// It follows draft 12: what it signs is for the API of the token, and it signs nothing about unknown tokens.
#[test]
fn glewlwyd_whose_signed_answers_are_not_for_the_client_makes_no_verdict() {
    let provider = Provider::start_with(&GLEWLWYD, vec![("INTROSPECTION", "1".to_owned())]);
    let (client, issuer) = (("robot", "of-the-robot"), &provider.place.issuer);
    let (who, token) = (basic(client.0, client.1), provider.token());
    let headers = [("Authorization", who.as_str()), ("Accept", "application/token-introspection+jwt")];
    let target = provider.place.at("/introspect");
    let answer = provider.place.visitor().post_with(&headers, &target, &[("token", token.as_str())]);
    assert_eq!(part(&String::from_utf8(answer.body).unwrap(), 1)["aud"], RESOURCE);
    let unsigned = Asking::start(issuer, client, &[]);
    assert_eq!(unsigned.verdicts(STRANGE), ("inactive".to_owned(), 401));
    let signed = Asking::start(issuer, client, &[("SIGNED", "true")]);
    signed.has_no_answer(STRANGE, "answered 400 Bad Request");
}
