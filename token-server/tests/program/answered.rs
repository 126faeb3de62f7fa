//! What was answered as done is a rule and an entry of the audit trail, whenever the server is killed, in every store; what is not
//! done is not answered so.

mod messages;
mod polled;
mod strangers;
mod undone;

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
use integration_tests::token::now;
use integration_tests::trail::Told;

use self::messages::{Inlet, SENDERS_TOKEN, STREAM_SECRET};
use crate::harness::{Server, command, connect_socket, get};

const ISSUER: &str = "https://id.example";

/// How long a start, or what a store has to tell, may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Senders at the same time, each of messages about users of its own.
const SENDERS: usize = 3;

/// Users of one sender: each comes again and again, so that a rule takes the place of an earlier one.
const USERS: u64 = 4;

/// What was promised by an answer.
#[derive(Debug)]
struct Answered {
    user: String,
    ends: Ends,
    /// The message's name, of those that have one.
    jti: Option<String>,
}

/// Which tokens of the user end.
#[derive(Debug)]
enum Ends {
    IssuedUntil(u64),
    Token(String),
}

/// The server on a store that outlives it.
struct Place<'a> {
    folder: &'a Path,
    store: &'a [(&'a str, &'a str)],
    /// Of the configuration, besides the issuer; `FOLDER` stands for the folder.
    tables: &'a str,
}

impl Place<'_> {
    fn socket(&self) -> PathBuf {
        self.folder.join("admin.sock")
    }

    fn start(&self) -> (Server, SocketAddr) {
        let path = |name: &str| self.folder.join(name);
        let (file, senders, socket) = (path("server.toml"), path("senders"), self.socket());
        fs::write(path("keys.json"), jwks([key("ES256")])).unwrap();
        fs::write(path("push"), STREAM_SECRET).unwrap();
        fs::write(&senders, format!("{SENDERS_TOKEN} {ISSUER}\n")).unwrap();
        let issuer = format!("[[issuers]]\nissuer = '{ISSUER}'\nkeys_file = 'FOLDER/keys.json'\n\n");
        let text = (issuer + self.tables).replace("FOLDER", self.folder.to_str().unwrap());
        fs::write(&file, text).unwrap();
        let mut settings: Vec<(&str, &OsStr)> = vec![
            ("TOKEN_SERVER_CONFIG", file.as_os_str()),
            ("TOKEN_SERVER__ADMIN__SOCKET", socket.as_os_str()),
            ("TOKEN_SERVER__GLOBAL_REVOCATION__TOKENS_FILE", senders.as_os_str()),
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

/// Sends messages, one after the other, until the server is gone.
fn send(
    inlet: Inlet,
    address: SocketAddr,
    sender: usize,
    first: u64,
    tell: Sender<Answered>,
) -> JoinHandle<()> {
    let done = format!("HTTP/1.1 {}", inlet.done());
    thread::spawn(move || {
        for number in first.. {
            let (answered, request) = inlet.message(sender, number);
            match post(address, &request) {
                // The test may have seen enough.
                Some(answer) if answer.starts_with(&done) => _ = tell.send(answered).ok(),
                // It was not done, or it is not known: of that nothing is promised.
                Some(answer) => assert!(answer.starts_with("HTTP/1.1 503"), "{answer}"),
                None => return,
            }
        }
    })
}

/// The answer, as far as the server lives to give one.
fn post(address: SocketAddr, request: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.contains("\r\n\r\n").then_some(answer)
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
}

/// Kills the server under messages, at a moment that the number of answers decides, and holds what is left against the answers.
fn lose_nothing(inlet: Inlet, store: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let place = Place { folder: folder.path(), store, tables: inlet.tables() };
    let mut answered: Vec<Answered> = Vec::new();
    for round in 0..3 {
        let (server, address) = place.start();
        let (tell, told): (_, Receiver<Answered>) = channel();
        let first = round * 100;
        let senders: Vec<_> =
            (0..SENDERS).map(|sender| send(inlet, address, sender, first, tell.clone())).collect();
        drop(tell);
        let enough = 25 + 17 * usize::try_from(round).unwrap();
        answered.extend(told.iter().take(enough));
        server.kill();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        answered.extend(told.try_iter());
        assert!(answered.len() >= enough, "{} messages were answered as done", answered.len());

        let (server, _) = place.start();
        stand(&place.told(), &answered);
        server.kill();
    }
}

fn stand(told: &Told, answered: &[Answered]) {
    let mut rules: BTreeMap<&str, Vec<&serde_json::Value>> = BTreeMap::new();
    for (group, rule) in &told.rules {
        assert_eq!(rule["rule"]["iss"], ISSUER, "{rule}");
        rules.entry(group).or_default().push(&rule["rule"]);
    }
    let notes: Vec<&str> = told.entries.iter().filter_map(|entry| entry["note"].as_str()).collect();
    for Answered { user, ends, jti } in answered {
        let rules = rules.get(user.as_str()).map(Vec::as_slice).unwrap_or_default();
        let stands = match ends {
            Ends::IssuedUntil(issued) => {
                matches!(rules, [rule] if rule["iat"]["lte"].as_u64().is_some_and(|until| until >= *issued))
            }
            Ends::Token(jti) => rules.iter().any(|rule| rule["jti"] == **jti),
        };
        assert!(stands, "{user}, {ends:?}: {rules:?}");
        if let Some(jti) = jti {
            assert!(notes.contains(&format!("jti {jti}").as_str()), "the trail does not tell of {jti}");
        }
    }
}

#[test]
fn nothing_answered_is_lost_when_a_server_with_a_store_of_its_own_is_killed() {
    for inlet in Inlet::ALL {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("rules.redb");
        lose_nothing(inlet, &[("TOKEN_SERVER__STORE__PATH", store.to_str().unwrap())]);
    }
}

#[test]
fn nothing_answered_is_lost_when_a_server_on_redis_is_killed() {
    for inlet in Inlet::ALL {
        let redis = Redis::start(&[]);
        lose_nothing(inlet, &[("TOKEN_SERVER__REDIS__URLS", redis.url())]);
    }
}

// The way from an inlet to the store is one: of these stores one inlet tells as much as all.

#[test]
fn no_answered_logout_is_lost_when_a_server_on_sentinels_is_killed() {
    let group = SentinelGroup::start(&[]);
    let urls = group.urls();
    lose_nothing(
        Inlet::Logout,
        &[
            ("TOKEN_SERVER__REDIS__MODE", "sentinel"),
            ("TOKEN_SERVER__REDIS__MASTER", "rules"),
            ("TOKEN_SERVER__REDIS__URLS", &urls),
        ],
    );
}

#[test]
fn no_answered_logout_is_lost_when_a_server_on_a_cluster_is_killed() {
    let cluster = Cluster::start(&[]);
    let urls = cluster.urls();
    let store = [("TOKEN_SERVER__REDIS__MODE", "cluster"), ("TOKEN_SERVER__REDIS__URLS", urls.as_str())];
    lose_nothing(Inlet::Logout, &store);
}
