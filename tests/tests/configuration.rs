//! The shipped files against every answer that an agent can give, sane or not: what HAProxy does with it.

mod challenges;
mod lines;

use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::http::Request;
use integration_tests::scripted_agent::Script;
use integration_tests::setup::Setup;
use integration_tests::spop::Value;

const HEADER: &str = r#"{"alg":"none"}"#;
const BODY: &str = r#"{"sub":"alice"}"#;

fn text(value: &str) -> Value {
    Value::Str(value.to_owned())
}

fn accepted() -> Vec<(&'static str, Value)> {
    vec![
        ("reason", text("ok")),
        ("detail", text("ok")),
        ("body", text(BODY)),
        ("header", text(HEADER)),
        ("valid", Value::Bool(true)),
    ]
}

fn refused(reason: &str, detail: &str) -> Script {
    challenged(reason, detail, None)
}

/// A refusal with this challenge.
fn challenged(reason: &str, detail: &str, challenge: Option<&str>) -> Script {
    let mut variables = vec![("reason", text(reason)), ("detail", text(detail))];
    variables.extend(challenge.map(|challenge| ("challenge", text(challenge))));
    variables.push(("valid", Value::Bool(false)));
    Script::Ack(variables)
}

fn edge(shipped: Shipped, script: Script) -> Edge {
    Setup::new(shipped).short_timeouts().scripted(script).start()
}

/// Answers that do not say what the token is worth.
fn broken_answers() -> Vec<(&'static str, Script)> {
    let no_bool = |value| vec![("reason", text("ok")), ("valid", value)];
    vec![
        ("no answer at all", Script::Silence),
        ("a closed connection", Script::Close),
        ("bytes that are no frame", Script::Garbage),
        ("an answer to another stream", Script::WrongStream(accepted())),
        ("an answer to another frame", Script::WrongFrame(accepted())),
        ("an answer cut before valid", Script::Truncated(accepted(), 3)),
        ("an answer cut in its middle", Script::Truncated(accepted(), 40)),
        ("no valid", Script::Ack(vec![("reason", text("ok"))])),
        ("only unknown variables", Script::Ack(vec![("novel", Value::Int(1))])),
        ("a valid that is an empty text", Script::Ack(no_bool(text("")))),
    ]
}

#[test]
fn the_shipped_files_are_good_on_their_own() {
    for shipped in [Shipped::Denying, Shipped::Annotating, Shipped::EdgeDenying, Shipped::EdgeAnnotating] {
        let edge = edge(shipped, Script::Ack(accepted()));
        let seen = edge.admits("a good token", &Request::get("/"));
        assert_eq!(seen.header("x-tkn-valid"), Some("1"));
        assert_eq!(seen.header("x-tkn-reason"), Some("ok"));
        assert_eq!(seen.header("x-tkn-body"), Some(BODY));
        assert_eq!(seen.header("x-tkn-header"), Some(HEADER));
        assert_eq!(seen.header("x-tkn-stateless"), None);
        assert_eq!(seen.header("x-tkn-legacy"), None);
    }
}

#[test]
fn each_reason_becomes_its_status_and_challenge() {
    let edge = edge(Shipped::Denying, Script::Silence);
    let challenge = r#"Bearer realm="An API", scope="a b", error="invalid_token""#;
    for (reason, detail, status) in [
        ("E_TKN_INVALID", "missing", 401),
        ("E_TKN_INVALID", "scheme", 401),
        ("E_TKN_INVALID", "signature", 401),
        ("E_TKN_LEGACY", "legacy", 401),
        ("E_TKN_ACCESS_TOKEN_REQUIRED", "refresh_token", 401),
        ("E_TKN_TOO_LARGE", "token_size", 401),
        ("E_TKN_STEP_UP", "acr", 401),
        ("E_TKN_NOVEL", "novel", 401),
        ("E_TKN_AUDIENCE_MISMATCH", "audience", 401),
        ("E_TKN_FORBIDDEN", "scope", 403),
        ("E_BACKEND_UNAVAIL", "no_keys", 503),
    ] {
        // An agent of another version sends none.
        for told in [Some(challenge), None] {
            edge.script(challenged(reason, detail, told));
            let response = edge.refuses(reason, status, &Request::get("/"));
            let is_challenged = status != 503;
            let expected = is_challenged.then_some(told.unwrap_or("Bearer"));
            assert_eq!(response.header("www-authenticate"), expected, "{reason} {detail}");
            let exposed = is_challenged.then_some("WWW-Authenticate");
            assert_eq!(response.header("access-control-expose-headers"), exposed, "{reason} {detail}");
            assert_eq!(response.header("retry-after"), (!is_challenged).then_some("1"), "{reason} {detail}");
        }
    }
}

#[test]
fn a_reason_that_contradicts_valid_is_not_believed() {
    let edge = edge(Shipped::Denying, Script::Silence);
    let contradiction = |reason| Script::Ack(vec![("reason", text(reason)), ("valid", Value::Bool(true))]);
    for (reason, status) in
        [("E_BACKEND_UNAVAIL", 503), ("E_TKN_FORBIDDEN", 403), ("E_TKN_AUDIENCE_MISMATCH", 401)]
    {
        edge.script(contradiction(reason));
        edge.refuses(reason, status, &Request::get("/"));
    }
    edge.script(refused("ok", "ok"));
    edge.refuses("ok, but not valid", 401, &Request::get("/"));
}

#[test]
fn an_answer_that_is_none_denies() {
    for (what, script) in broken_answers() {
        let edge = edge(Shipped::Denying, script);
        let statuses: &[u16] = if what.contains("empty text") { &[401] } else { &[503] };
        edge.refuses_bytes(what, statuses, &Request::get("/").to_bytes()).unwrap();
    }
}

#[test]
fn an_answer_that_is_none_is_annotated_as_unavailable() {
    for (what, script) in broken_answers() {
        let edge = edge(Shipped::Annotating, script);
        let spoofed = Request::get("/").header("x-tkn-valid", "1").header("x-tkn-body", "{}");
        let seen = edge.admits(what, &spoofed);
        assert_ne!(seen.header("x-tkn-valid"), Some("1"), "{what}");
        assert_eq!(seen.header("x-tkn-body"), None, "{what}");
        if !what.contains("empty text") {
            assert_eq!(seen.header("x-tkn-valid"), Some("0"), "{what}");
            assert_eq!(seen.header("x-tkn-reason"), Some("E_BACKEND_UNAVAIL"), "{what}");
        }
    }
}

#[test]
fn the_version_of_a_token_is_annotated_when_the_agent_tells_it() {
    let edge = edge(Shipped::Annotating, Script::Silence);
    for (version, other) in [("stateless", "legacy"), ("legacy", "stateless")] {
        let mut variables = accepted();
        variables.insert(0, (version, Value::Bool(true)));
        edge.script(Script::Ack(variables));
        let seen = edge.admits(version, &Request::get("/"));
        assert_eq!(seen.header(&format!("x-tkn-{version}")), Some("1"));
        assert_eq!(seen.header(&format!("x-tkn-{other}")), None);
    }
}
