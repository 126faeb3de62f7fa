use super::super::IssuerKeys;
use super::*;
use service::settings::ConfigError;

/// The names of a program that has nothing else to set.
const NAMES: FetchNames = FetchNames {
    keys_url: "APP_URL",
    ca_file: "APP_CA_FILE",
    token_file: "APP_FETCH_TOKEN_FILE",
    basic_file: "APP_FETCH_BASIC_FILE",
    headers: "APP_FETCH_HEADERS",
    headers_file: "APP_FETCH_HEADERS_FILE",
    cert_file: "APP_FETCH_CERT_FILE",
    key_file: "APP_FETCH_KEY_FILE",
    origins: "APP_FETCH_ORIGINS",
    proxy: "APP_FETCH_PROXY",
};

fn read(variables: &[(&str, &str)]) -> Result<Fetch, ConfigError> {
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let mut settings = Settings::load("APP_", "APP_CONFIG", variables).unwrap();
    let urls = settings.list("APP_URL").unwrap_or_default();
    let keys = IssuerKeys { urls, fetch: Fetch::read(&mut settings, NAMES), ..IssuerKeys::default() };
    keys.judge_fetch(&mut settings);
    settings.finish()?;
    Ok(keys.fetch)
}

#[test]
fn flat_settings_say_who_asks_and_which_way() {
    let fetch = read(&[
        ("APP_URL", "https://a.example"),
        ("APP_CA_FILE", "/ca"),
        ("APP_FETCH_TOKEN_FILE", "/token"),
        ("APP_FETCH_HEADERS", "X-Api-Key: hunter2, x-tenant:b"),
        ("APP_FETCH_HEADERS_FILE", "/headers"),
        ("APP_FETCH_CERT_FILE", "/cert"),
        ("APP_FETCH_KEY_FILE", "/key"),
        ("APP_FETCH_ORIGINS", "https://b.example,https://c.example"),
        ("APP_FETCH_PROXY", "http://user:hunter2@proxy"),
    ])
    .unwrap();
    assert_eq!(fetch.authorization, Some(Authorization::Bearer("/token".into())));
    let headers: Vec<_> =
        fetch.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    assert_eq!(headers, [("x-api-key", "hunter2"), ("x-tenant", "b")]);
    assert_eq!(fetch.certificate, Some(CertificateFiles { cert: "/cert".into(), key: "/key".into() }));
    assert_eq!(fetch.origins.len(), 2);
    assert!(matches!(&fetch.proxy, ProxyChoice::Through(url) if url.expose().contains("hunter2")));
    assert!(!format!("{fetch:?}").contains("hunter2"), "{fetch:?}");
    let names: Vec<_> = fetch.credentials();
    assert_eq!(
        names,
        ["APP_FETCH_TOKEN_FILE", "APP_FETCH_HEADERS", "APP_FETCH_HEADERS_FILE", "APP_FETCH_CERT_FILE"]
    );
    assert_eq!(read(&[("APP_URL", "u"), ("APP_FETCH_PROXY", "None")]).unwrap().proxy, ProxyChoice::Never);
}

#[test]
fn a_ca_file_that_no_fetch_needs_has_to_hold_certificates() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let certificate = rcgen::generate_simple_self_signed(["ca.example".to_owned()]).unwrap().cert;
    std::fs::write(path("ca.pem"), certificate.pem()).unwrap();
    std::fs::write(path("other.pem"), "-----BEGIN PRIVATE KEY-----\nhunter2\n").unwrap();
    assert!(read(&[("APP_CA_FILE", &path("ca.pem"))]).is_ok());
    for name in ["other.pem", "missing.pem"] {
        let text = read(&[("APP_CA_FILE", &path(name))]).unwrap_err().to_string();
        assert!(text.starts_with("APP_CA_FILE: ") && !text.contains("hunter2"), "{name}: {text}");
    }
}

#[test]
fn faults_name_the_setting_and_not_its_value() {
    let url = ("APP_URL", "https://a.example");
    for (variables, expected) in [
        (
            &[url, ("APP_FETCH_TOKEN_FILE", "/hunter2"), ("APP_FETCH_BASIC_FILE", "/b")][..],
            "APP_FETCH_BASIC_FILE: there is",
        ),
        (&[url, ("APP_FETCH_CERT_FILE", "/hunter2")], "APP_FETCH_KEY_FILE: missing"),
        (&[url, ("APP_FETCH_KEY_FILE", "/hunter2")], "APP_FETCH_CERT_FILE: missing"),
        (&[url, ("APP_FETCH_HEADERS", "hunter2")], "APP_FETCH_HEADERS: expected headers"),
        (&[url, ("APP_FETCH_HEADERS", "hunter 2: x")], "APP_FETCH_HEADERS: expected headers"),
        (&[url, ("APP_FETCH_HEADERS", "hunter2:")], "APP_FETCH_HEADERS: a header has no value"),
        (&[url, ("APP_FETCH_HEADERS", "x: hunter2\u{1}")], "APP_FETCH_HEADERS: a value holds"),
        (&[url, ("APP_FETCH_HEADERS", "Host: hunter2")], "APP_FETCH_HEADERS: a header of the connection"),
        (
            &[("APP_FETCH_TOKEN_FILE", "/hunter2")],
            "APP_FETCH_TOKEN_FILE: nothing is fetched with it: set APP_URL",
        ),
        (&[("APP_FETCH_ORIGINS", "hunter2")], "APP_FETCH_ORIGINS: nothing is fetched"),
        (&[("APP_FETCH_PROXY", "hunter2")], "APP_FETCH_PROXY: nothing is fetched"),
        (&[url, ("APP_FETCH_TOKENFILE", "hunter2")], "did you mean APP_FETCH_TOKEN_FILE?"),
    ] {
        let text = read(variables).unwrap_err().to_string();
        assert!(text.contains(expected) && !text.contains("hunter2"), "{expected}: {text}");
    }
}
