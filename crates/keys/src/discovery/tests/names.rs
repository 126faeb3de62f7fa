//! By which names a document is believed, and what is told where it has another.

use super::*;

/// What it is, what is configured, where the document is, what it says, and what the error says, if it is one.
type Case<'a> = (&'a str, Table, &'a str, String, Option<&'a [&'a str]>);

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

#[test]
fn a_name_of_access_tokens_that_is_not_configured_is_noticed() {
    let url = Url::parse("https://fs.example/adfs/.well-known/openid-configuration").unwrap();
    let document = br#"{"issuer":"https://fs.example/adfs","access_token_issuer":"http://fs.example/trust","jwks_uri":"https://fs.example/k"}"#;
    let notice = |aliases| {
        let discovery = Table { aliases, ..table("https://fs.example/adfs") }.at("");
        read(document, &url, &discovery).unwrap().notice
    };
    let told = notice(&[]).unwrap();
    assert!(told.contains(r#"set issuer_aliases = ["http://fs.example/trust"]"#), "{told}");
    assert_eq!(notice(&["http://fs.example/trust"]), None);
}
