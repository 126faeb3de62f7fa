//! Whose challenge a client sees: the agent's on our refusals, and nothing of ours on anything else.

use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::http::{Request, Response};
use integration_tests::scripted_agent::Script;
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use tempfile::TempDir;

use super::{accepted, challenged, edge};

const CHALLENGE: &str = r#"Bearer realm="first""#;

fn all<'a>(response: &'a Response, name: &str) -> Vec<&'a str> {
    let headers = response.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    headers.map(|(_, value)| value.as_str()).collect()
}

/// Behind it an application that refuses by itself, in its own words: HAProxy plays it.
fn before_a_refusing_application(shipped: Shipped, folder: &TempDir) -> Edge {
    let address = Address::Unix(folder.path().join("refusing.sock"));
    let application = format!(
        "frontend refusing\n    mode http\n    bind {address}\n    \
         http-request return status 401 hdr WWW-Authenticate \"Basic realm=\\\"its own\\\"\" \
         hdr Access-Control-Expose-Headers x-its-own\n"
    );
    let setup = Setup::new(shipped).short_timeouts().scripted(Script::Silence).extra(&application);
    setup.server("APP_SERVER", &address).start()
}

#[test]
fn an_applications_own_refusal_stays_as_it_is() {
    for (shipped, path, script) in [
        (Shipped::Denying, "/x", Script::Ack(accepted())),
        (Shipped::Denying, "/public/x", challenged("E_TKN_INVALID", "missing", Some(CHALLENGE))),
        (Shipped::Backend, "/api/x", Script::Ack(accepted())),
        (Shipped::EdgeDenying, "/public/x", challenged("E_TKN_INVALID", "missing", Some(CHALLENGE))),
        (Shipped::Optional, "/x", challenged("E_TKN_INVALID", "missing", Some(CHALLENGE))),
    ] {
        let folder = TempDir::with_prefix("refusing-").unwrap();
        let edge = before_a_refusing_application(shipped, &folder);
        edge.script(script);
        let response = edge.send(&Request::get(path));
        assert_eq!(response.status, 401, "{shipped:?} {path}");
        assert_eq!(all(&response, "www-authenticate"), ["Basic realm=\"its own\""], "{shipped:?} {path}");
        assert_eq!(all(&response, "access-control-expose-headers"), ["x-its-own"], "{shipped:?} {path}");
    }
}

#[test]
fn a_refusal_of_the_users_own_rules_has_no_challenge() {
    let own = |text: &str, _: &std::path::Path| {
        let mark = "    # What only this file may say";
        text.replace(mark, &format!("    http-request deny status 403 if {{ path -m str /own }}\n{mark}"))
    };
    let setup = Setup::denying().short_timeouts().scripted(Script::Silence).edit(own);
    let edge = setup.start();
    edge.script(challenged("E_TKN_INVALID", "missing", Some(CHALLENGE)));
    let response = edge.refuses("the user's own", 403, &Request::get("/own"));
    assert_eq!(response.header("www-authenticate"), None, "{response}");
    let response = edge.refuses("ours", 401, &Request::get("/other"));
    assert_eq!(all(&response, "www-authenticate"), [CHALLENGE]);
}

/// A second place behind a public path asks anew. Without the line that forgets the first answer its challenge would be told.
#[test]
fn the_challenge_of_an_earlier_answer_is_forgotten() {
    const FORGETS: &str = "    http-request unset-var(txn.tkn.challenge)\n";
    let second = |text: &str, _: &std::path::Path| {
        let from = text.find("    http-request set-var(txn.tkn_challenge) ").unwrap();
        let challenge = text[from..].lines().next().unwrap().replace(" || tkn_public", "");
        let head = "backend app\n    mode http\n";
        assert!(text.contains(head));
        let asks = format!(
            "{head}    filter spoe engine jwt-group config \"${{SPOE_CONF}}\"\n    \
             http-request send-spoe-group jwt-group jwt\n{challenge}\n    \
             http-request deny status 401 default-errorfiles unless {{ var(txn.tkn.valid) -m bool }}\n"
        );
        text.replace(head, &asks)
    };
    let setup = || Setup::denying().short_timeouts().scripted(Script::Silence);
    for (setup, expected) in [(setup(), "Bearer"), (setup().change(FORGETS, ""), CHALLENGE)] {
        let edge = setup.edit(second).start();
        let answers = [Some(CHALLENGE), None].map(|told| challenged("E_TKN_INVALID", "missing", told));
        edge.script(Script::InTurn(answers.into()));
        let response = edge.refuses("the second place", 401, &Request::get("/public/x"));
        assert_eq!(all(&response, "www-authenticate"), [expected]);
    }
}

#[test]
fn without_a_challenge_of_the_agent_the_edges_name_the_scheme() {
    for shipped in
        [Shipped::Routes, Shipped::Backend, Shipped::EdgeRoutes, Shipped::EdgeBackend, Shipped::Cookie]
    {
        let edge = edge(shipped, challenged("E_TKN_FORBIDDEN", "scope", None));
        let response = edge.refuses("refused", 403, &Request::get("/api/x").bearer("a.b.c"));
        assert_eq!(all(&response, "www-authenticate"), ["Bearer"], "{shipped:?}");
        assert_eq!(all(&response, "access-control-expose-headers"), ["WWW-Authenticate"], "{shipped:?}");
    }
}
