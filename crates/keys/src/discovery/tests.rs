//! Documents in the shapes of real providers, from a real HTTP server on loopback.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use service::readiness::Readiness;
use service::shutdown::Shutdown;

use super::*;
use crate::url::tests::{Answer, Server, client, jwks, rules, until};
use crate::{KeyMetrics, KeyRing, Source, Timing, UrlSource, keep_fresh};

/// What a table of the configuration says, `~` being where the server is.
#[derive(Clone, Copy)]
struct Table {
    issuer: &'static str,
    aliases: &'static [&'static str],
    url: Option<&'static str>,
}

const fn table(issuer: &'static str) -> Table {
    Table { issuer, aliases: &[], url: None }
}

impl Table {
    fn at(self, base: &str) -> Discovery {
        let placed = |text: &str| text.replace('~', base);
        Discovery {
            issuer: placed(self.issuer),
            aliases: self.aliases.iter().map(|name| placed(name)).collect(),
            url: self.url.map(placed),
            setting: None,
        }
    }
}

fn json(body: &str) -> Answer {
    Answer { status: 200, body: body.to_owned(), ..Answer::default() }
}

/// What it is, what is configured, where the document is, what it says, and what the error says, if it is one.
type Case<'a> = (&'a str, Table, &'a str, String, Option<&'a [&'a str]>);

/// How many keys there are, or why none.
async fn keys_of(discovery: Discovery) -> Result<usize, String> {
    let source = Source::Url(UrlSource::Issuer(discovery), client());
    source.load(&rules()).await.map(|set| set.len()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_document_is_believed_by_a_configured_name_and_else_both_are_told_with_the_lines_to_set() {
    const DOCUMENT: &str = "/.well-known/openid-configuration";
    const AD_FS: &str = r#"{"issuer":"~/adfs","access_token_issuer":"http://fs.example/adfs/services/trust","jwks_uri":"~/k"}"#;
    let by_name = |name: &str| format!(r#"{{"issuer":"{name}","jwks_uri":"~/k"}}"#);
    let cases: &[Case<'_>] = &[
        ("the usual form", table("~"), DOCUMENT, by_name("~"), None),
        (
            "Keycloak: a path",
            table("~/realms/a"),
            "/realms/a/.well-known/openid-configuration",
            by_name("~/realms/a"),
            None,
        ),
        ("Auth0: a slash at the end, as its tokens have it", table("~/"), DOCUMENT, by_name("~/"), None),
        (
            "a slash too few",
            table("~"),
            DOCUMENT,
            by_name("~/"),
            Some(&[
                r#"discovery document ~/.well-known/openid-configuration says issuer = "~/", and configured is issuer = "~"."#,
                r#"Where tokens say iss = "~/", set issuer = "~/"; where they say "~", set issuer = "~", issuer_aliases = ["~/"]"#,
            ]),
        ),
        (
            "a slash too many, with another alias",
            Table { aliases: &["other"], ..table("~/") },
            DOCUMENT,
            by_name("~"),
            Some(&[
                r#"configured is issuer = "~/", issuer_aliases = ["other"]"#,
                r#"issuer_aliases = ["other", "~"]"#,
            ]),
        ),
        (
            "Entra: a template for all tenants",
            table("~/common/v2.0"),
            "/common/v2.0/.well-known/openid-configuration",
            by_name("~/{tenantid}/v2.0"),
            Some(&[
                r#"It is for many tenants: set issuer = "~/{tenantid}/v2.0", discovery_url = "~/common/v2.0/.well-known/openid-configuration", tenants = [".."]"#,
            ]),
        ),
        (
            "B2C: the policy in the path of the document alone, unset",
            table("~/t/b2c_1_login/v2.0"),
            "/t/b2c_1_login/v2.0/.well-known/openid-configuration",
            by_name("~/0b8e1f3c-5d2a-4c7e-9f10-2a3b4c5d6e7f/v2.0/"),
            Some(&[
                r#"Where tokens say iss = "~/0b8e1f3c-5d2a-4c7e-9f10-2a3b4c5d6e7f/v2.0/", set issuer = "~/0b8e1f3c-5d2a-4c7e-9f10-2a3b4c5d6e7f/v2.0/", discovery_url = "~/t/b2c_1_login/v2.0/.well-known/openid-configuration""#,
            ]),
        ),
        (
            "B2C: set",
            Table {
                url: Some("~/t/b2c_1_login/v2.0/.well-known/openid-configuration?p=b2c_1_login"),
                ..table("~/0b8e1f3c-5d2a-4c7e-9f10-2a3b4c5d6e7f/v2.0/")
            },
            "/t/b2c_1_login/v2.0/.well-known/openid-configuration",
            by_name("~/0b8e1f3c-5d2a-4c7e-9f10-2a3b4c5d6e7f/v2.0/"),
            None,
        ),
        (
            "AD FS: the issuer of its access tokens, unset",
            Table {
                url: Some("~/adfs/.well-known/openid-configuration"),
                ..table("http://fs.example/adfs/services/trust")
            },
            "/adfs/.well-known/openid-configuration",
            AD_FS.to_owned(),
            Some(&[
                r#"Its access tokens say iss = "http://fs.example/adfs/services/trust": set issuer = "http://fs.example/adfs/services/trust", issuer_aliases = ["~/adfs"]"#,
            ]),
        ),
        (
            "AD FS: set",
            Table {
                issuer: "http://fs.example/adfs/services/trust",
                aliases: &["~/adfs"],
                url: Some("~/adfs/.well-known/openid-configuration"),
            },
            "/adfs/.well-known/openid-configuration",
            AD_FS.to_owned(),
            None,
        ),
        (
            "an internal host, unset",
            table("~/realms/a"),
            "/realms/a/.well-known/openid-configuration",
            by_name("https://id.example/realms/a"),
            Some(&[
                r#"Where tokens say iss = "https://id.example/realms/a", set issuer = "https://id.example/realms/a", discovery_url = "~/realms/a/.well-known/openid-configuration""#,
            ]),
        ),
        (
            "an internal host, set",
            Table {
                url: Some("~/realms/a/.well-known/openid-configuration"),
                ..table("https://id.example/realms/a")
            },
            "/realms/a/.well-known/openid-configuration",
            by_name("https://id.example/realms/a"),
            None,
        ),
        (
            "a discovery URL that is another provider's",
            Table { url: Some("~/elsewhere"), ..table("https://id.example") },
            "/elsewhere",
            by_name("https://evil.example"),
            Some(&[
                r#"says issuer = "https://evil.example", and configured is issuer = "https://id.example""#,
            ]),
        ),
        (
            "Google: its second name",
            Table { aliases: &["accounts.google.com"], ..table("~") },
            DOCUMENT,
            by_name("~"),
            None,
        ),
        (
            "Google: by its second name, which is no URL",
            table("accounts.google.com"),
            DOCUMENT,
            by_name("~"),
            Some(&[r#"of "accounts.google.com" has no address"#, "set discovery_url"]),
        ),
        ("an issuer with a query", table("~?x"), DOCUMENT, by_name("~?x"), Some(&["has no address"])),
        (
            "another case",
            table("~/A"),
            "/A/.well-known/openid-configuration",
            by_name("~/a"),
            Some(&["says issuer"]),
        ),
        (
            "a text that would not end",
            table("~"),
            DOCUMENT,
            by_name(&"x".repeat(100_000)),
            Some(&["says issuer", "and configured is"]),
        ),
    ];
    for (what, table, path, document, expected) in cases {
        let server = Server::start().await;
        let placed = |text: &str| text.replace('~', &server.base);
        server.keys("/k", "a");
        server.set(path, json(&placed(document)));
        let found = keys_of(table.at(&server.base)).await;
        match expected {
            None => assert_eq!(found, Ok(1), "{what}"),
            Some(expected) => {
                let text = found.unwrap_err();
                assert!(text.len() < 2_000, "{what}: {text}");
                for part in *expected {
                    assert!(text.contains(&placed(part)), "{what}: {} in {text}", placed(part));
                }
            }
        }
    }
}

#[tokio::test]
async fn a_flat_setting_is_told_by_its_name() {
    let server = Server::start().await;
    let base = &server.base;
    server.set(
        "/.well-known/openid-configuration",
        json(&format!(r#"{{"issuer":"{base}/","jwks_uri":"{base}/k"}}"#)),
    );
    server.set(
        "/a/.well-known/openid-configuration",
        json(r#"{"issuer":"https://id.example","jwks_uri":"/k"}"#),
    );
    let told = async |issuer: String| keys_of(Discovery::flat("JWT_OIDC_ISSUERS", issuer)).await.unwrap_err();
    let text = told(base.clone()).await;
    assert!(text.contains(&format!(r#"iss = "{base}/", set JWT_OIDC_ISSUERS="{base}/"; where"#)), "{text}");
    let text = told(format!("{base}/a")).await;
    let line = r#"write an [[issuers]] table with issuer = "https://id.example", discovery_url = "#;
    assert!(text.contains(line) && text.contains("(JWT_OIDC_ISSUERS)"), "{text}");
}

#[tokio::test]
async fn a_document_is_looked_for_where_the_rfcs_say_and_only_its_absence_leads_on() {
    const PATHS: [&str; 3] = [
        "/a/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/a",
        "/.well-known/openid-configuration/a",
    ];
    let status = |status| Answer { status, ..Answer::default() };
    for (what, answers, expected) in [
        ("OpenID's place", [None, Some(status(500)), Some(status(500))], Ok(())),
        ("RFC 8414's", [Some(status(404)), None, Some(status(500))], Ok(())),
        ("OpenID's before the path", [Some(status(404)), Some(status(404)), None], Ok(())),
        ("down", [Some(status(500)), None, None], Err("500")),
        ("forbidden", [Some(status(403)), None, None], Err("403")),
        ("gone", [Some(status(410)), None, None], Err("410")),
        ("garbage", [Some(json("<html>")), None, None], Err("is HTML")),
        ("the second is down", [Some(status(404)), Some(status(503)), None], Err("503")),
        ("nowhere", [Some(status(404)), Some(status(404)), Some(status(404))], Err("is absent (404 at ")),
    ] {
        for slash in ["", "/"] {
            let server = Server::start().await;
            let issuer = format!("{}/a{slash}", server.base);
            server.keys("/k", "a");
            let good = json(&format!(r#"{{"issuer":"{issuer}","jwks_uri":"{}/k"}}"#, server.base));
            for (path, answer) in PATHS.into_iter().zip(&answers) {
                server.set(path, answer.clone().unwrap_or_else(|| good.clone()));
            }
            let found = keys_of(Table { issuer: "~", ..table("~") }.at(&issuer)).await;
            match (found, expected) {
                (Ok(1), Ok(())) => {}
                (Err(text), Err(expected)) => {
                    assert!(text.contains(expected) && text.contains(&server.base), "{what}: {text}");
                    assert!(expected != "404" || PATHS.iter().all(|path| text.contains(path)), "{text}");
                }
                (found, _) => panic!("{what}: {found:?}"),
            }
        }
    }
}

#[tokio::test]
async fn an_issuer_without_a_path_is_looked_for_in_two_places() {
    let server = Server::start().await;
    let text = keys_of(table("~/").at(&server.base)).await.unwrap_err();
    let base = &server.base;
    let places = format!(
        "(404 at {base}/.well-known/openid-configuration, {base}/.well-known/oauth-authorization-server)"
    );
    assert!(text.contains(&places) && text.contains("set discovery_url"), "{text}");
    server.keys("/k", "a");
    let document = format!(r#"{{"issuer":"{base}/","jwks_uri":"{base}/k"}}"#);
    server.set("/.well-known/oauth-authorization-server", json(&document));
    assert_eq!(keys_of(table("~/").at(base)).await, Ok(1));
}

#[tokio::test]
async fn a_document_that_names_no_keys_says_so_with_a_cure() {
    let server = Server::start().await;
    server.keys("/k", "a");
    let moved = Answer {
        status: 302,
        headers: vec![("location", "http://localhost:1/".into())],
        ..Answer::default()
    };
    for (document, expected) in [
        (json(r#"{"issuer":"~","jwks_uri":"~/k","jwks_uri ":"x"}"#), None),
        (json("\u{feff}{\"issuer\":\"~\",\"jwks_uri\":\"~/k\"}"), None),
        (json(r#"{"issuer":"~"}"#), Some("has no jwks_uri: set keys_url")),
        (json(r#"{"issuer":"~","jwks_uri":null}"#), Some("has no jwks_uri: set keys_url")),
        (
            json(r#"{"issuer":"~","jwks_uri":"/k"}"#),
            Some(r#"says jwks_uri = "/k", which is no http(s) URL: set keys_url"#),
        ),
        (json(r#"{"issuer":"~","jwks_uri":"file:///k"}"#), Some("which is no http(s) URL: set keys_url")),
        (json(r#"{"issuer":"~","jwks_uri":7}"#), Some("is no JSON object")),
        (json(r#"{"issuer":"~","issuer":"~","jwks_uri":"~/k"}"#), Some("is no JSON object")),
        (json(r#"{"jwks_uri":"~/k"}"#), Some("has no issuer")),
        (json(r#"{"keys":[]}"#), Some("has no issuer")),
        (json("[]"), Some("is no JSON object")),
        (json(""), Some("is no JSON object")),
        (json(" <!DOCTYPE html><html>"), Some("is HTML: a web page answers there")),
        (moved, Some("/.well-known/openid-configuration: cannot fetch: ")),
        (
            json(r#"{"issuer":"~","jwks_uri":"~/gone"}"#),
            Some("keys at its jwks_uri ~/gone: the server answered 404"),
        ),
    ] {
        let body = document.body.replace('~', &server.base);
        server.set("/.well-known/openid-configuration", Answer { body, ..document.clone() });
        let found = keys_of(table("~").at(&server.base)).await;
        match expected {
            None => assert_eq!(found, Ok(1), "{}", document.body),
            Some(expected) => {
                let text = found.unwrap_err();
                assert!(text.contains(&expected.replace('~', &server.base)), "{}: {text}", document.body);
            }
        }
    }
}

#[test]
fn keys_without_tls_are_not_taken_from_a_document_that_came_over_it() {
    let (tls, plain) = ("https://id.example/d", "http://id.internal/d");
    for (url, keys, expected) in [
        (tls, "https://keys.example/k", Ok(())),
        (tls, "http://id.example/k?secret", Err(Fault::NotTls("http://id.example/k".into()))),
        (plain, "http://id.internal/k", Ok(())),
        (plain, "https://id.example/k", Ok(())),
    ] {
        let document = format!(r#"{{"issuer":"https://id.example","jwks_uri":"{keys}"}}"#);
        let discovery = table("https://id.example").at("");
        let found = super::read(document.as_bytes(), &Url::parse(url).unwrap(), &discovery);
        assert_eq!(found.map(drop), expected, "{url} {keys}");
    }
    let text = Fault::NotTls("http://id.example/k".into()).to_string();
    assert!(text.contains("without TLS") && text.contains("set keys_url"), "{text}");
}

#[test]
fn a_name_of_access_tokens_that_is_not_configured_is_noticed() {
    let url = Url::parse("https://fs.example/adfs/.well-known/openid-configuration").unwrap();
    let document = br#"{"issuer":"https://fs.example/adfs","access_token_issuer":"http://fs.example/trust","jwks_uri":"https://fs.example/k"}"#;
    let notice = |aliases| {
        let discovery = Table { aliases, ..table("https://fs.example/adfs") }.at("");
        super::read(document, &url, &discovery).unwrap().notice
    };
    let told = notice(&[]).unwrap();
    assert!(told.contains(r#"set issuer_aliases = ["http://fs.example/trust"]"#), "{told}");
    assert_eq!(notice(&["http://fs.example/trust"]), None);
}

/// The same ETag on both URLs, as servers that number their documents have it.
#[tokio::test]
async fn keys_that_move_to_another_url_are_not_taken_for_unchanged() {
    let server = Server::start().await;
    let base = server.base.clone();
    let names = |path: &str| json(&format!(r#"{{"issuer":"{base}","jwks_uri":"{base}{path}"}}"#));
    for (path, kid) in [("/old", "old"), ("/new", "new")] {
        server.set(path, Answer { etag: Some("\"1\""), ..json(&jwks(kid)) });
    }
    server.set("/.well-known/openid-configuration", names("/old"));
    let source = Source::Url(UrlSource::Issuer(table("~").at(&base)), client());
    let timing = Timing { interval: Duration::from_millis(20), cool_down: Duration::from_millis(20) };
    let metrics = KeyMetrics::register(&mut Registry::default());
    let ring = Arc::new(KeyRing::new(1, &[source.place(0)], timing.cool_down, Readiness::new(), metrics));
    let stop = Shutdown::new();
    let _stop = stop.clone().drop_guard();
    tokio::spawn(keep_fresh(source, 0, Arc::clone(&ring), rules(), timing, stop));
    let has = |kid: &str| ring.current().sets[0].keys().iter().any(|key| key.kid() == Some(kid));
    until(|| has("old")).await;
    server.set("/.well-known/openid-configuration", names("/new"));
    until(|| has("new") && !has("old")).await;
}

#[tokio::test]
async fn while_there_is_no_key_readiness_says_what_the_document_says() {
    let server = Server::start().await;
    let base = server.base.clone();
    let document = |name: &str| json(&format!(r#"{{"issuer":"{name}","jwks_uri":"{base}/k"}}"#));
    server.keys("/k", "a");
    server.set("/.well-known/openid-configuration", document("https://other.example"));
    let source = Source::Url(UrlSource::Issuer(table("~").at(&base)), client());
    let timing = Timing::every(Duration::from_secs(3600));
    let metrics = KeyMetrics::register(&mut Registry::default());
    let readiness = Readiness::new();
    let ring = Arc::new(KeyRing::new(1, &[source.place(0)], timing.cool_down, readiness.clone(), metrics));
    let stop = Shutdown::new();
    let _stop = stop.clone().drop_guard();
    tokio::spawn(keep_fresh(source, 0, Arc::clone(&ring), rules(), timing, stop));
    let told = r#"says issuer = "https://other.example", and configured is issuer = ""#;
    until(|| readiness.check().is_err_and(|text| text.contains(told))).await;
    server.set("/.well-known/openid-configuration", document(&base));
    until(|| readiness.check().is_ok()).await;
}
