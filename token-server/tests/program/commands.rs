//! What operators type, against a running server and straight on the store.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{AGENT_TOKEN, Server, output_of};
use crate::operator::Operator;

const LATER: u64 = 4_000_000_000;

/// Every way to reach the same admin API.
pub fn everywhere(test: impl Fn(&Operator)) {
    let folder = tempfile::tempdir().expect("a test's own folder");
    let socket = folder.path().join("admin.sock");
    let tokens = folder.path().join("tokens");
    fs::write(&tokens, "# operators\nadmin-token\n").expect("a test's own folder");
    let server = Server::start(
        folder.path(),
        &[
            ("TOKEN_SERVER__ADMIN__SOCKET", socket.as_os_str()),
            ("TOKEN_SERVER__ADMIN__TOKENS_FILE", tokens.as_os_str()),
        ],
    );
    test(&Operator::asking(&["--server", &format!("unix:{}", socket.display())]));
    let url = format!("http://{}", server.admin);
    test(&Operator::asking(&[
        "--server",
        &url,
        "--token-file",
        tokens.to_str().expect("a test's own folder"),
    ]));
    server.kill();
    let store = store(folder.path());
    let path = store.to_str().expect("a test's own folder");
    test(&Operator::asking(&["--store", path]));
    test(&Operator::configured(&[("TOKEN_SERVER__STORE__PATH", path)], &["--configured-store"]));
}

fn store(folder: &Path) -> std::path::PathBuf {
    folder.join("rules.redb")
}

#[test]
fn the_audit_trail_is_exported_with_who_and_why() {
    let kinds = std::cell::RefCell::new(Vec::new());
    everywhere(|operator| {
        let why = format!("way {}", kinds.borrow().len());
        operator.json(&["rules", "add", "anna", r#"{"rt":"x"}"#, "--note", &why, "--by", "olga"], "");
        let newest = operator.json(&["audit", "export"], "").remove(0);
        assert_eq!(
            (&newest["group"], &newest["note"], &newest["by"]),
            (&json!("anna"), &json!(why), &json!("olga"))
        );
        assert!(newest["who"]["name"].as_str().is_some_and(|name| !name.is_empty()));
        kinds.borrow_mut().push(newest["who"]["kind"].clone());
    });
    assert_eq!(kinds.into_inner(), ["peer", "token", "store", "store"]);
}

#[test]
fn rules_are_added_listed_and_removed_the_same_way_everywhere() {
    everywhere(|operator| {
        let rule = r#"{"iat":{"lt":5}}"#;
        let add = ["rules", "add", "a/b c", rule, "--expire-in", "1h", "--note", "T-42", "--by", "olga"];
        let written = operator.json(&add, "");
        assert_eq!((&written[0]["group"], &written[0]["by"]), (&json!("a/b c"), &json!("olga")));
        operator.json(&["rules", "add", "a/b c", r#"{"rt":"x"}"#, "--shadow"], "");
        let again = operator.run(&["rules", "add", "a/b c", rule], "");
        let replaced = again.out.lines().nth(1).unwrap_or_default();
        assert!(
            replaced.starts_with("replaced: enforce  ends ") && replaced.contains("(T-42)"),
            "{}",
            again.out
        );
        operator.run(&add, "");
        let groups = operator.json(&["rules", "list"], "");
        assert_eq!(groups, [json!({"group": "a/b c", "rules": 1, "unreadable": 0, "shadow": 1})]);
        let rules = operator.run(&["rules", "list", "a/b c"], "");
        assert_eq!(rules.out.lines().count(), 2, "{}", rules.out);
        assert!(rules.out.contains(rule) && rules.out.contains("(T-42)"), "{}", rules.out);

        assert_eq!(operator.json(&["rules", "remove", "a/b c", rule], "")[0]["deleted"], 1);
        assert_eq!(operator.json(&["rules", "remove", "a/b c", "--all"], "")[0]["deleted"], 1);
        assert_eq!(operator.json(&["rules", "list"], ""), Vec::<Value>::new());
    });
}

#[test]
fn faults_are_told_on_one_line_with_an_exit_code() {
    everywhere(|operator| {
        for (arguments, code, why) in [
            (&["rules", "add", "anna", "{"][..], 64, "RULE: "),
            (&["rules", "add", "anna", "{}"], 1, "confirm: "),
            (&["rules", "add", "anna", r#"{"a":1}"#, "--expire-at", "5"], 64, "--expire-at: "),
            (&["rules", "add", "anna", r#"{"a":1}"#, "--expire-at", "1h ago"], 1, "expireAt: "),
            (&["rules", "remove", "anna"], 64, "required"),
            (&["rules", "remove", "--everybody"], 64, "RULE: required"),
            (&["rules", "remove", "anna", "{}", "--all"], 64, "cannot be used with --all"),
            (&["rules", "add", "anna"], 64, "RULE: required"),
            (&["rules", "add"], 64, "GROUP: required"),
            (&["rules", "add", "--everybody", "anna", "{}"], 64, "--everybody: takes no GROUP"),
            (&["rules", "add", "g", r#"{"a":1}"#, "--confirm"], 64, "say --everybody"),
            (&["rules", "test", "g", r#"{"a":1}"#], 64, "say --everybody"),
            (&["rules", "remove", "g", "--all"], 64, "say --everybody"),
            (&["rules", "list", "g"], 64, "say --everybody"),
            (&["rules", "list", "anna", "--everybody"], 64, "cannot be used with"),
            (&["rules", "add", "--everybody", r#"{"a":1}"#], 1, "--confirm"),
            (
                &["rules", "add", "anna", r#"{"a":1}"#, "--forever", "--expire-in", "1h"],
                64,
                "cannot be used with",
            ),
            (&["rules", "frobnicate"], 64, "unrecognized subcommand"),
            (&["token", "explain"], 64, "standard input: is empty"),
        ] {
            let done = operator.run(arguments, "");
            assert_eq!((done.code, done.out.as_str()), (Some(code), ""), "{arguments:?}: {}", done.err);
            assert!(done.err.contains(why), "{arguments:?}: {}", done.err);
        }
        assert_eq!(operator.run(&["rules", "add", "anna", "{}", "--confirm"], "").code, Some(0));
        assert_eq!(operator.run(&["rules", "remove", "anna", "{}"], "").code, Some(0));
    });
}

#[test]
fn a_token_or_its_claims_are_explained() {
    everywhere(|operator| {
        operator.json(&["rules", "add", "--everybody", r#"{"rt":"x"}"#, "--note", "leaked", "--confirm"], "");
        let good = format!(r#"{{"sub":"anna","exp":{LATER}}}"#);
        let done = operator.run(&["token", "explain"], &good);
        assert_eq!((done.code, done.out.lines().next()), (Some(0), Some("accepted: ok (ok)")));
        let bad = format!(r#"{{"sub":"anna","rt":"x","exp":{LATER}}}"#);
        let done = operator.run(&["token", "explain"], &bad);
        assert_eq!(done.code, Some(2), "{}", done.err);
        for part in
            ["refused: E_TKN_INVALID (revoked)", "matching rule of g", "(leaked)", r#"{"rt":"x"} holds"#]
        {
            assert!(done.out.contains(part), "{part} in\n{}", done.out);
        }
        let told = operator.run(&["token", "explain", "--json"], "Bearer not-a-token\n");
        assert_eq!(told.code, Some(2));
        let told: Value = serde_json::from_str(&told.out).unwrap();
        assert_eq!(told["detail"], "malformed");
        operator.json(&["rules", "remove", "--everybody", "--all"], "");
    });
}

#[test]
fn a_rule_for_everybody_is_said_with_a_word_of_its_own() {
    everywhere(|operator| {
        let add = ["rules", "add", "--everybody", r#"{"rt":"x"}"#, "--confirm"];
        let written = operator.json(&add, "");
        assert_eq!(written[0]["group"], "g");
        assert!(written[0]["expireAt"].as_u64() > Some(0), "{}", written[0]);
        let add = ["rules", "add", "--everybody", r#"{"iat":{"lt":"noon"}}"#, "--confirm", "--forever"];
        let told = operator.run(&add, "");
        assert!(told.out.contains("never ends") && told.out.contains("\nwarning: iat "), "{}", told.out);
        assert_eq!(operator.json(&["rules", "list", "--everybody"], "").len(), 2);
        let removed = operator.json(&["rules", "remove", "--everybody", r#"{"rt":"x"}"#], "");
        assert_eq!(removed[0]["deleted"], 1);
        assert_eq!(operator.json(&["rules", "remove", "--everybody", "--all"], "")[0]["deleted"], 1);
    });
}

#[test]
fn rules_move_from_store_to_store() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old.redb");
    let lines = format!(
        "{}\n\n{}\n{}\n{}\n{}\n",
        r#"{"group":"anna","rule":{"rt":"x"},"expireAt":0,"mode":"enforce","note":"why","by":"olga"}"#,
        format_args!(r#"{{"group":"anna","rule":{{"rt":"y"}},"expireAt":{LATER}}}"#),
        r#"{"group":"ben","rule":{},"mode":"shadow"}"#,
        r#"{"group":"g","rule":{"a":1},"expireAt":1000000000}"#,
        r#"{"group":"g","rule":{"a":2},"expireAt":0}"#,
    );
    let from = Operator::asking(&["--store", old.to_str().unwrap()]);
    assert_eq!(
        from.json(&["rules", "import"], &lines),
        [json!({"imported": 4, "replaced": 0, "ended": 1, "refused": 0})]
    );
    let exported = from.run(&["rules", "export"], "");
    assert_eq!((exported.code, exported.out.lines().count()), (Some(0), 4), "{}", exported.err);

    let new = folder.path().join("new.redb");
    let to = Operator::asking(&["--store", new.to_str().unwrap()]);
    assert_eq!(
        to.json(&["rules", "import"], &exported.out),
        [json!({"imported": 4, "replaced": 0, "ended": 0, "refused": 0})]
    );
    assert_eq!(to.run(&["rules", "export"], "").out, exported.out);

    let faulty = to.run(&["rules", "import"], "{\"group\":\"carl\",\"rule\":{\"a\":1}}\n{\"group\":7}\nx\n");
    assert_eq!(faulty.code, Some(1));
    for part in ["nothing was imported", "line 2: group: expected a string", "line 3: expected a JSON object"]
    {
        assert!(faulty.err.contains(part), "{part} in {}", faulty.err);
    }
    assert_eq!(to.run(&["rules", "export"], "").out, exported.out);

    let note = "x".repeat(2_000);
    let lines = format!(
        "{}\n{}\n{}\n",
        format_args!(r#"{{"group":"carl","rule":{{"a":1}},"note":"{note}"}}"#),
        r#"{"group":"carl","rule":{"a":2}}"#,
        r#"{"group":"dora","rule":{"a":3}}"#,
    );
    let partly = to.run(&["rules", "import", "--json"], &lines);
    assert_eq!(partly.code, Some(1), "{}", partly.err);
    let told: Value = serde_json::from_str(&partly.out).expect("JSON");
    assert_eq!(told, json!({"imported": 2, "replaced": 0, "ended": 0, "refused": 1}));
    assert!(partly.err.contains("token-server: line 1: note: "), "{}", partly.err);
}

#[test]
fn a_rule_is_tried_on_a_payload_or_on_the_subjects_checked_lately() {
    let folder = tempfile::tempdir().unwrap();
    let payload = folder.path().join("claims.json");
    fs::write(&payload, r#"{"rt":"x"}"#).unwrap();
    let alone = Operator::asking(&["--payload", payload.to_str().unwrap()]);
    for (rule, code, told) in
        [(r#"{"rt":"x"}"#, 0, "the rule matches\n"), (r#"{"rt":"y"}"#, 2, "the rule does not match\n")]
    {
        let done = alone.run(&["rules", "test", "anna", rule], "");
        assert_eq!((done.code, done.out.as_str()), (Some(code), told), "{}", done.err);
    }

    let socket = folder.path().join("admin.sock");
    let tokens = folder.path().join("agents");
    fs::write(&tokens, AGENT_TOKEN).unwrap();
    let server = Server::start(
        folder.path(),
        &[
            ("TOKEN_SERVER__ADMIN__SOCKET", socket.as_os_str()),
            ("TOKEN_SERVER__AGENT__TOKENS_FILE", tokens.as_os_str()),
        ],
    );
    for (sub, rt) in [("anna", "x"), ("ben", "y")] {
        assert_eq!(server.check(&format!(r#"{{"sub":"{sub}","rt":"{rt}","exp":{LATER}}}"#)), "ok");
    }
    let settings = [("TOKEN_SERVER__ADMIN__SOCKET", socket.as_os_str())];
    let done = output_of(&settings, &["rules", "test", "--everybody", r#"{"rt":"x"}"#], "");
    let told = "would hit 1 of 2 subjects checked in the last 900 s\n";
    assert_eq!(String::from_utf8(done.stdout).unwrap(), told);
    let misspelt = output_of(&settings, &["rules", "test", "ben", r#"{"rtt":"x"}"#], "");
    let told = "would hit 0 of 1 subjects checked in the last 900 s\n\
                warning: no token checked in the last 900 s has a claim rtt: see its spelling\n";
    assert_eq!(String::from_utf8(misspelt.stdout).unwrap(), told);
    assert_eq!(
        server.check(&format!(r#"{{"sub":"anna","rt":"x","exp":{LATER}}}"#)),
        "ok",
        "nothing was written"
    );
}

#[test]
fn who_cannot_be_asked_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let missing = folder.path().join("missing.redb");
    let server = Server::start(folder.path(), &[]);
    let used = store(folder.path());
    for (target, code, why) in [
        (vec![], 64, "whom to ask?".to_owned()),
        (vec!["--server", "localhost"], 64, "--server: expected http://host:port".to_owned()),
        (vec!["--server", &format!("http://{gone}")], 1, "cannot be asked".to_owned()),
        (vec!["--server", &format!("http://{}", server.admin)], 1, "403 Forbidden".to_owned()),
        (vec!["--server", &format!("http://{}", server.main)], 1, "404 Not Found".to_owned()),
        (vec!["--store", missing.to_str().unwrap()], 1, format!("no file {}", missing.display())),
        (vec!["--store", used.to_str().unwrap()], 1, "in use by another process".to_owned()),
        (vec!["--store", "a", "--server", "b"], 64, "cannot be used with".to_owned()),
        (vec!["--store", "a", "--configured-store"], 64, "cannot be used with".to_owned()),
    ] {
        let done = Operator::asking(&target).run(&["rules", "list"], "");
        assert_eq!(done.code, Some(code), "{target:?}: {}", done.err);
        assert!(done.err.contains(&why), "{target:?}: {}", done.err);
    }
    assert!(!missing.exists());
    let settings: [(&str, &OsStr); 1] = [("TOKEN_SERVER__STORE__PTAH", "x".as_ref())];
    assert_eq!(output_of(&settings, &["rules", "list"], "").status.code(), Some(64));
}
