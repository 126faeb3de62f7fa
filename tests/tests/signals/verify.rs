//! Whether a stream of shared signals works (OpenID SSF 1.0 section 8.1.4), from an operator's command to the transmitter and
//! back, for streams that are pushed and for those that are polled.

use std::process::{Command, Output};

use integration_tests::agent::{listening, program};
use integration_tests::token::now;
use integration_tests::token_server::TokenServer;
use integration_tests::transmitter::{AUDIENCE, STREAM_ID, TOKEN, Transmitter};
use integration_tests::wait::eventually;
use serde_json::{Value, json};
use tempfile::TempDir;

const SSF: &str = "https://schemas.openid.net/secevent/ssf/event-type";
const PUSH: &str = "Bearer the-value-of-pushes";

/// How the tokens of a stream come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Push,
    Poll,
}

/// A token-server with one stream.
struct Stream {
    transmitter: Transmitter,
    server: TokenServer,
    folder: TempDir,
}

impl Stream {
    fn start(by: By) -> Self {
        Self::start_with(by, "poll_token_file = 'FOLDER/token'\n")
    }

    /// `fields` are further ones of the table.
    fn start_with(by: By, fields: &str) -> Self {
        let (transmitter, folder) = (Transmitter::start(), TempDir::new().unwrap());
        let path = |name: &str| folder.path().join(name);
        for (name, content) in [("token", TOKEN), ("push", PUSH), ("secret", "secret")] {
            std::fs::write(path(name), format!("{content}\n")).unwrap();
        }
        let origin = &transmitter.origin;
        let way = match by {
            By::Push => "authorization_file = 'FOLDER/push'\nheartbeat = 3600\n".to_owned(),
            By::Poll => format!("poll_url = '{origin}/ssf/poll'\npoll_interval = 1\n"),
        };
        let table =
            format!("[[ssf]]\nname = 'idp'\nissuer = '{origin}'\naudiences = ['{AUDIENCE}']\n{way}{fields}");
        let table = table.replace("ORIGIN", origin).replace("FOLDER", folder.path().to_str().unwrap());
        std::fs::write(path("settings.toml"), table).unwrap();
        let environment = [
            ("TOKEN_SERVER_CONFIG", &*path("settings.toml").display().to_string()),
            ("TOKEN_SERVER__SIGNALS__LISTEN", "127.0.0.1:0"),
        ];
        let server = TokenServer::start_with(folder.path(), "standard", &environment);
        if by == By::Push {
            let signals =
                eventually("the listener of signals", || listening(&server.process.lines(), "signals"));
            let push_to = format!("http://{signals}/ssf/idp");
            transmitter.set(json!({ "push_to": push_to, "push_authorization": PUSH }));
        }
        Self { transmitter, server, folder }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("token-server"));
        let server = format!("unix:{}", self.folder.path().join("token-server.sock").display());
        command.env_clear().args(["signals"]).args(arguments).args(["--server", &server]);
        command
    }

    /// Asks for a verification event and waits for it, with this patience.
    fn verify(&self, patience: &str) -> Told {
        Told::of(self.command(&["verify", "idp", "--timeout", patience]).output().unwrap())
    }

    fn metric(&self, name: &str) -> Option<u64> {
        let metrics = self.server.metrics();
        metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
            .map(|value| value.parse().unwrap())
    }

    fn signals(&self, outcome: &str) -> u64 {
        self.metric(&format!("token_server_signals_total{{kind=\"ssf\",outcome=\"{outcome}\"}}")).unwrap()
    }

    /// What the transmitter was told of an event that it sent: the word of RFC 8935, or nothing.
    fn error_of(&self, by: By, jti: &str) -> Option<String> {
        let seen = self.transmitter.seen();
        match by {
            By::Push => {
                let pushes = seen["pushes"].as_array().unwrap();
                let push = pushes.iter().find(|push| push["jti"] == jti).unwrap();
                let body: Value = serde_json::from_str(push["body"].as_str().unwrap()).unwrap_or_default();
                body["err"].as_str().map(str::to_owned)
            }
            By::Poll => seen["errors"][jti]["err"].as_str().map(str::to_owned),
        }
    }

    /// Sends an event of the stream itself, waits until it was answered, and returns the error that was told.
    fn send(&self, by: By, claims: Value) -> Option<String> {
        let jti = self.transmitter.send(claims);
        eventually("it is answered", || {
            let error = self.error_of(by, &jti);
            let is_told = by == By::Push || self.transmitter.has_acknowledged(&jti) || error.is_some();
            is_told.then_some(error)
        })
    }

    /// What operators are told of the stream.
    fn listed(&self) -> Value {
        let output = self.command(&["list", "--json"]).output().unwrap();
        let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
        listed["streams"][0].clone()
    }
}

/// What a command says.
#[derive(Debug)]
struct Told {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Told {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

fn of_stream(id: &str, kind: &str, event: &Value) -> Value {
    json!({ "sub_id": { "format": "opaque", "id": id }, "events": { format!("{SSF}/{kind}"): event } })
}

#[test]
fn a_stream_that_works_is_told_so_with_its_delay() {
    for by in [By::Push, By::Poll] {
        let stream = Stream::start(by);
        let told = stream.verify("60s");
        assert_eq!(told.code, Some(0), "{by:?}: {told:?}");
        assert!(told.out.starts_with("idp: the verification event came after "), "{told:?}");
        assert!(told.err.contains("asked the transmitter of idp for a verification event"), "{told:?}");
        let asked = stream.transmitter.seen()["verifications"][0].clone();
        assert_eq!(asked["stream_id"], STREAM_ID);
        assert_eq!(asked["state"].as_str().unwrap().len(), 32);
        assert_eq!((stream.signals("verified"), stream.signals("ignored")), (1, 0));
        for name in ["verified", "heard"] {
            let at = stream.metric(&format!("token_server_ssf_{name}_timestamp_seconds{{stream=\"idp\"}}"));
            assert!(now() - at.unwrap() < 60, "{by:?} {name} {at:?}");
        }
        let expected = if by == By::Push { 3_600 } else { 1_800 };
        assert_eq!(stream.metric("token_server_ssf_heartbeat_seconds{stream=\"idp\"}"), Some(expected));
        let listed = stream.listed();
        let way = if by == By::Push { "push" } else { "poll" };
        assert_eq!((&listed["stream"], &listed["delivery"]), (&json!("idp"), &json!([way])), "{listed}");
        assert!(listed["heard"].is_string() && listed["verified"].is_string(), "{listed}");
        assert_eq!(listed.get("trouble"), None, "{listed}");
    }
}

#[test]
fn two_that_ask_at_once_are_told_of_their_own_event() {
    for by in [By::Push, By::Poll] {
        let stream = Stream::start(by);
        let run = |_| {
            stream.command(&["verify", "idp", "--json"]).stdout(std::process::Stdio::piped()).spawn().unwrap()
        };
        let both: Vec<_> = (0..2).map(run).collect();
        let told: Vec<Value> = both
            .into_iter()
            .map(|command| Told::of(command.wait_with_output().unwrap()))
            .inspect(|told| assert_eq!(told.code, Some(0), "{by:?}: {told:?}"))
            .map(|told| serde_json::from_str(&told.out).unwrap())
            .collect();
        assert!(told.iter().all(|told| told["heard"] == true && told["afterMs"].is_u64()), "{told:?}");
        assert_ne!(told[0]["state"], told[1]["state"]);
        assert_eq!(stream.signals("verified"), 2);
    }
}

#[test]
fn an_event_with_another_state_or_of_another_stream_is_refused_and_the_operator_is_told() {
    for by in [By::Push, By::Poll] {
        let stream = Stream::start(by);
        for (mode, back, code, why) in [
            (
                json!({ "state": "another" }),
                json!({ "state": null }),
                "invalid_state",
                "its state is none that this server has asked with",
            ),
            (
                json!({ "verified_id": "stream-2" }),
                json!({ "verified_id": null }),
                "invalid_request",
                "it tells of another stream: its sub_id is not stream-1",
            ),
        ] {
            stream.transmitter.set(mode);
            let told = stream.verify("2s");
            assert_eq!(told.code, Some(2), "{by:?}: {told:?}");
            assert!(told.out.starts_with("idp: the verification event did not come\n"), "{told:?}");
            assert!(told.out.contains(&format!("meanwhile: a token was refused: {why}")), "{told:?}");
            eventually("the transmitter is told of the error", || {
                let seen = stream.transmitter.seen().to_string().replace('\\', "");
                seen.contains(&format!("\"err\":\"{code}\"")).then_some(())
            });
            stream.transmitter.set(back);
        }
        assert_eq!(stream.signals("verified"), 0);
        assert_eq!(stream.verify("60s").code, Some(0), "{by:?}");

        // One that the transmitter sends by itself has no state.
        let unasked = |event: Value| of_stream(STREAM_ID, "verification", &event);
        assert_eq!(stream.send(by, unasked(json!({}))), None);
        assert_eq!(
            stream.send(by, unasked(json!({ "state": "replayed" }))).as_deref(),
            Some("invalid_state")
        );
        assert_eq!(stream.signals("verified"), 2);
    }
}

#[test]
fn a_transmitter_that_sends_nothing_is_told_with_what_to_look_at() {
    for (by, hint) in [(By::Push, "pushes to /ssf/idp"), (By::Poll, "look at poll_url")] {
        let stream = Stream::start(by);
        stream.transmitter.set(json!({ "silent": true }));
        let told = stream.verify("1s");
        assert_eq!(told.code, Some(2), "{by:?}: {told:?}");
        assert!(
            told.out.contains("the verification event did not come") && told.out.contains(hint),
            "{told:?}"
        );
    }
}

#[test]
fn a_transmitter_that_cannot_be_asked_is_told_with_the_cause_and_the_cure() {
    let stream = Stream::start(By::Push);
    let elsewhere = |endpoint: &str| json!({ "document": { "verification_endpoint": endpoint } });
    for (mode, told) in [
        (json!({ "down": true }), "the transmitter's document: "),
        (json!({ "hang": true }), "configuration_endpoint: no whole answer within 5 s"),
        (json!({ "status": 500 }), "configuration_endpoint answered 500 Internal Server Error; see its log"),
        (
            json!({ "authorization": "Bearer another" }),
            "configuration_endpoint answered 401 Unauthorized; it does not accept who asks: see poll_token_file",
        ),
        (
            json!({ "status": 429, "retry_after": "7" }),
            "min_verification_interval allows: ask again after 7 s",
        ),
        (
            json!({ "document": { "issuer": "https://other.example.com" } }),
            "the transmitter's document calls itself https://other.example.com, and issuer is http://127.0.0.1:",
        ),
        (
            elsewhere("http://10.0.0.5/verify"),
            "verification_endpoint of the transmitter's document is no https:// URL",
        ),
        (
            elsewhere("https://10.0.0.5/verify"),
            "verification_endpoint: https://10.0.0.5:443 is not asked, since no configured URL is there",
        ),
        (elsewhere("/verify"), "the transmitter's document answered with something that is none"),
        (json!({ "document": { "verification_endpoint": null } }), "document has no verification_endpoint"),
        (json!({ "document": { "configuration_endpoint": null } }), "set stream_id if that alone is missing"),
        (json!({ "redirect": "http://127.0.0.2:9/" }), "configuration_endpoint: "),
        (json!({ "streams": [] }), "the transmitter has no stream of ours: set stream_id"),
        (json!({ "streams": ["a", "b"] }), "the transmitter has 2 streams of ours (a, b): set stream_id"),
        (
            json!({ "streams": ["unknown"] }),
            "verification_endpoint answered 404 Not Found; it has no such stream: see stream_id",
        ),
    ] {
        let usual = json!({
            "down": false, "hang": false, "status": 0, "retry_after": null, "redirect": null, "document": {}, "streams": null,
            "authorization": format!("Bearer {TOKEN}"),
        });
        stream.transmitter.set(usual);
        stream.transmitter.set(mode.clone());
        let answer = stream.verify("60s");
        assert_eq!((answer.code, answer.out.as_str()), (Some(1), ""), "{mode}: {answer:?}");
        assert!(answer.err.contains(told), "{mode}: {answer:?}\nlacks {told}");
    }
    assert_eq!(
        stream.transmitter.seen()["verifications"].as_array().unwrap().len(),
        1,
        "only the last came so far"
    );
    let unknown = Told::of(stream.command(&["verify", "other"]).output().unwrap());
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(unknown.err.contains("no [[ssf]] table has the name other"), "{unknown:?}");
    let here = Told::of(stream.command(&["verify", "idp", "--configured-store"]).output().unwrap());
    assert_eq!(here.code, Some(64), "{here:?}");
}

#[test]
fn a_stream_that_has_its_name_asks_with_it_alone_and_by_a_token_of_an_authorization_server() {
    let fields = format!(
        "stream_id = '{STREAM_ID}'\npoll_token_url = 'ORIGIN/oauth/token'\npoll_client_id = 'edge'\npoll_client_secret_file = \
         'FOLDER/secret'\n"
    );
    let stream = Stream::start_with(By::Push, &fields);
    stream.transmitter.set(json!({ "document": { "configuration_endpoint": null } }));
    let told = stream.verify("60s");
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!(stream.transmitter.seen()["tokens"], 1);
}

#[test]
fn a_stream_that_is_paused_or_disabled_warns_and_shows_its_status() {
    for by in [By::Push, By::Poll] {
        let stream = Stream::start_with(
            by,
            &format!("stream_id = '{STREAM_ID}'\n poll_token_file = 'FOLDER/token'\n"),
        );
        let status = |name: &str| {
            stream.metric(&format!("token_server_ssf_stream_status{{stream=\"idp\",status=\"{name}\"}}"))
        };
        assert_eq!(status("enabled"), None, "nothing was told yet");
        let updated = |id: &str, iat: u64, status: &str| {
            let mut claims =
                of_stream(id, "stream-updated", &json!({ "status": status, "reason": "maintenance" }));
            claims["iat"] = json!(iat);
            claims
        };
        let begun = now();
        assert_eq!(stream.send(by, updated(STREAM_ID, begun - 20, "paused")), None);
        assert_eq!([status("enabled"), status("paused"), status("disabled")], [Some(0), Some(1), Some(0)]);
        let listed = stream.listed();
        assert_eq!(
            (&listed["status"]["status"], &listed["status"]["reason"]),
            (&json!("paused"), &json!("maintenance"))
        );
        let logged = |what: &str| {
            let is_there = |line: &String| line.contains(what);
            eventually(what, || stream.server.process.lines().into_iter().find(is_there))
        };
        assert!(logged("the transmitter has paused a stream").contains("maintenance"));

        // What is of another stream, of before, or no status, changes nothing.
        let error = stream.send(by, updated("stream-2", begun - 10, "enabled"));
        assert_eq!(error.as_deref(), Some("invalid_request"));
        assert_eq!(stream.send(by, updated(STREAM_ID, begun - 30, "enabled")), None);
        let error = stream.send(by, updated(STREAM_ID, begun - 10, "gone"));
        assert_eq!(error.as_deref(), Some("invalid_request"));
        assert_eq!(status("paused"), Some(1));

        assert_eq!(stream.send(by, updated(STREAM_ID, begun - 10, "disabled")), None);
        assert_eq!([status("paused"), status("disabled")], [Some(0), Some(1)]);
        logged("the transmitter has disabled a stream");
        assert_eq!(stream.send(by, updated(STREAM_ID, begun, "enabled")), None);
        assert_eq!([status("enabled"), status("disabled")], [Some(1), Some(0)]);
        assert_eq!(stream.signals("updated"), 4);
    }
}
