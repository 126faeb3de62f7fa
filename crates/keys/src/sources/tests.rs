use std::time::Duration;

use service::proxy::ProxyVariables;
use tempfile::TempDir;

use super::*;
use crate::trust::{Authorization, Discovery, Fetch, FetchNames, IssuerKeys};

fn opened(keys: IssuerKeys) -> Result<Vec<(usize, Source)>, OpenError> {
    let sources = KeySources {
        issuers: vec![keys],
        proxies: ProxyVariables::default(),
        interval: Duration::from_secs(300),
        rules: crate::url::tests::rules(),
    };
    sources.open("test")
}

#[test]
fn a_url_that_cannot_be_used_is_told_by_the_setting_that_says_it() {
    const FLAT: FetchNames = FetchNames { keys_url: "JWT_JWKS_URL", ..FetchNames::TABLE };
    let folder = TempDir::new().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "hunter2").unwrap();
    let table = || Fetch { place: "issuers[1].".to_owned(), ..Fetch::default() };
    let flat = || Fetch { names: FLAT, ..Fetch::default() };
    let url =
        |fetch: Fetch, url: &str| IssuerKeys { urls: vec![url.to_owned()], fetch, ..IssuerKeys::default() };
    let discovered = |fetch: Fetch, issuer: &str, url: Option<&str>, setting| {
        let discovery = Discovery {
            issuer: issuer.to_owned(),
            aliases: Vec::new(),
            url: url.map(str::to_owned),
            setting,
        };
        IssuerKeys { discovery: vec![discovery], fetch, ..IssuerKeys::default() }
    };
    let (document, password) = ("https://id.example/d", "https://a:hunter2@id.example/d");
    let clear = "http://a:hunter2@id.example/d";
    let flat_issuer = Some("JWT_OIDC_ISSUERS");
    for (keys, expected, why) in [
        (url(table(), "https://"), "issuers[1].keys_url", "is no URL"),
        (url(flat(), "https://"), "JWT_JWKS_URL", "is no URL"),
        (discovered(table(), "a", Some("https://"), None), "issuers[1].discovery_url", "is no URL"),
        (url(table(), clear), "issuers[1].keys_url", "without TLS"),
        (url(table(), &format!("{clear}/{{kid}}")), "issuers[1].keys_url", "without TLS"),
        (discovered(table(), "a", Some(clear), None), "issuers[1].discovery_url", "without TLS"),
        (discovered(table(), clear, Some(document), None), "issuers[1].issuer", "without TLS"),
        (discovered(flat(), clear, None, flat_issuer), "JWT_OIDC_ISSUERS", "without TLS"),
        (url(table(), password), "issuers[1].keys_url", "holds a user or password beside"),
        (
            discovered(table(), "a", Some(password), None),
            "issuers[1].discovery_url",
            "holds a user or password beside",
        ),
        (discovered(table(), password, None, None), "issuers[1].issuer", "holds a user or password beside"),
        (
            discovered(flat(), password, None, flat_issuer),
            "JWT_OIDC_ISSUERS",
            "holds a user or password beside",
        ),
    ] {
        let authorization = why.contains("beside").then(|| Authorization::Bearer(token.clone()));
        let keys = IssuerKeys { fetch: Fetch { authorization, ..keys.fetch }, ..keys };
        let error = opened(keys).unwrap_err();
        let told = error.to_string();
        let (OpenError::Fetch { setting, .. } | OpenError::Url { setting, .. }) = error else {
            panic!("{error:?}");
        };
        assert_eq!(setting, expected, "{told}");
        assert!(told.contains(why) && !told.contains("hunter2"), "{expected}: {told}");
    }
}
