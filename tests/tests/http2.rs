//! The token-server over TLS, asked by curl in each version of HTTP.

use std::path::Path;
use std::process::Command;

use integration_tests::keys::{jwks, key};
use integration_tests::proxy::Proxy;
use integration_tests::socket::Address;
use integration_tests::token::token;
use integration_tests::token_server::TokenServer;
use serde_json::json;
use tempfile::TempDir;

/// The version that was spoken, and the whole answer without what differs between versions and moments.
fn curl(folder: &Path, address: &Address, path: &str, arguments: &[&str]) -> (String, String) {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--include", "--write-out", "\n%{http_code} %{http_version}"])
        .arg("--cacert")
        .arg(folder.join("token-server.pem"))
        .args(arguments)
        .arg(format!("https://{address}{path}"));
    let output = curl.output().unwrap();
    assert!(output.status.success(), "{curl:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (answer, version) = text.rsplit_once(' ').unwrap();
    // The reason stands in the first line of HTTP/1.1 alone; HTTP/2 frames what HTTP/1.1 counts.
    let lines = answer.lines().skip(1);
    let lines = lines.filter(|line| !line.starts_with("date:") && !line.starts_with("content-length:"));
    (version.to_owned(), lines.collect::<Vec<_>>().join("\n"))
}

#[test]
fn every_route_answers_the_same_over_http2_and_http1() {
    let folder = TempDir::new().unwrap();
    let keys = folder.path().join("keys.json");
    std::fs::write(&keys, jwks([key("ES256")])).unwrap();
    let own = Proxy::TraefikHttp2.token_server_settings(folder.path());
    let mut settings = vec![
        ("TOKEN_SERVER__JWKS__FILE", keys.to_str().unwrap()),
        // The form of old callers is off in this profile unless it is asked for.
        ("TOKEN_SERVER__COMPAT__ENABLED", "true"),
    ];
    settings.extend(own.iter().map(|(name, value)| (*name, value.as_str())));
    let server = TokenServer::start_with(folder.path(), "standard", &settings);

    let good = format!("Authorization: Bearer {}", token(key("ES256"), json!({})));
    let check = r#"{"profile":"standard","checks":[{"token":"a.b.c.d.e"}]}"#;
    // More than an HTTP/2 client may send before it has been read.
    let body = folder.path().join("body");
    std::fs::write(&body, "x".repeat(1024 * 1024)).unwrap();
    let body = format!("@{}", body.display());
    for (address, path, arguments) in [
        (&server.address, "/health", &[][..]),
        (&server.address, "/verify", &[]),
        (&server.address, "/verify", &["--header", &good]),
        (&server.address, "/verify/none", &["--header", &good]),
        (&server.address, "/v1/check", &["--data", check]),
        (&server.address, "/v1/check", &["--data-binary", &body]),
        (&server.address, "/", &["--data", "a.b.c"]),
        (&server.address, "/none", &[]),
        (&server.admin, "/ready", &[]),
        (&server.admin, "/openapi.json", &[]),
        (&server.admin, "/v1/rules", &[]),
    ] {
        let ask = |version: &str| {
            curl(folder.path(), address, path, &[arguments, &[version, "--header", "Expect:"]].concat())
        };
        let (version, answer) = ask("--http2");
        assert_eq!(version, "2", "{path}");
        for other in ["--http1.1", "--no-alpn"] {
            let (version, other_answer) = ask(other);
            assert_eq!((version.as_str(), other_answer), ("1.1", answer.clone()), "{path} {other}");
        }
    }
}
