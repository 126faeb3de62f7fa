//! What SIGHUP takes over of a changed configuration, and what it leaves as it was.

use std::fs;
use std::path::{Path, PathBuf};

use integration_tests::key_server::Answer::{Body, Status};
use integration_tests::key_server::KeyServer;
use integration_tests::keys::{SigningKey, jwks};
use integration_tests::token::token;
use integration_tests::wait::eventually;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Server, connect, get};

/// A server whose settings stand in a file, but for what the harness needs.
struct Configured {
    server: Server,
    folder: TempDir,
}

impl Configured {
    fn start(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        fs::write(&file, settings).unwrap();
        let server = Server::start(folder.path(), &[("TOKEN_SERVER_CONFIG", file.as_os_str())]);
        let is_ready = || get(connect(server.admin), "/ready", &[]).status == 200;
        eventually("the keys are loaded", || is_ready().then_some(()));
        Self { server, folder }
    }

    /// Writes other settings, sends the signal, and gives the line of the log that says what came of it.
    fn reload(&self, settings: &str) -> Value {
        fs::write(self.folder.path().join("settings.toml"), settings).unwrap();
        self.server.signal("-HUP");
        self.server.wait_for_log(|line| {
            line["message"]
                .as_str()
                .is_some_and(|said| said.contains("configuration") && !said.contains("SIGHUP"))
        })
    }

    fn is_used(&self, settings: &str) {
        let line = self.reload(settings);
        assert_eq!(line["message"], "the new configuration is in use", "{line}");
    }

    fn is_refused(&self, settings: &str, why: &str) {
        let line = self.reload(settings);
        assert_eq!(
            line["message"], "the configuration was not reloaded; the one before stays in use",
            "{line}"
        );
        assert!(line["error"].as_str().unwrap().contains(why), "{line}");
    }

    fn verify(&self, path: &str, token: &str) -> u16 {
        get(connect(self.server.main), path, &[("authorization", &format!("Bearer {token}"))]).status
    }

    fn reloads(&self, outcome: &str) -> u64 {
        let metrics = get(connect(self.server.admin), "/metrics", &[]).body;
        let name = format!(r#"token_server_reloads_total{{outcome="{outcome}"}} "#);
        metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).expect("a count")
    }
}

fn keys(folder: &Path, name: &str) -> (SigningKey, PathBuf) {
    let (key, file) = (SigningKey::generate("ES256", name), folder.join(name));
    fs::write(&file, jwks([&key])).unwrap();
    (key, file)
}

fn settings(keys: &Path, rest: &str) -> String {
    format!(
        "[TOKEN_SERVER.JWKS]\nFILE = {:?}\n[TOKEN_SERVER.VERIFY]\nISSUERS = \"anna\"\n{rest}\n",
        keys.display()
    )
}

#[test]
fn policies_and_keys_change_by_sighup_and_a_configuration_that_cannot_be_used_changes_nothing() {
    let elsewhere = tempfile::tempdir().unwrap();
    let (key, file) = keys(elsewhere.path(), "first");
    let (other_key, other_file) = keys(elsewhere.path(), "second");
    let of = |key: &SigningKey| token(key, json!({"iss": "anna", "scope": "read"}));
    let (token, others) = (of(&key), of(&other_key));
    let admin = "[[policies]]\nname = \"admin\"\nall_scopes = [\"admin\"]";
    let reader = "[[policies]]\nname = \"admin\"\nall_scopes = [\"read\"]";

    let configured = Configured::start(&settings(&file, admin));
    assert_eq!(
        (configured.verify("/verify", &token), configured.verify("/verify/admin", &token)),
        (200, 403)
    );

    configured.is_used(&settings(&file, reader));
    assert_eq!(
        (configured.verify("/verify", &token), configured.verify("/verify/admin", &token)),
        (200, 200)
    );

    for (faulty, why) in [
        (
            settings(&file, "[TOKEN_SERVER.CACHE]\nTTL = 3\n"),
            "only a restart can change TOKEN_SERVER__CACHE__TTL",
        ),
        (settings(&file, "[[polices]]\nname = \"admin\""), "did you mean [[policies]]?"),
        (settings(&elsewhere.path().join("nowhere"), reader), "TOKEN_SERVER__JWKS__FILE"),
        ("[TOKEN_SERVER".to_owned(), "not TOML"),
    ] {
        configured.is_refused(&faulty, why);
        assert_eq!(configured.verify("/verify/admin", &token), 200, "{why}");
        assert_eq!(configured.verify("/verify/admin", &others), 401, "{why}");
    }

    configured.is_used(&settings(&other_file, reader));
    assert_eq!(configured.verify("/verify", &others), 200);
    assert_eq!(configured.verify("/verify", &token), 401, "its verdict was kept under other keys");
    assert_eq!((configured.reloads("applied"), configured.reloads("refused")), (2, 4));

    configured.is_used("");
    assert_eq!(configured.verify("/verify", &others), 404, "no issuer is trusted any more");
}

#[test]
fn keys_of_a_url_that_is_down_survive_a_reload_and_one_that_gives_none_is_no_source() {
    let keys = SigningKey::generate("ES256", "first");
    let token = token(&keys, json!({"iss": "anna"}));
    let good = KeyServer::start(Body(jwks([&keys])));
    let dead = KeyServer::start(Status(500));
    let of = |keys: &KeyServer, rest: &str| {
        let url = keys.url();
        format!("[TOKEN_SERVER.JWKS]\nURL = {url:?}\n[TOKEN_SERVER.VERIFY]\nISSUERS = \"anna\"\n{rest}\n")
    };
    let configured = Configured::start(&of(&good, ""));
    assert_eq!(configured.verify("/verify", &token), 200);
    good.set(Status(503));
    configured.is_used(&of(&good, "REALM = \"other\""));
    assert_eq!(configured.verify("/verify", &token), 200, "the last good keys stay");
    configured.is_refused(&of(&dead, ""), "no key source gives a key");
    assert_eq!(configured.verify("/verify", &token), 200);
}
