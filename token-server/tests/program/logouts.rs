//! A logout that was answered with 200 is a rule and an entry of the audit trail, whenever the server is killed, in every store.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use integration_tests::keys::{jwks, key};
use integration_tests::stores::{Cluster, Redis, SentinelGroup};
use integration_tests::token::{now, sign_raw};
use integration_tests::trail::Told;
use serde_json::json;

use crate::harness::{Server, command, connect_socket, get};

const ISSUER: &str = "https://id.example";

/// How long a start, or what a store has to tell, may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Providers that tell of logouts at the same time, each of users of its own.
const SENDERS: usize = 3;

/// Users of one sender: each logs out again and again, so that a rule takes the place of an earlier one.
const USERS: u64 = 4;

/// A logout that was answered with 200.
#[derive(Debug)]
struct Answered {
    user: String,
    issued: u64,
    jti: String,
}

/// The server on a store that outlives it.
struct Place<'a> {
    folder: &'a Path,
    store: &'a [(&'a str, &'a str)],
}

impl Place<'_> {
    fn socket(&self) -> PathBuf {
        self.folder.join("admin.sock")
    }

    fn start(&self) -> (Server, SocketAddr) {
        let (file, keys, socket) =
            (self.folder.join("server.toml"), self.folder.join("keys.json"), self.socket());
        fs::write(&keys, jwks([key("ES256")])).unwrap();
        let text = format!(
            "[[issuers]]\nissuer = \"{ISSUER}\"\nkeys_file = \"{}\"\n\n[[signals]]\nissuer = \"{ISSUER}\"\naudiences = [\"app\"]\n",
            keys.display()
        );
        fs::write(&file, text).unwrap();
        let mut settings: Vec<(&str, &OsStr)> = vec![
            ("TOKEN_SERVER_CONFIG", file.as_os_str()),
            ("TOKEN_SERVER__ADMIN__SOCKET", socket.as_os_str()),
            ("TOKEN_SERVER__SIGNALS__LISTEN", "127.0.0.1:0".as_ref()),
            ("TOKEN_SERVER__SIGNALS__RATE", "10000".as_ref()),
        ];
        settings.extend(self.store.iter().map(|(name, value)| (*name, OsStr::new(*value))));
        let server = Server::start_as(command(&settings));
        let line = server.log_line(|line| line["message"] == "listening" && line["listener"] == "signals");
        let address = line["address"].as_str().unwrap().parse().unwrap();
        integration_tests::wait::poll(PATIENCE, || {
            (get(connect_socket(&socket), "/ready", &[]).status == 200).then_some(())
        })
        .unwrap();
        (server, address)
    }

    /// All entries of the trail and all rules, which agree with each other.
    fn told(&self) -> Told {
        let get = |path: &str| get(connect_socket(&self.socket()), path, &[]).json();
        let (told, disagreements) = Told::settled(get, now(), |_| true);
        assert_eq!(disagreements, Vec::<String>::new());
        told
    }
}

/// Sends logouts, one after the other, until the server is gone.
fn send_logouts(address: SocketAddr, sender: usize, first: u64, tell: Sender<Answered>) -> JoinHandle<()> {
    thread::spawn(move || {
        for number in first.. {
            // Each logout of a user is a second later than the one before, and none is in the future.
            let (user, issued) = (format!("user-{sender}-{}", number % USERS), now() - 290 + number / USERS);
            let jti = format!("logout-{sender}-{number}");
            let claims = json!({
                "iss": ISSUER, "aud": "app", "iat": issued, "exp": issued + 3_600, "jti": jti, "sub": user,
                "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            });
            let header = json!({"alg": "ES256", "kid": key("ES256").kid, "typ": "logout+jwt"});
            let token = sign_raw(key("ES256"), &header.to_string(), &claims.to_string());
            match post(address, &token) {
                // The test may have seen enough.
                Some(answer) if answer.starts_with("HTTP/1.1 200") => {
                    tell.send(Answered { user, issued, jti }).ok();
                }
                // It was not done, or it is not known: of that nothing is promised.
                Some(answer) => assert!(answer.starts_with("HTTP/1.1 503"), "{answer}"),
                None => return,
            }
        }
    })
}

/// The answer, as far as the server lives to give one.
fn post(address: SocketAddr, token: &str) -> Option<String> {
    let body = format!("logout_token={token}");
    let request = format!(
        "POST /backchannel-logout HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.contains("\r\n\r\n").then_some(answer)
}

/// Kills the server under logouts, at a moment that the number of answers decides, and holds what is left against the answers.
fn lose_nothing(store: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let place = Place { folder: folder.path(), store };
    let mut answered: Vec<Answered> = Vec::new();
    for round in 0..3 {
        let (server, address) = place.start();
        let (tell, told): (_, Receiver<Answered>) = channel();
        let first = round * 100;
        let senders: Vec<_> =
            (0..SENDERS).map(|sender| send_logouts(address, sender, first, tell.clone())).collect();
        drop(tell);
        let enough = 25 + 17 * usize::try_from(round).unwrap();
        answered.extend(told.iter().take(enough));
        server.kill();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        answered.extend(told.try_iter());
        assert!(answered.len() >= enough, "{} logouts were answered with 200", answered.len());

        let (server, _) = place.start();
        stand(&place.told(), &answered);
        server.kill();
    }
}

fn stand(told: &Told, answered: &[Answered]) {
    let mut rules: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (group, rule) in &told.rules {
        assert_eq!(rule["rule"]["iss"], ISSUER, "{rule}");
        rules.entry(group).or_default().push(rule["rule"]["iat"]["lte"].as_u64().unwrap());
    }
    let notes: Vec<&str> = told.entries.iter().filter_map(|entry| entry["note"].as_str()).collect();
    for Answered { user, issued, jti } in answered {
        let until = rules.get(user.as_str()).map(Vec::as_slice).unwrap_or_default();
        assert!(matches!(until, [until] if until >= issued), "{jti} of {user} at {issued}: {until:?}");
        assert!(notes.contains(&format!("jti {jti}").as_str()), "the trail does not tell of {jti}");
    }
}

#[test]
fn no_answered_logout_is_lost_when_a_server_with_a_store_of_its_own_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rules.redb");
    lose_nothing(&[("TOKEN_SERVER__STORE__PATH", store.to_str().unwrap())]);
}

#[test]
fn no_answered_logout_is_lost_when_a_server_on_redis_is_killed() {
    let redis = Redis::start(&[]);
    lose_nothing(&[("TOKEN_SERVER__REDIS__URLS", redis.url())]);
}

#[test]
fn no_answered_logout_is_lost_when_a_server_on_sentinels_is_killed() {
    let group = SentinelGroup::start(&[]);
    let urls = group.urls();
    lose_nothing(&[
        ("TOKEN_SERVER__REDIS__MODE", "sentinel"),
        ("TOKEN_SERVER__REDIS__MASTER", "rules"),
        ("TOKEN_SERVER__REDIS__URLS", &urls),
    ]);
}

#[test]
fn no_answered_logout_is_lost_when_a_server_on_a_cluster_is_killed() {
    let cluster = Cluster::start(&[]);
    let urls = cluster.urls();
    lose_nothing(&[("TOKEN_SERVER__REDIS__MODE", "cluster"), ("TOKEN_SERVER__REDIS__URLS", &urls)]);
}
