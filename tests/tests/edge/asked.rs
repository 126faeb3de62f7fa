//! Whatever is not exactly an entry that counts: the agent is asked. Each condition of the files is missed by a request when
//! it is gone.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

/// An entry, a lease and a request, each a little wrong. The token is one that the agent refuses, and one that counts lets in.
fn ask_for_the_agent(edge: &Edge) {
    let token = refused_token();
    let bearer = format!("Bearer {token}");
    let request = Request::get("/x").header("Authorization", &bearer);
    let own = key(&bearer, LAYOUT, "");
    let held = edge.kept.hold(NAME);
    edge.kept.put(&own, &good_entry());
    answers_by_itself(edge, "a good entry", &request);

    for (what, request) in [
        ("two headers that agree", request.clone().header("Authorization", &bearer)),
        ("another header", request.clone().header("Authorization", "Basic YTpi")),
        ("two tokens in one header", Request::get("/x").header("Authorization", format!("x, {bearer}"))),
        ("another scheme", Request::get("/x").header("Authorization", format!("Basic {token}"))),
        (
            "the scheme in small letters",
            Request::get("/x").header("Authorization", format!("bearer {token}")),
        ),
        ("no scheme", Request::get("/x").header("Authorization", &token)),
        ("another token", Request::get("/x").bearer(&format!("{token}A"))),
        ("no token", Request::get("/x")),
        ("a token in a header beside it", request.clone().header("v-token", "x.y.z")),
        ("two tokens elsewhere", request.clone().header("v-token-count", "").header("v-token-count", "")),
        ("a name of a cookie", request.clone().header("v-cookie", "session")),
        ("a name of a parameter", request.clone().header("v-parameter", "t")),
        ("a WebSocket's protocols", request.clone().header("v-ws-protocol", "bearer")),
        ("another entry's field, read before", Request::get("/x").header("v-earlier-entry", good_entry())),
        ("a verdict from before", Request::get("/x").header("v-earlier-valid", "1")),
        ("who answered before", Request::get("/x").header("v-earlier-source", "edge")),
    ] {
        asks_the_agent(edge, what, &request);
    }
    for (what, entry) in wrong_entries() {
        edge.kept.put(&own, &entry);
        asks_the_agent(edge, what, &request);
    }
    for (what, key) in [
        ("the key of a policy", key(&bearer, LAYOUT, "default")),
        ("the key of the token alone", key(&token, LAYOUT, "")),
        ("one variable less", key(&bearer, "body,header,legacy", "")),
        ("one variable more", key(&bearer, "body,header,legacy,payload.sub,stateless", "")),
        ("another order", key(&bearer, "header,body,legacy,stateless", "")),
        ("another variable", key(&bearer, "body,header,id,stateless", "")),
        ("the same in capital letters", key(&bearer, "BODY,HEADER,LEGACY,STATELESS", "")),
        ("something behind the layout", key(&bearer, "body,header,legacy,stateless,", "")),
        ("something before the layout", key(&bearer, ",body,header,legacy,stateless", "")),
        ("no layout", key(&bearer, "", "")),
        ("the policy in the place of the layout", key(&bearer, "", LAYOUT)),
        ("the key in small letters", own.to_ascii_lowercase()),
        ("half of the key", own[..32].to_owned()),
    ] {
        edge.kept.put(&key, &good_entry());
        asks_the_agent(edge, what, &request);
    }
    // HAProxy reads the first entry of a key.
    edge.kept.put(&own, &wrong_entries()[0].1);
    edge.kept.add(&own, &good_entry());
    asks_the_agent(edge, "a good entry behind one that does not count", &request);
    drop(held);

    edge.kept.put(&own, &good_entry());
    for (what, lease) in [
        ("a lease that has lapsed", from_now(-1)),
        ("a lease that has lapsed long ago", from_now(-3_600_000)),
        ("no lease at all", "0".to_owned()),
        ("a lease further ahead than an agent writes", from_now(8_000)),
        ("a lease of a clock that is ahead", from_now(60_000)),
        ("a lease in seconds", (now_ms() / 1000 + 4).to_string()),
        ("a lease without an end", i64::MAX.to_string()),
    ] {
        edge.kept.lease(NAME, &lease);
        asks_the_agent(edge, what, &request);
    }
    edge.kept.lease(NAME, &from_now(4_500));
    answers_by_itself(edge, "a good entry, in the end", &request);
}

/// Entries that a stranger, a fault, another version or another clock may write.
fn wrong_entries() -> Vec<(&'static str, String)> {
    let fields: [Option<&[u8]>; 4] = [Some(BODY), Some(HEADER), None, None];
    let named = |name: &str| entry(now_ms() + 50_000, name, &fields);
    let ending = |end: &str| format!("x|x|%|%|{NAME}|{end}");
    vec![
        ("an entry that has ended", ending(&from_now(-1))),
        ("an entry that ended long ago", ending(&from_now(-3_600_000))),
        ("an end further ahead than an agent writes", ending(&from_now(90_000))),
        ("an end of a clock that is ahead", ending(&from_now(3_600_000))),
        ("an end in seconds", ending(&(now_ms() / 1000 + 50).to_string())),
        ("no end", ending("")),
        ("an end of 0", ending("0")),
        ("a negative end", ending("-1")),
        ("an end that is no number", ending("never")),
        ("an end beyond all numbers", ending(&i64::MAX.to_string())),
        ("an end that overflows", ending("99999999999999999999")),
        ("the smallest number as end", ending(&i64::MIN.to_string())),
        ("a name without a lease", named("stranger.0")),
        ("no name", named("")),
        ("the beginning of the name", named(&NAME[..8])),
        ("one field alone", now_ms().to_string()),
        ("an end and nothing else", from_now(50_000)),
        ("end and name in front", format!("{}|{NAME}|x|x|%|%", from_now(50_000))),
        ("something behind the end", ending(&format!("{}|", from_now(50_000)))),
        ("only separators", "|||||||".to_owned()),
    ]
}

#[test]
fn whatever_is_not_an_entry_that_counts_is_asked_about() {
    ask_for_the_agent(&setup(Shipped::EdgeDenying).start());
}

/// Which policy is asked for is a part of the key, and the entry's own word of it is compared as the agent's is.
fn ask_for_another_policy(edge: &Edge) {
    let bearer = format!("Bearer {}", refused_token());
    let get = |path: &str| Request::get(path).header("Authorization", &bearer);
    let entry = |policy: Option<&str>| {
        let fields = [Some(BODY), Some(HEADER), None, policy.map(str::as_bytes), None];
        entry(now_ms() + 50_000, NAME, &fields)
    };
    let key = |policy: &str| key(&bearer, "body,header,legacy,policy,stateless", policy);
    let _held = edge.kept.hold(NAME);
    edge.kept.put(&key("default"), &entry(Some("default")));
    answers_by_itself(edge, "the route of the entry's policy", &get("/api/users"));
    asks_the_agent(edge, "the route of another policy", &get("/admin"));
    edge.kept.put(&key("admin"), &entry(Some("admin")));
    answers_by_itself(edge, "the route of the other policy", &get("/admin"));
    asks_the_agent(edge, "the route of the first policy", &get("/api/users"));
    edge.kept.put(&key(""), &entry(Some("default")));
    asks_the_agent(edge, "an entry of no policy", &get("/api/users"));
    for policy in [Some("default"), Some(""), None] {
        edge.kept.put(&key("admin"), &entry(policy));
        let response = eventually("an entry with its lease", || {
            let response = edge.send(&get("/admin"));
            (source(&response) == Some("edge")).then_some(response)
        });
        assert_eq!(response.status, 503, "an entry that names the policy {policy:?}: {response}");
    }
}

/// Two policies, the second one with these settings.
pub(super) fn routes(admin: &str) -> (Setup, tempfile::TempDir) {
    let folder = tempfile::TempDir::with_prefix("edge-routes-").unwrap();
    let file = folder.path().join("agent.toml");
    let tables = format!("[[policies]]\nname = \"default\"\n[[policies]]\nname = \"admin\"\n{admin}");
    std::fs::write(&file, tables).unwrap();
    (setup(Shipped::EdgeRoutes).agent_env("JWT_CONFIG", &file.display().to_string()), folder)
}

#[test]
fn a_verdict_counts_for_the_policy_it_was_made_by() {
    let (setup, _folder) = routes("");
    ask_for_another_policy(&setup.start());
}

/// A piece of the file, and what takes its place.
const BROKEN: &[(&str, &str)] = &[
    ("if { req.fhdr_cnt(authorization) eq 1 } !tkn_elsewhere", "if !tkn_elsewhere"),
    ("    acl tkn_elsewhere  var(txn.tkn_token)       -m found\n", ""),
    ("    acl tkn_elsewhere  var(txn.tkn_token_count) -m int gt 0\n", ""),
    ("    acl tkn_elsewhere  var(txn.tkn_cookie)      -m found\n", ""),
    ("    acl tkn_elsewhere  var(txn.tkn_parameter)   -m found\n", ""),
    ("    acl tkn_elsewhere  var(txn.tkn_ws_protocol) -m found\n", ""),
    ("    http-request unset-var(txn.tkn.valid)\n", ""),
    ("    http-request unset-var(txn.tkn.source)\n", ""),
    ("    http-request unset-var(txn.tkn_edge)\n", ""),
    ("req.fhdr(authorization),concat", "req.hdr(authorization),concat"),
    ("concat('|body,header,legacy,stateless|',", "concat('|',"),
    ("concat('|body,header,legacy,stateless|',", "concat('|body,header,legacy|',"),
    ("{ var(txn.tkn_edge),field(-1,|),sub(txn.tkn_now) 1:60000 } ", ""),
    ("1:60000", "ge 1"),
    ("1:60000", "le 60000"),
    ("1:5000", "ge 1"),
    ("1:5000", "le 5000"),
];

#[test]
fn each_condition_is_missed_by_a_request_when_it_is_gone() {
    let is_found = |(from, to): (&'static str, &'static str)| {
        let edge = setup(Shipped::EdgeDenying).change(from, to).start();
        catch_unwind(AssertUnwindSafe(|| ask_for_the_agent(&edge))).is_err()
    };
    let lost: Vec<_> = BROKEN.iter().copied().filter(|piece| !is_found(*piece)).collect();
    assert_eq!(lost, [("", ""); 0]);
    for (from, to) in [
        ("stateless|',txn.tkn_policy)", "stateless|')"),
        ("stateless|',txn.tkn_policy)", "stateless|default')"),
        ("unless { var(txn.tkn.policy),strcmp(txn.tkn_policy) eq 0 }", "unless { always_true }"),
    ] {
        let (setup, _folder) = routes("");
        let edge = setup.change(from, to).start();
        assert!(catch_unwind(AssertUnwindSafe(|| ask_for_another_policy(&edge))).is_err(), "{from}: {to}");
    }
}
