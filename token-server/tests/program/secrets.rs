//! Certificates and bearer tokens: what they guard, and how they are replaced while the server runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{Server, connect, get, output, output_of};

/// How long a change of files may take to be seen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Certificates of one authority, made by OpenSSL.
struct Authority {
    folder: PathBuf,
}

impl Authority {
    fn new(folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("a folder");
        let authority = Self { folder: folder.to_owned() };
        let subject = ["-subj", "/CN=authority", "-days", "30"];
        authority.openssl(
            &[
                &["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"][..],
                &["-keyout", "ca.key", "-out", "ca.pem"],
                &subject,
            ]
            .concat(),
        );
        authority
    }

    /// Makes `<name>.pem` and `<name>.key` for localhost.
    fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        let [cert, key, request] = ["pem", "key", "csr"].map(|kind| format!("{name}.{kind}"));
        let extensions = self.folder.join("extensions");
        fs::write(extensions, "subjectAltName=DNS:localhost,IP:127.0.0.1\n").expect("a file");
        let subject = format!("/CN={name}");
        self.openssl(&[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            &key,
            "-out",
            &request,
            "-subj",
            &subject,
        ]);
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-out",
            &cert,
            "-days",
            "30",
            "-extfile",
            "extensions",
        ]);
        (self.folder.join(cert), self.folder.join(key))
    }

    fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    fn openssl(&self, arguments: &[&str]) {
        let made =
            Command::new("openssl").args(arguments).current_dir(&self.folder).output().expect("openssl");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}

/// `rules list` over TLS: the exit code and what it said.
fn list(server: &Server, tokens: &Path, more: &[&Path]) -> (Option<i32>, String) {
    let url = format!("https://localhost:{}", server.admin.port());
    let mut arguments =
        vec!["rules", "list", "--server", &url, "--token-file", tokens.to_str().expect("UTF-8")];
    for (flag, path) in ["--ca-file", "--cert-file", "--key-file"].iter().zip(more) {
        arguments.extend([*flag, path.to_str().expect("UTF-8")]);
    }
    let done = output_of(&[], &arguments, "");
    (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
}

/// Asks until the answer is the one.
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn the_listeners_speak_tls_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(&folder.path().join("ca"));
    let (cert, key) = authority.issue("server");
    let tokens = folder.path().join("tokens");
    fs::write(&tokens, "admin-token\n").unwrap();
    let server = Server::start(
        folder.path(),
        &[
            ("TOKEN_SERVER__TLS__CERT", cert.as_os_str()),
            ("TOKEN_SERVER__TLS__KEY", key.as_os_str()),
            ("TOKEN_SERVER__ADMIN__TOKENS_FILE", tokens.as_os_str()),
        ],
    );
    assert_eq!(list(&server, &tokens, &[&authority.ca()]), (Some(0), String::new()));
    let stranger = Authority::new(&folder.path().join("stranger"));
    let (code, why) = list(&server, &tokens, &[&stranger.ca()]);
    assert_eq!(code, Some(1));
    assert!(why.contains("certificate"), "{why}");
    let plain = output_of(&[], &["rules", "list", "--server", &format!("http://{}", server.admin)], "");
    assert_eq!(plain.status.code(), Some(1));
    for port in [server.main.port(), server.admin.port()] {
        let shown = Command::new("openssl")
            .args([
                "s_client",
                "-brief",
                "-verify_return_error",
                "-connect",
                &format!("localhost:{port}"),
                "-CAfile",
            ])
            .arg(authority.ca())
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&shown.stderr).into_owned();
        assert!(shown.contains("TLSv1.3") && shown.contains("Verification: OK"), "{shown}");
    }
}

#[test]
fn a_client_without_a_certificate_of_the_authority_is_turned_away() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(&folder.path().join("ca"));
    let stranger = Authority::new(&folder.path().join("stranger"));
    let (cert, key) = authority.issue("server");
    let tokens = folder.path().join("tokens");
    fs::write(&tokens, "admin-token\n").unwrap();
    let server = Server::start(
        folder.path(),
        &[
            ("TOKEN_SERVER__TLS__CERT", cert.as_os_str()),
            ("TOKEN_SERVER__TLS__KEY", key.as_os_str()),
            ("TOKEN_SERVER__TLS__CLIENT_CA", authority.ca().as_os_str()),
            ("TOKEN_SERVER__ADMIN__TOKENS_FILE", tokens.as_os_str()),
        ],
    );
    let ca = authority.ca();
    assert_eq!(list(&server, &tokens, &[&ca]).0, Some(1));
    let (foreign_cert, foreign_key) = stranger.issue("client");
    assert_eq!(list(&server, &tokens, &[&ca, &foreign_cert, &foreign_key]).0, Some(1));
    let (own_cert, own_key) = authority.issue("client");
    assert_eq!(list(&server, &tokens, &[&ca, &own_cert, &own_key]), (Some(0), String::new()));
}

#[test]
fn a_certificate_is_replaced_without_a_restart_and_a_bad_one_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let old = Authority::new(&folder.path().join("old"));
    let new = Authority::new(&folder.path().join("new"));
    let used = folder.path().join("used");
    fs::create_dir(&used).unwrap();
    let (cert, key) = (used.join("cert.pem"), used.join("key.pem"));
    let install = |from: &(PathBuf, PathBuf)| {
        fs::copy(&from.0, &cert).unwrap();
        fs::copy(&from.1, &key).unwrap();
    };
    install(&old.issue("server"));
    let tokens = folder.path().join("tokens");
    fs::write(&tokens, "admin-token\n").unwrap();
    let server = Server::start(
        folder.path(),
        &[
            ("TOKEN_SERVER__TLS__CERT", cert.as_os_str()),
            ("TOKEN_SERVER__TLS__KEY", key.as_os_str()),
            ("TOKEN_SERVER__ADMIN__TOKENS_FILE", tokens.as_os_str()),
        ],
    );
    assert_eq!(list(&server, &tokens, &[&old.ca()]).0, Some(0));
    fs::write(&cert, "no certificate").unwrap();
    let kept = "files cannot be used; what they said before stays valid";
    server.wait_for_log(|line| line["message"] == kept && line["setting"] == "TOKEN_SERVER__TLS__CERT");
    assert_eq!(list(&server, &tokens, &[&old.ca()]).0, Some(0));
    install(&new.issue("server"));
    eventually("the new certificate is used", || list(&server, &tokens, &[&new.ca()]).0 == Some(0));
    assert_eq!(list(&server, &tokens, &[&old.ca()]).0, Some(1));
}

#[test]
fn bearer_tokens_are_replaced_by_sighup_or_by_a_change_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let used = folder.path().join("used");
    fs::create_dir(&used).unwrap();
    let tokens = used.join("tokens");
    fs::write(&tokens, "first\n").unwrap();
    let server = Server::start(folder.path(), &[("TOKEN_SERVER__ADMIN__TOKENS_FILE", tokens.as_os_str())]);
    let status = |token: &str| {
        let authorization = format!("Bearer {token}");
        get(connect(server.admin), "/v1/rules", &[("authorization", &authorization)]).status
    };
    assert_eq!((status("first"), status("second")), (200, 401));

    // As configuration management does it: another file under the same name.
    let next = used.join("next");
    fs::write(&next, "first\nsecond\n").unwrap();
    fs::rename(&next, &tokens).unwrap();
    eventually("the second token is known", || status("second") == 200);
    assert_eq!(status("first"), 200, "both are valid while callers change over");

    fs::write(&tokens, "# none\n").unwrap();
    let kept = "files cannot be used; what they said before stays valid";
    server.wait_for_log(|line| {
        line["message"] == kept
            && line["why"] == "the file holds no token; write `name role token` on each line"
    });
    server.signal("-HUP");
    server.wait_for_log(|line| line["message"] == "SIGHUP: reading the configuration and its files again");
    assert_eq!(status("second"), 200);
    fs::write(&tokens, "second\n").unwrap();
    server.signal("-HUP");
    eventually("the first token is forgotten", || status("first") == 401);
    assert_eq!(status("second"), 200);
}

#[test]
fn files_that_cannot_be_used_end_the_start_without_their_content() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(&folder.path().join("ca"));
    let (cert, key) = authority.issue("server");
    let (other, _) = authority.issue("other");
    for (cert, key, why) in [
        (&cert, &cert, "TOKEN_SERVER__TLS__KEY: expected a file with a PEM private key"),
        (&key, &key, "TOKEN_SERVER__TLS__CERT: the file holds no PEM certificate"),
        (
            &other,
            &key,
            "TOKEN_SERVER__TLS__KEY: is not the key of the first certificate in TOKEN_SERVER__TLS__CERT",
        ),
    ] {
        let settings =
            [("TOKEN_SERVER__TLS__CERT", cert.as_os_str()), ("TOKEN_SERVER__TLS__KEY", key.as_os_str())];
        let checked = output(&settings, &["--check"]);
        assert_eq!(checked.status.code(), Some(64));
        let told = String::from_utf8(checked.stderr).unwrap();
        assert!(told.contains(why), "{told}");
    }
}
