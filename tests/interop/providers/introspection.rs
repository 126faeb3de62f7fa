//! Opaque tokens, of which a token-server asks the provider that issued them (RFC 7662).

use std::fs;

use integration_tests::gateway::Gateway;
use integration_tests::http::Request;
use integration_tests::identity::oidc_provider::{RS256, opaque_tokens};
use integration_tests::identity::provider::Provider;
use integration_tests::keys::{jwks, key};
use integration_tests::proxy::Proxy;
use integration_tests::wait::eventually;
use serde_json::json;
use tempfile::TempDir;

use crate::asking::{Asking, STRANGE};
use crate::authlib::{self, AUTHLIB};
use crate::django::{self, DJANGO};

#[test]
fn opaque_tokens_of_oidc_provider_pass_until_they_are_revoked_there_or_here() {
    let mut provider = Provider::start(&RS256);
    let client = ("robot", "of the robot");
    let brief = [("CACHE_TTL", "1")];
    let brief = Asking::start(&provider.place.issuer, client, &brief);
    let long = [("CACHE_TTL", "300")];
    let long = Asking::start(&provider.place.issuer, client, &long);
    let [alices, refresh] = opaque_tokens(&provider.place, "alice");
    let [bobs, _] = opaque_tokens(&provider.place, "bob");

    for asking in [&brief, &long] {
        let verdict = asking.server.verdict_on_token(&alices);
        assert_eq!((&verdict["detail"], &verdict["subject"]), (&json!("ok"), &json!("alice")), "{verdict}");
        assert_eq!(verdict["claims"]["iss"], provider.place.issuer.as_str());
        assert!(verdict["header"].is_null() && verdict["use_for"].as_u64().unwrap() <= 300_000, "{verdict}");
        assert_eq!(
            (asking.server.status_of_token(&alices), asking.server.detail_on_token(&bobs)),
            (200, "ok".to_owned())
        );
        assert_eq!(
            (asking.server.detail_on_token(STRANGE), asking.server.status_of_token(STRANGE)),
            ("inactive".to_owned(), 401)
        );
        assert_eq!(
            (asking.server.detail_on_token(&refresh), asking.server.status_of_token(&refresh)),
            ("token_type".to_owned(), 401)
        );
    }

    // There: it ends here when the answer does.
    let form = [("token", alices.as_str()), ("token_type_hint", "access_token")];
    let place = &provider.place;
    let revoked = place.visitor().post_as("web", "of the web", &place.at("/token/revocation"), &form);
    assert_eq!(revoked.status, 200, "{revoked}");
    eventually("the token ends", || (brief.server.detail_on_token(&alices) == "inactive").then_some(()));
    assert_eq!(brief.server.status_of_token(&alices), 401);
    assert_eq!(
        (brief.server.detail_on_token(&bobs), long.server.detail_on_token(&alices)),
        ("ok".to_owned(), "ok".to_owned())
    );

    // Here: at once, though an answer is kept.
    long.server.revoke("bob", &json!({ "sub": "bob" }));
    assert_eq!(
        (long.server.detail_on_token(&bobs), long.server.status_of_token(&bobs)),
        ("revoked".to_owned(), 401)
    );
    assert_eq!(brief.server.detail_on_token(&bobs), "ok", "another server's rules");

    provider.stops();
    assert_eq!(long.server.detail_on_token(&alices), "ok", "what is known goes on");
    assert_eq!(
        (
            long.server.detail_on_token("another-strange-text"),
            long.server.status_of_token("another-strange-text")
        ),
        ("introspection".to_owned(), 503)
    );
    for asking in [&brief, &long] {
        asking.tells_no_secret(&[&alices, &bobs, &refresh, STRANGE, "of the robot", "of+the+robot"]);
    }
}

#[test]
fn opaque_tokens_of_oidc_provider_pass_traefik_nginx_and_envoy_until_a_rule_ends_them() {
    let provider = Provider::start(&RS256);
    let folder = TempDir::with_prefix("introspection-").unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "of the robot").unwrap();
    let settings = [
        ("TOKEN_SERVER__INTROSPECTION__ISSUER", provider.place.issuer.as_str()),
        ("TOKEN_SERVER__INTROSPECTION__CLIENT_ID", "robot"),
        ("TOKEN_SERVER__INTROSPECTION__CLIENT_SECRET_FILE", secret.to_str().unwrap()),
    ];
    let [alices, refresh] = opaque_tokens(&provider.place, "alice");
    let [bobs, _] = opaque_tokens(&provider.place, "bob");
    for proxy in [Proxy::Traefik, Proxy::TraefikHttp2, Proxy::Nginx, Proxy::Envoy] {
        let gateway = Gateway::start(proxy, jwks([key("ES256")]), &settings);
        let with = |token: &str| Request::get("/").bearer(token).header("X-User-Id", "root");
        for (token, user) in [(&alices, "alice"), (&bobs, "bob")] {
            let seen = gateway.admits(user, &with(token));
            let told: Vec<_> =
                seen.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("x-user-id")).collect();
            assert!(matches!(&told[..], [(_, told)] if told == user), "{proxy:?}: {told:?}");
        }
        for (what, token) in [("of no provider", STRANGE), ("a refresh token", &refresh)] {
            assert_eq!(gateway.refuses(what, &with(token)).status, 401, "{proxy:?} {what}");
        }
        gateway.token_server.revoke("alice", &json!({ "sub": "alice" }));
        assert_eq!(gateway.refuses("revoked", &with(&alices)).status, 401, "{proxy:?}");
        gateway.admits("another user's", &with(&bobs));
    }
}

#[test]
fn opaque_tokens_of_django_oauth_toolkit_pass_where_answers_without_a_type_are_allowed() {
    let provider = Provider::start(&DJANGO);
    let url = provider.place.at("/introspect/");
    let client = ("my-api", "of the web");
    let url = ("URL", url.as_str());
    let strict = Asking::start(&provider.place.issuer, client, &[url]);
    let lax = Asking::start(&provider.place.issuer, client, &[url, ("ALLOW_UNTYPED", "true")]);
    let token = django::opaque_token(&provider.place, "openid");
    assert_eq!(strict.server.detail_on_token(&token), "token_type", "it answers so for every token");
    let verdict = lax.server.verdict_on_token(&token);
    assert_eq!(
        (&verdict["detail"], &verdict["claims"]["username"]),
        (&json!("ok"), &json!("alice")),
        "{verdict}"
    );
    assert_eq!(
        (
            lax.server.detail_on_token(STRANGE),
            lax.server.status_of_token(STRANGE),
            lax.server.status_of_token(&token)
        ),
        ("inactive".to_owned(), 401, 200)
    );
    let form = [("token", token.as_str())];
    let place = &provider.place;
    let revoked = place.visitor().post_as(client.0, client.1, &place.at("/revoke_token/"), &form);
    assert_eq!(revoked.status, 200, "{revoked}");
    assert_eq!(strict.server.detail_on_token(&token), "token_type", "an answer is kept");
    lax.tells_no_secret(&[&token, STRANGE, "of the web", "of+the+web"]);
}

#[test]
fn opaque_tokens_of_authlib_pass_where_the_client_is_told_in_the_form() {
    let provider = Provider::start(&AUTHLIB);
    let post = ("AUTH", "post");
    let asking = Asking::start(&provider.place.issuer, ("robot", "of the robot"), &[post]);
    let token = authlib::opaque_token(&provider.place);
    let verdict = asking.server.verdict_on_token(&token);
    assert_eq!((&verdict["detail"], &verdict["subject"]), (&json!("ok"), &json!("robot")), "{verdict}");
    assert_eq!(
        (asking.server.status_of_token(&token), asking.server.detail_on_token(STRANGE)),
        (200, "inactive".to_owned())
    );
    let wrong = Asking::start(&provider.place.issuer, ("robot", "of another robot"), &[post]);
    assert_eq!(
        (wrong.server.detail_on_token(&token), wrong.server.status_of_token(&token)),
        ("introspection".to_owned(), 503)
    );
    assert!(wrong.server.process.log().contains("answered 400 Bad Request"));
    wrong.tells_no_secret(&[&token, "of another robot", "of+another+robot"]);
}
