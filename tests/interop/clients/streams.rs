//! Answers that stay open, by clients that others wrote, through the files that end them with their token: WebSockets (`ws`, Node,
//! Chromium), event streams (`eventsource`, Chromium), downloads (curl, Chromium), subscriptions of the Model Context Protocol, and
//! ten event streams of one HTTP/2 connection. What a client sees of the end, and how it comes back.

use std::fs;
use std::path::Path;
use std::process::Command;

use integration_tests::chromium::Profile;
use integration_tests::edge::Edge;
use integration_tests::haproxy::{Shipped, version_of};
use integration_tests::keys::key;
use integration_tests::port::free_port;
use integration_tests::process::{Process, Signal};
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::token::{now, token};
use integration_tests::wait::{DEADLINE, poll};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::peers::{every_haproxy, listening, node};

const BIND: &str = "    bind \"${EDGE_BIND}\"\n";
/// The listener of clients that know no unix sockets.
const BOTH: &str = "    bind \"${EDGE_BIND}\"\n    bind \"${TCP_BIND}\"\n";

/// Tokens of before this many seconds, which a rule may end without those of now.
const EARLIER: u64 = 120;
/// Seconds that a token lives which is to end while its answer is open: the next one where a busy machine has opened it too late.
const LIVES: [u64; 3] = [5, 15, 25];
/// Seconds that agents grant beyond a token's end.
const LEEWAY: u64 = 1;

/// A client, and what it is to tell.
#[derive(Debug, Clone)]
struct Kind {
    name: &'static str,
    /// How it learns of the end.
    end: Value,
    /// What it gets with the same token then.
    again: Value,
    /// What it gets with another one.
    other: Value,
}

impl Kind {
    fn new(name: &'static str, end: Value, again: Value) -> Self {
        Self { name, end, again, other: json!("open") }
    }

    /// Holds what a client has told against what it was to tell; in which its end is not before this time.
    fn judge(&self, haproxy: &str, mut told: Vec<Value>, earliest_ms: u64) {
        let at = told.get_mut(1).and_then(|end| end.as_object_mut()?.remove("at")?.as_u64());
        let expected = [
            json!({"open": true}),
            json!({ "end": self.end }),
            json!({ "again": self.again }),
            json!({ "other": self.other }),
        ];
        assert_eq!(told, expected, "{}, {haproxy}", self.name);
        assert!(at >= Some(earliest_ms), "{}, {haproxy}: {at:?} is before {earliest_ms}", self.name);
    }
}

/// The clients of [`stream_client.mjs`], and Chromium.
fn kinds(haproxy: &str) -> Vec<Kind> {
    // Before 3.0 HAProxy ends the answer of a stream of HTTP/2 as if it were whole.
    let http2 = if version_of(haproxy) < (3, 0) { json!({"exit": 0}) } else { json!({"exit": 92}) };
    let cut = json!({"code": 1006, "wasClean": false});
    let page = json!({
        "webSocket": cut,
        "events": { "state": "connecting", "again": "closed" },
        "download": { "error": "TypeError" },
    });
    let refused = json!({"webSocket": 1006, "events": "closed", "download": 401});
    let open = json!({"webSocket": "open", "events": "open", "download": "open"});
    vec![
        Kind::new("ws", json!({"code": 1006}), json!(401)),
        Kind::new("node", cut, json!(1006)),
        Kind::new("eventsource", json!({"message": "TypeError: terminated: other side closed"}), json!(401)),
        Kind::new("chunked", json!({"exit": 18}), json!(401)),
        Kind::new("length", json!({"exit": 18}), json!(401)),
        Kind::new("http2", http2, json!(401)),
        Kind::new("http2length", json!({"exit": 92}), json!(401)),
        Kind { other: open, ..Kind::new("chromium", page, refused) },
    ]
}

/// A client at work.
struct Client<'a> {
    process: Process,
    /// A browser's page tells the application, and names itself; its profile goes with it.
    page: Option<(&'a Process, String, Profile)>,
}

impl Client<'_> {
    /// The steps that it has told.
    fn told(&self) -> Vec<Value> {
        let steps = |process: &Process| -> Vec<Value> {
            process.lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
        };
        match &self.page {
            None => steps(&self.process),
            Some((application, name, _)) => {
                let all = steps(application).into_iter();
                all.filter_map(|mut step| Some(step.get_mut(name)?.take())).collect()
            }
        }
    }

    /// Waits until it has told one of these steps.
    fn tells(&self, names: &[&str]) -> Vec<Value> {
        let has = |told: &[Value]| told.iter().any(|step| names.iter().any(|name| step.get(name).is_some()));
        poll(DEADLINE, || Some(self.told()).filter(|told| has(told))).unwrap_or_else(|| {
            let (name, log) = (self.process.name(), self.process.log());
            panic!("{name} has told none of {names:?}, but {:?}\n{log}", self.told())
        })
    }
}

impl Drop for Client<'_> {
    fn drop(&mut self) {
        if let Some((_, _, profile)) = &self.page {
            // Other processes of a browser write into its profile until they end, which is after it.
            self.process.signal(Signal::TERM);
            let _removed_otherwise =
                poll(DEADLINE, || (!is_named_by_a_process(profile.path())).then_some(()));
        }
    }
}

/// Whether a path stands in the command line of a process that runs.
fn is_named_by_a_process(path: &Path) -> bool {
    let path = path.to_str().unwrap();
    let mut processes = fs::read_dir("/proc").unwrap().map_while(Result::ok);
    processes.any(|process| {
        fs::read_to_string(process.path().join("cmdline")).is_ok_and(|line| line.contains(path))
    })
}

/// HAProxy, an agent that ends streams, a token-server, and an application whose answers stay open.
struct Place {
    edge: Edge,
    application: Process,
    url: String,
}

impl Place {
    fn start(haproxy: &str, setup: Setup, application: Command) -> Self {
        let [front, behind] = [(); 2].map(|()| free_port().unwrap());
        let application = listening("the application", application, behind);
        let behind = Address::Tcp(([127, 0, 0, 1], behind).into());
        let origin = format!("http://127.0.0.1:{front}");
        let edge = setup
            .haproxy(haproxy)
            .token_server()
            .ends_streams()
            .agent_env("JWT_LEEWAY", &LEEWAY.to_string())
            .change(BIND, BOTH)
            .haproxy_env("TCP_BIND", &format!("127.0.0.1:{front}"))
            .haproxy_env("SITE_ORIGIN", &origin)
            .server("APP_SERVER", &behind)
            .server("MCP_SERVER", &behind)
            .start();
        Self { edge, application, url: format!("{origin}/") }
    }

    /// `haproxy-streams.cfg`, for tokens in cookies and among subprotocols besides.
    fn of_streams(haproxy: &str) -> Self {
        Self::start(haproxy, Setup::new(Shipped::Streams).edit(with_recipes), node("stream_server.mjs"))
    }

    fn client(&self, kind: &Kind, user: &str, [token, another]: [String; 2]) -> Client<'_> {
        let (mut command, page) = match kind.name {
            "mcp" => {
                let mut command = node("mcp_listener.mjs");
                command.args([format!("{}mcp", self.url), token, another]);
                (command, None)
            }
            "chromium" => {
                let (profile, mut command) = (Profile::create(), Command::new("chromium"));
                profile.dress(&mut command);
                command.arg(format!("{}public/page#{user},{token},{another}", self.url));
                (command, Some((&self.application, user.to_owned(), profile)))
            }
            name => {
                let mut command = node("stream_client.mjs");
                command.args([name, &self.url, &token, &another]);
                (command, None)
            }
        };
        command.env("NO_COLOR", "1");
        Client { process: Process::start(kind.name, command).unwrap(), page }
    }

    /// What each client tells when a rule ends its token.
    fn judge_rule(&self, haproxy: &str, kinds: &[Kind], claims: &Value) {
        let clients: Vec<_> =
            kinds.iter().map(|kind| (kind, self.client(kind, "ann", tokens("ann", claims)))).collect();
        for (_, client) in &clients {
            client.tells(&["open"]);
        }
        let earliest = now() * 1000;
        self.edge.token_server.as_ref().unwrap().revoke_by_command("ann", "1m ago");
        for (kind, client) in clients {
            kind.judge(haproxy, client.tells(&["other"]), earliest);
        }
    }

    /// The same when its token's time is over.
    fn judge_expiry(&self, haproxy: &str, kinds: &[Kind], claims: &Value) {
        let mut left = kinds.to_vec();
        for life in LIVES {
            let exp = now() + life;
            let start = |kind: Kind| {
                let mut ending = claims.clone();
                ending["exp"] = json!(exp);
                let ([ends, _], [_, another]) = (tokens("bob", &ending), tokens("bob", claims));
                let client = self.client(&kind, &format!("bob{life}"), [ends, another]);
                (kind, client)
            };
            let clients: Vec<_> = left.drain(..).map(start).collect();
            for (kind, client) in clients {
                let told = client.tells(&["other", "refused"]);
                if told.iter().any(|step| step.get("refused").is_some()) {
                    left.push(kind);
                } else {
                    kind.judge(haproxy, told, (exp + LEEWAY) * 1000);
                }
            }
        }
        assert!(left.is_empty(), "{haproxy}: not open within {LIVES:?} seconds: {left:?}\n{}", self.log());
    }

    fn log(&self) -> String {
        format!("{}\n{}", self.edge.haproxy.process.log(), self.application.log())
    }
}

/// A user's token of before, and one of now.
fn tokens(user: &str, claims: &Value) -> [String; 2] {
    [now() - EARLIER, now()].map(|iat| {
        let mut claims = claims.clone();
        claims["sub"] = json!(user);
        claims["iat"] = json!(iat);
        token(key("ES256"), claims)
    })
}

/// What haproxy/README.md says of tokens in cookies and among subprotocols: lines of the recipes around the question.
fn with_recipes(text: &str, _: &Path) -> String {
    const OPEN: &str = "    # Answers that may stay open";
    const AGAIN: &str = "    # The connection to the agent ended";
    let (mut above, mut below) = (String::new(), String::new());
    for recipe in [Shipped::Cookie, Shipped::WebSocket] {
        let recipe = fs::read_to_string(recipe.path()).unwrap();
        let (_, own) = recipe.split_once("req.fhdr(host) -m len 0 }\n").unwrap();
        let (before, own) = own.split_once("    http-request send-spoe-group jwt-places jwt\n").unwrap();
        let (after, rest) = own.split_once(AGAIN).unwrap();
        above += before;
        below += after;
        let answer =
            rest.lines().filter(|line| line.starts_with("    http-response set-header sec-websocket"));
        below.extend(answer.map(|line| format!("{line}\n")));
    }
    for piece in [OPEN, AGAIN] {
        assert_eq!(text.matches(piece).count(), 1, "{piece}");
    }
    text.replace(OPEN, &format!("{above}{OPEN}"))
        .replace(AGAIN, &format!("{below}{AGAIN}"))
        .replace("engine jwt-group ", "engine jwt-places ")
        .replace("send-spoe-group jwt-group ", "send-spoe-group jwt-places ")
}

#[test]
fn a_rule_ends_what_is_open_and_a_new_token_opens_it_again_before_each_haproxy() {
    for haproxy in every_haproxy() {
        Place::of_streams(haproxy).judge_rule(haproxy, &kinds(haproxy), &json!({}));
    }
}

#[test]
fn what_is_open_ends_with_its_token_and_not_before_on_each_haproxy() {
    for haproxy in every_haproxy() {
        Place::of_streams(haproxy).judge_expiry(haproxy, &kinds(haproxy), &json!({}));
    }
}

#[test]
fn of_ten_streams_on_one_connection_those_of_the_revoked_token_end_and_no_other_before_each_haproxy() {
    for haproxy in every_haproxy() {
        let place = Place::of_streams(haproxy);
        let mut command = node("stream_neighbours.mjs");
        command.arg(&place.url);
        command.args(["ann", "bob", "carol"].map(|user| {
            let [token, _] = tokens(user, &json!({}));
            token
        }));
        let client = Client { process: Process::start("ten streams", command).unwrap(), page: None };
        client.tells(&["open"]);
        place.edge.token_server.as_ref().unwrap().revoke_by_command("bob", "1m ago");
        let mut told = client.tells(&["alive"]);
        let alive = told.pop().unwrap();
        assert_eq!(alive, json!({"alive": [0, 2, 3, 5, 6, 8, 9]}), "{haproxy}: {told:?}\n{}", place.log());
        let mut ended: Vec<u64> = told.iter().filter_map(|step| step.get("ended")?.as_u64()).collect();
        ended.sort_unstable();
        assert_eq!(ended, [1, 4, 7], "{haproxy}: {told:?}\n{}", place.log());
        assert!(told.iter().all(|step| step.get("session").is_none()), "{haproxy}: {told:?}");
    }
}

/// The policy of a call that subscribes.
const CALLS: &str = r#"
[[policies]]
name = "mcp-all"
any_scope = ["read"]

[[mcp]]
policy = "mcp"
use = "mcp-all"
methods = ["server/discover", "tools/list", "subscriptions/listen"]
"#;

#[test]
fn a_subscription_to_an_mcp_server_ends_with_its_token_before_each_haproxy() {
    let kinds = [Kind::new("mcp", json!("remote"), json!(401))];
    let claims = json!({"scope": "read"});
    for haproxy in every_haproxy() {
        let folder = TempDir::with_prefix("mcp-").unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let setup = Setup::new(Shipped::Mcp)
            .edit(ending_streams)
            .agent_env("JWT_CONFIG", &file("agent.toml", CALLS))
            .haproxy_env("MCP_METADATA", &file("metadata.json", "{}"))
            .haproxy_env("MCP_ORIGINS", &file("origins.lst", ""));
        let place = Place::start(haproxy, setup, node("mcp_server.mjs"));
        place.judge_rule(haproxy, &kinds, &claims);
        place.judge_expiry(haproxy, &kinds, &claims);
    }
}

/// What haproxy/README.md says of any file whose rules ask: the engine, the two lines, the socket.
fn ending_streams(text: &str, _: &Path) -> String {
    let ask = "    http-request send-spoe-group jwt-mcp jwt\n";
    let socket = "    stats socket \"${STATS_SOCKET}\" mode 600 level operator\n";
    for piece in [ask, socket, "engine jwt-mcp "] {
        assert_eq!(text.matches(piece).count(), 1, "{piece}");
    }
    let named = "    http-request set-var-fmt(txn.tkn_stream) \"%rt\"\n    http-request set-var-fmt(txn.tkn_process) \"%pid\"\n";
    let agents = "    stats socket \"${JWT_EDGE_SOCKETS}\" mode 660 level admin\n";
    text.replace(ask, &format!("{named}    http-request send-spoe-group jwt-stream jwt\n"))
        .replace("engine jwt-mcp ", "engine jwt-stream ")
        .replace(socket, &format!("{socket}{agents}"))
}
