//! A key that a source holds and that is not used: its `kid` and the reason are found at every place where an operator looks, in
//! both programs.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use integration_tests::agent::{Agent, ask, command, program};
use integration_tests::http::Request;
use integration_tests::keys::{SigningKey, jwks, key};
use integration_tests::socket::Address;
use integration_tests::token::token;
use integration_tests::token_server::TokenServer;
use integration_tests::wait::eventually;
use serde_json::{Value, json};
use tempfile::TempDir;

const BEARER: &str = "a-token-of-an-administrator";

/// A set with one good key and three that are left out, the first of which signs as well.
struct Published {
    folder: TempDir,
    file: String,
    /// A good token of a key that may only encrypt.
    token: String,
}

/// Position, `kid`, reason.
const LEFT_OUT: [(u64, Option<&str>, &str); 3] =
    [(2, Some("encrypts"), "use"), (3, Some("42"), "curve"), (4, None, "parameter")];

impl Published {
    fn new() -> Self {
        let folder = TempDir::with_prefix("left-out-").unwrap();
        let encrypts = SigningKey::generate("ES256", "encrypts");
        let mut set: Value = serde_json::from_str(&jwks([key("ES384"), &encrypts])).unwrap();
        set["keys"][1]["use"] = json!("enc");
        let keys = set["keys"].as_array_mut().unwrap();
        keys.push(json!({"kty": "EC", "crv": "secp256k1", "kid": 42, "x": "AA", "y": "AA"}));
        keys.push(json!({"kid": ["x"], "kty": "RSA", "n": "AA", "e": "AQAB"}));
        let file = folder.path().join("keys.json");
        fs::write(&file, set.to_string()).unwrap();
        fs::write(folder.path().join("tokens"), format!("{BEARER}\n")).unwrap();
        Self { file: file.display().to_string(), token: token(&encrypts, json!({})), folder }
    }

    /// What `GET /v1/keys` must say.
    fn assert_shown(&self, view: &Value) {
        let source = &view["sources"][0];
        assert_eq!(view["sources"].as_array().unwrap().len(), 1, "{view}");
        assert_eq!((&source["source"], &source["kind"]), (&json!(self.file), &json!("file")));
        assert_eq!((&source["stale"], &source["error"]), (&json!(false), &Value::Null));
        assert_eq!(source["keys"][0]["kid"], "ES384");
        assert_eq!(source["keys"][0]["alg"], json!(["ES384"]));
        assert_eq!(left_out(source), LEFT_OUT);
    }

    fn assert_logged(&self, lines: &[String]) {
        for (position, kid, _) in LEFT_OUT {
            let is_told = |line: &String| {
                let event: Value = serde_json::from_str(line).unwrap_or_default();
                event["message"] == "key skipped"
                    && event["kid"] == kid.unwrap_or("-")
                    && event["position"] == position
                    && event["source"] == self.file.as_str()
            };
            assert!(lines.iter().any(is_told), "{kid:?} in {}", lines.join("\n"));
        }
    }

    fn assert_counted(&self, program: &str, metrics: &str) {
        for (_, _, reason) in LEFT_OUT {
            let line = format!("{program}_keys_skipped{{source=\"{}\",reason=\"{reason}\"}} 1", self.file);
            assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
        }
    }

    /// What `verify` says of the token, as JSON and to people.
    fn assert_verify_says(&self, verify: impl Fn() -> Command) {
        let told = run(&mut verify(), &self.token);
        let answer: Value =
            serde_json::from_slice(&told.stdout).unwrap_or_else(|_| panic!("{}", said(&told)));
        assert_eq!((&answer["valid"], &answer["detail"]), (&json!(false), &json!("unknown_key")), "{answer}");
        // That of the token's kid, and those whose kid cannot be read.
        assert_eq!(left_out(&answer), [LEFT_OUT[0], LEFT_OUT[2]]);
        assert_eq!(answer["left_out"][0]["why"], "its use is \"enc\", not \"sig\"");
    }

    fn assert_check_says(&self, mut check: Command) {
        let checked = run(&mut check, "");
        assert!(checked.status.success(), "{}", said(&checked));
        for expected in [
            "1 keys".to_owned(),
            "left out: key \"encrypts\": its use is \"enc\", not \"sig\"".to_owned(),
            "left out: key \"42\": curve \"secp256k1\" is not supported".to_owned(),
            "left out: key 4 without kid: parameter `kid` is missing or malformed".to_owned(),
        ] {
            assert!(said(&checked).contains(&expected), "{expected} in {}", said(&checked));
        }
    }
}

fn run(command: &mut Command, input: &str) -> Output {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // A program that does not read its input has closed it.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn json_of(response: &integration_tests::http::Response) -> Value {
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    serde_json::from_slice(&response.body).unwrap()
}

/// Without what the clock says.
fn timeless(mut view: Value) -> Value {
    for name in ["last_good", "age_seconds", "next_seconds"] {
        assert!(view["sources"][0][name].is_u64(), "{name} in {view}");
        view["sources"][0][name].take();
    }
    view
}

/// The position, `kid` and reason of each key that is left out.
fn left_out(told: &Value) -> Vec<(u64, Option<&str>, &str)> {
    let keys = told["left_out"].as_array().unwrap();
    keys.iter()
        .map(|key| (key["position"].as_u64().unwrap(), key["kid"].as_str(), key["reason"].as_str().unwrap()))
        .collect()
}

#[test]
fn a_key_that_is_left_out_is_named_wherever_an_operator_looks_in_both_programs() {
    let published = Published::new();
    let file = published.file.as_str();

    published.assert_verify_says(|| {
        let mut verify = command();
        verify.args(["verify", "--keys", file]);
        verify
    });
    let mut check = command();
    check.arg("--check").env("JWT_JWKS_FILE", file);
    published.assert_check_says(check);
    let listen = Address::Unix(published.folder.path().join("agent.sock"));
    let agent = Agent::start("agent", listen, &[("JWT_JWKS_FILE".to_owned(), file.to_owned())]);
    agent.wait_ready();
    let agents = json_of(&agent.admin("/v1/keys"));
    published.assert_shown(&agents);
    published.assert_logged(&agent.process.lines());
    published.assert_counted("jwt_agent", &String::from_utf8(agent.admin("/metrics").body).unwrap());

    let tokens = published.folder.path().join("tokens").display().to_string();
    let settings = [
        ("TOKEN_SERVER__JWKS__FILE", file),
        ("TOKEN_SERVER__VERIFY__PROXY", "nginx"),
        ("TOKEN_SERVER__ADMIN__TOKENS_FILE", tokens.as_str()),
    ];
    let of_server = |arguments: &[&str]| {
        let mut command = Command::new(program("token-server"));
        let store = published.folder.path().join("another.redb");
        command.env_clear().envs(settings).env("TOKEN_SERVER__STORE__PATH", store).args(arguments);
        command
    };
    published.assert_verify_says(|| of_server(&["verify"]));
    published.assert_check_says(of_server(&["--check"]));
    let server = TokenServer::start_with(published.folder.path(), "standard", &settings);
    let request = Request::get("/v1/keys");
    assert_eq!(ask(&server.admin, &request).status, 401, "an administrator's token is asked for");
    let servers = json_of(&ask(&server.admin, &request.bearer(BEARER)));
    published.assert_shown(&servers);
    published.assert_logged(&server.process.lines());
    published.assert_counted("token_server", &server.metrics());

    assert_eq!(timeless(agents), timeless(servers), "one shape in both programs");
}

#[test]
fn verify_of_the_token_server_decides_as_that_of_the_agent() {
    let published = Published::new();
    let file = published.file.as_str();
    let good = token(key("ES384"), json!({}));
    let expired = token(key("ES384"), json!({"exp": 1}));
    let input = [good.as_str(), &expired, &published.token, "a.b"].join("\n");
    let mut agents = command();
    agents.args(["verify", "--keys", file]);
    let mut servers = Command::new(program("token-server"));
    servers.env_clear().env("TOKEN_SERVER__JWKS__FILE", file).arg("verify");
    let (agents, servers) = (run(&mut agents, &input), run(&mut servers, &input));
    assert_eq!(String::from_utf8_lossy(&agents.stdout), String::from_utf8_lossy(&servers.stdout));
    assert_eq!(String::from_utf8_lossy(&agents.stdout).lines().count(), 4);
    assert_eq!((agents.status.code(), servers.status.code()), (Some(2), Some(2)));

    let mut all_good = Command::new(program("token-server"));
    all_good.env_clear().env("TOKEN_SERVER__JWKS__FILE", file).args(["verify", good.as_str()]);
    assert_eq!(run(&mut all_good, "").status.code(), Some(0));
    let mut without_keys = Command::new(program("token-server"));
    let told = run(without_keys.env_clear().arg("verify"), &good);
    assert_eq!(told.status.code(), Some(64));
    assert!(said(&told).contains("TOKEN_SERVER__JWKS__FILE"), "{}", said(&told));
}

#[test]
fn a_source_that_fails_is_shown_as_stale_with_the_reason_and_its_last_good_keys() {
    let published = Published::new();
    let listen = Address::Unix(published.folder.path().join("agent.sock"));
    let agent = Agent::start("agent", listen, &[("JWT_JWKS_FILE".to_owned(), published.file.clone())]);
    agent.wait_ready();
    let shown = || json_of(&agent.admin("/v1/keys"))["sources"][0].clone();
    fs::write(&published.file, r#"{"keys":[{"kty":"oct","kid":"only","k":"QUJD"}]}"#).unwrap();
    let stale = eventually("the new file is read", || Some(shown()).filter(|source| source["stale"] == true));
    assert_eq!(stale["keys"][0]["kid"], "ES384", "the last good set stays in use");
    assert_eq!(
        stale["left_out"],
        json!([{
            "kid": "only", "position": 1, "reason": "short_secret", "why": "secret of 24 bits; 256 are required",
        }])
    );
    assert!(stale["error"].as_str().unwrap().contains("holds no usable key"), "{stale}");
    fs::write(&published.file, jwks([key("ES256")])).unwrap();
    let back = eventually("it is good again", || Some(shown()).filter(|source| source["stale"] == false));
    assert_eq!((&back["keys"][0]["kid"], &back["left_out"]), (&json!("ES256"), &json!([])));
}
