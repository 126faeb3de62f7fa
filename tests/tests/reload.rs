//! SIGHUP: the agent reads its configuration again, puts all of it in use or nothing of it, and goes on answering.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use integration_tests::edge::Edge;
use integration_tests::http::Request;
use integration_tests::key_server::{Answer, KeyServer};
use integration_tests::keys::{jwks, key};
use integration_tests::process::Signal;
use integration_tests::setup::Setup;
use integration_tests::token::token;
use integration_tests::wait::eventually;
use serde_json::json;
use tempfile::TempDir;

/// An edge whose agent has its settings from a file.
struct Configured {
    edge: Edge,
    folder: TempDir,
}

impl Configured {
    fn start(settings: impl Fn(&TempDir) -> String) -> Self {
        let folder = TempDir::with_prefix("reload-").unwrap();
        fs::write(folder.path().join("keys.json"), jwks([key("ES256")])).unwrap();
        fs::write(folder.path().join("more.json"), jwks([key("RS256"), key("EdDSA")])).unwrap();
        let file = folder.path().join("agent.toml");
        fs::write(&file, settings(&folder)).unwrap();
        let setup = Setup::denying().no_key_file().agent_env("JWT_CONFIG", &file.display().to_string());
        let edge = setup.start();
        edge.agents[0].wait_ready();
        Self { edge, folder }
    }

    fn keys(folder: &TempDir, name: &str, audience: &str) -> String {
        let file = folder.path().join(name);
        format!("JWT_JWKS_FILE = \"{}\"\nJWT_AUDIENCES = [\"{audience}\"]\n", file.display())
    }

    /// Writes the settings and waits until the agent has read them; tells what became of them.
    fn reload(&self, settings: &str) -> &'static str {
        let counts = || {
            ["applied", "refused"]
                .map(|outcome| self.edge.count(&format!("jwt_agent_reloads_total{{outcome=\"{outcome}\"}}")))
        };
        let before = counts();
        fs::write(self.folder.path().join("agent.toml"), settings).unwrap();
        self.edge.agents[0].process.signal(Signal::HUP);
        eventually("the agent has reloaded", || match counts() {
            [applied, _] if applied > before[0] => Some("applied"),
            [_, refused] if refused > before[1] => Some("refused"),
            _ => None,
        })
    }
}

fn get(algorithm: &str, audience: &str) -> Request {
    Request::get("/").bearer(&token(key(algorithm), json!({"aud": audience})))
}

#[test]
fn a_new_policy_holds_for_tokens_that_were_decided_by_the_old_one() {
    let here = Configured::start(|folder| Configured::keys(folder, "keys.json", "shop"));
    let (shop, bank) = (get("ES256", "shop"), get("ES256", "bank"));
    here.edge.comes_to("the shop's token passes", 200, &shop);
    here.edge.refuses("the bank's token", 401, &bank);
    here.edge.admits("the shop's token, by its kept verdict", &shop);
    assert!(here.edge.count("jwt_agent_cache_hits_total") > 0);

    assert_eq!(here.reload(&Configured::keys(&here.folder, "keys.json", "bank")), "applied");
    here.edge.refuses("the shop's token, after the reload", 401, &shop);
    here.edge.admits("the bank's token, after the reload", &bank);
    assert!(here.edge.agents[0].is_ready());
}

#[test]
fn another_key_file_is_read_and_the_keys_of_the_one_before_are_forgotten() {
    let here = Configured::start(|folder| Configured::keys(folder, "keys.json", "shop"));
    let (old, new) = (get("ES256", "shop"), get("EdDSA", "shop"));
    here.edge.comes_to("the old key's token passes", 200, &old);
    here.edge.refuses("the new key's token", 401, &new);

    assert_eq!(here.reload(&Configured::keys(&here.folder, "more.json", "shop")), "applied");
    here.edge.admits("the new key's token, after the reload", &new);
    here.edge.refuses("the old key's token, after the reload", 401, &old);
    let metrics = String::from_utf8(here.edge.agents[0].admin("/metrics").body).unwrap();
    assert!(metrics.contains("more.json") && !metrics.contains("keys.json"), "{metrics}");
    // The new file is watched like the old one.
    let fresh = here.folder.path().join("fresh.json");
    fs::write(&fresh, jwks([key("ES256")])).unwrap();
    fs::rename(&fresh, here.folder.path().join("more.json")).unwrap();
    here.edge.comes_to("the changed file's key", 200, &old);
}

#[test]
fn what_cannot_be_used_changes_nothing_and_is_told() {
    let here = Configured::start(|folder| Configured::keys(folder, "keys.json", "shop"));
    let (shop, bank) = (get("ES256", "shop"), get("ES256", "bank"));
    here.edge.comes_to("the shop's token passes", 200, &shop);
    let bank_settings = Configured::keys(&here.folder, "keys.json", "bank");
    for (what, settings, told) in [
        ("no TOML", "JWT_AUDIENCES = [".to_owned(), "the file is not TOML"),
        ("no keys", "JWT_AUDIENCES = [\"bank\"]".to_owned(), "JWT_JWKS_FILE: no key source"),
        ("a typo", format!("{bank_settings}JWT_LEEWAI = 5\n"), "did you mean JWT_LEEWAY?"),
        ("a file that is not there", Configured::keys(&here.folder, "gone.json", "bank"), "gone.json"),
        ("another profile", format!("{bank_settings}JWT_PROFILE = \"ms-users\"\n"), "JWT_PROFILE"),
        (
            "a token-server",
            format!("{bank_settings}JWT_TOKEN_SERVER_BACKEND = \"http://127.0.0.1:1\"\n"),
            "only a restart can change JWT_TOKEN_SERVER_BACKEND",
        ),
    ] {
        assert_eq!(here.reload(&settings), "refused", "{what}");
        eventually(told, || {
            let lines = here.edge.agents[0].process.lines();
            lines.iter().any(|line| line.contains("was not reloaded") && line.contains(told)).then_some(())
        });
        here.edge.admits(what, &shop);
        here.edge.refuses(what, 401, &bank);
        assert!(here.edge.agents[0].is_ready(), "{what}");
    }
    assert_eq!(here.reload(&bank_settings), "applied");
    here.edge.admits("the bank's token, when the file was mended", &bank);
}

#[test]
fn a_key_server_that_is_down_does_not_hold_up_a_new_policy_and_its_keys_stay() {
    let server = KeyServer::start(Answer::Body(jwks([key("ES256")])));
    let settings =
        |url: &str, audience: &str| format!("JWT_JWKS_URL = \"{url}\"\nJWT_AUDIENCES = [\"{audience}\"]\n");
    let here = Configured::start(|_| settings(&server.url(), "shop"));
    let bank = get("ES256", "bank");
    here.edge.comes_to("the shop's token passes", 200, &get("ES256", "shop"));
    server.set(Answer::Status(500));
    assert_eq!(here.reload(&settings(&server.url(), "bank")), "applied");
    here.edge.admits("a token of the keys from before", &bank);
    assert!(here.edge.agents[0].is_ready());

    // Of a URL that never gave a key nothing is known: with it alone every token would be refused.
    let stranger = KeyServer::start(Answer::Status(500));
    assert_eq!(here.reload(&settings(&stranger.url(), "bank")), "refused");
    here.edge.admits("the same token", &bank);
    assert!(here.edge.agents[0].is_ready());
}

#[test]
fn reloads_fail_no_request() {
    let here = Configured::start(|folder| Configured::keys(folder, "keys.json", "shop"));
    let shop = get("ES256", "shop");
    here.edge.comes_to("the shop's token passes", 200, &shop);
    let settings = Configured::keys(&here.folder, "keys.json", "shop");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let response = here.edge.send(&shop);
                assert_eq!(response.status, 200, "{response}");
            }
        });
        let outcomes: Vec<_> =
            (0..5).take_while(|_| !asking.is_finished()).map(|_| here.reload(&settings)).collect();
        done.store(true, Ordering::Relaxed);
        asking.join().unwrap();
        assert_eq!(outcomes, ["applied"; 5]);
    });
}
