//! What a support desk types: over a server and straight on the store, with names and times that are hostile or mistaken.

mod lists;
mod terminal;

use std::ffi::OsStr;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::commands::everywhere;
use crate::harness::{AGENT_TOKEN, Server};
use crate::operator::{Done, Operator};

const LATER: u64 = 4_000_000_000;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs()
}

/// A server that knows its agents, so that it remembers whom they ask about, and its admin socket.
fn server(folder: &tempfile::TempDir, settings: &[(&str, &OsStr)]) -> (Server, Operator) {
    let socket = folder.path().join("admin.sock");
    let tokens = folder.path().join("agents");
    fs::write(&tokens, AGENT_TOKEN).expect("a test's own folder");
    let own: [(&str, &OsStr); 2] = [
        ("TOKEN_SERVER__ADMIN__SOCKET", socket.as_os_str()),
        ("TOKEN_SERVER__AGENT__TOKENS_FILE", tokens.as_os_str()),
    ];
    let server = Server::start(folder.path(), &[&own[..], settings].concat());
    (server, Operator::asking(&["--server", &format!("unix:{}", socket.display())]))
}

fn has(done: &Done, code: i32, parts: &[&str]) {
    let text = format!("{}{}", done.out, done.err);
    assert_eq!(done.code, Some(code), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn a_user_is_revoked_found_and_restored_the_same_way_everywhere() {
    everywhere(|operator| {
        has(&operator.run(&["restore", "anna"], ""), 2, &["Not revoked: anna. Nothing was changed."]);
        has(&operator.run(&["revoked"], ""), 0, &["no user is revoked"]);
        let revoke = ["revoke", "anna", "--note", "stolen phone", "--by", "olga", "--expire-in", "2h"];
        let done = operator.run(&revoke, "");
        has(
            &done,
            0,
            &[
                "Revoked: anna. Tokens issued before 20",
                "are refused; new logins are not touched.\nIt holds until 20",
                "(in 2 h).\n",
                "Last seen: not known",
                "Noted, by olga: stolen phone.",
                "To take it back: token-server restore anna --",
            ],
        );
        let since = ["revoke", "anna", "--since", "2026-01-02T03:04:05+01:00", "--forever"];
        let again = operator.run(&since, "");
        has(
            &again,
            0,
            &[
                "Tokens issued before 2026-01-02T02:04:05Z are refused",
                "It holds for ever.",
                "Was revoked already, which stays: tokens issued before 20",
                ", by olga: stolen phone.",
            ],
        );
        let sooner = [&since[..4], &["--expire-in", "1d"]].concat();
        has(&operator.run(&sooner, ""), 64, &["anna is revoked for ever already", "say it again with --yes"]);
        let held = &operator.json(&["revoked"], "")[0]["revocations"];
        let ends: Vec<bool> = held.as_array().unwrap().iter().map(|rule| rule["expireAt"] == 0).collect();
        assert!(ends.len() == 2 && ends.contains(&true), "{held}");
        let confirmed = operator.run(&[&sooner[..], &["--yes"]].concat(), "");
        has(&confirmed, 0, &["Replaced: tokens issued before 2026-01-02T02:04:05Z, for ever."]);

        operator.json(&["rules", "add", "anna", r#"{"_or":true,"cs":"1","rt":"1"}"#], "");
        operator.json(&["rules", "add", "ben", r#"{"rt":"1"}"#], "");
        operator.json(&["rules", "add", "--everybody", r#"{"rt":"x"}"#, "--confirm", "--forever"], "");
        let list = operator.run(&["revoked"], "");
        has(
            &list,
            0,
            &["anna: tokens issued before 2026-01-02T02:04:05Z, until 20", ", by olga: stolen phone\n"],
        );
        assert!(
            list.out.starts_with("everybody: tokens that match {\"rt\":\"x\"}, for ever\n"),
            "{}",
            list.out
        );
        assert_eq!(list.out.lines().count(), 3, "{}", list.out);
        assert_eq!(operator.run(&["revoked", "--search", "NN"], "").code, Some(0));
        has(&operator.run(&["revoked", "--search", "ben"], ""), 2, &["no such user is revoked"]);
        has(&operator.run(&["restore", "an"], ""), 2, &["Similar names that have rules: anna."]);

        let several = operator.run(&["restore", "anna"], "");
        has(&several, 64, &["anna is revoked by 2 rules:\n", "say it again with --yes"]);
        let restored = operator.run(&["restore", "anna", "--yes", "--note", "found"], "");
        has(
            &restored,
            0,
            &[
                "Restored: anna.\nNo longer refused: tokens issued before",
                "1 rule on some of the tokens of anna, such as those of sessions that were ended, stays: token-server rules list anna --",
                "1 rule for everybody holds for anna as well: token-server rules list --everybody --",
            ],
        );
        let left = operator.json(&["rules", "list", "anna"], "");
        assert!(left.len() == 1 && left[0]["rule"]["cs"] == "1", "{left:?}");
        assert_eq!(operator.run(&["restore", "anna"], "").code, Some(2));
        for group in ["anna", "ben"] {
            operator.json(&["rules", "remove", group, "--all"], "");
        }
        operator.json(&["rules", "remove", "--everybody", "--all"], "");
    });
}

#[test]
fn what_was_done_is_told_and_undone_the_same_way_everywhere() {
    everywhere(|operator| {
        let user = "carl";
        operator.json(&["revoke", user, "--note", "leaked", "--by", "olga", "--forever"], "");
        operator.json(&["restore", user, "--note", "a mistake"], "");
        let told = operator.run(&["history", user, "--limit", "2"], "");
        let lines: Vec<&str> = told.out.lines().collect();
        assert_eq!((told.code, lines.len()), (Some(0), 2), "{}{}", told.out, told.err);
        assert!(lines[0].contains("  restored carl: tokens issued before 20"), "{}", told.out);
        assert!(lines[0].contains(", which held for ever: a mistake  id "), "{}", told.out);
        assert!(lines[1].contains(" for olga  revoked carl: tokens issued before 20"), "{}", told.out);
        assert!(lines[1].contains(", for ever: leaked  id "), "{}", told.out);
        let entries = operator.json(&["history", user, "--limit", "2"], "");
        let id = |entry: usize| entries[entry]["id"].as_str().expect("an id").to_owned();
        let more = operator.run(&["history", user, "--limit", "1"], "");
        assert!(more.err.contains("there are more: token-server history --after="), "{}", more.err);

        has(
            &operator.run(&["undo", &id(0), "--note", "no mistake"], ""),
            0,
            &["revoked carl", ": no mistake  id "],
        );
        assert_eq!(operator.run(&["revoked", "--search", user], "").code, Some(0));
        // The rule was changed since: the first entry says how it stood before, which is not at all.
        let again = operator.run(&["undo", &id(0)], "");
        has(&again, 64, &["say it again with --yes"]);
        has(&operator.run(&["undo", &id(1)], ""), 0, &["restored carl"]);
        assert_eq!(operator.run(&["revoked", "--search", user], "").code, Some(2));
        for bad in ["nonsense", "1-1", "\u{1b}[2J"] {
            let none = operator.run(&["undo", bad], "");
            assert_ne!(none.code, Some(0), "{bad}");
            assert!(!none.err.contains('\u{1b}'), "{}", none.err);
        }
        assert_eq!(operator.run(&["history", "dora"], "").code, Some(2), "nothing is on record");
    });
}

#[test]
fn tokens_of_before_are_refused_and_those_of_a_new_login_are_not() {
    for (profile, subject, unit) in [("standard", "sub", 1), ("ms-users", "username", 1000)] {
        let folder = tempfile::tempdir().unwrap();
        let (server, operator) = server(&folder, &[("TOKEN_SERVER__PROFILE", profile.as_ref())]);
        let token = |iat: u64| {
            format!(r#"{{"{subject}":"anna","st":1,"rt":"1","iat":{},"exp":{LATER}}}"#, iat * unit)
        };
        let check = |token: &str| {
            let body = format!(r#"{{"profile":"{profile}","checks":[{{"payload":{token}}}]}}"#);
            server.check_as(&body)
        };
        let (before, long_before) = (now() - 1, now() - 10_000);
        assert_eq!((check(&token(before)), check(&token(long_before))), ("ok".to_owned(), "ok".to_owned()));

        operator.json(&["revoke", "anna", "--since", "1h ago"], "");
        assert_eq!(check(&token(long_before)), "revoked", "{profile}");
        assert_eq!(check(&token(before)), "ok", "{profile}: it was issued later");
        operator.json(&["revoke", "anna"], "");
        assert_eq!(check(&token(before)), "revoked", "{profile}");
        assert_eq!(check(&token(now() + 5)), "ok", "{profile}: a new login");
        operator.json(&["restore", "anna", "--yes"], "");
        assert_eq!(check(&token(long_before)), "ok", "{profile}");
    }
}

#[test]
fn a_user_who_was_not_seen_may_be_misspelt() {
    let folder = tempfile::tempdir().unwrap();
    let (server, operator) = server(&folder, &[]);
    let unknown = operator.run(&["revoke", "anna.berg"], "");
    has(&unknown, 0, &["Last seen: not known; this server has seen no user in the last 15 min."]);
    operator.json(&["restore", "anna.berg"], "");
    let name = "anna.berg\\u001b[2J";
    assert_eq!(server.check(&format!(r#"{{"sub":"{name}","exp":{LATER}}}"#)), "ok");
    assert_eq!(server.check(&format!(r#"{{"sub":"anna.berg","exp":{LATER}}}"#)), "ok");
    let seen = operator.run(&["revoke", "anna.berg"], "");
    has(&seen, 0, &["\nLast seen: 20"]);
    assert!(!seen.out.contains("Similar"), "{}", seen.out);
    let misspelt = operator.run(&["revoke", "ana.berg"], "");
    has(
        &misspelt,
        0,
        &["Last seen: not in the last 15 min. Is the name", "Similar names seen lately: anna.berg.\n"],
    );
    let close = operator.run(&["revoke", "anna.berg["], "");
    has(&close, 0, &["Similar names seen lately: anna.berg"]);
    assert!(!close.out.contains('\u{1b}'), "{}", close.out);
}

#[test]
fn a_name_does_nothing_to_the_terminal_and_comes_back_as_it_was_typed() {
    everywhere(|operator| {
        let long = "x".repeat(512);
        for (name, shown, typed) in [
            ("a/b c", "a/b c", "'a/b c'"),
            ("-x", "-x", "-x"),
            ("..", "..", ".."),
            ("%2e%00?#", "%2e%00?#", "'%2e%00?#'"),
            ("Jörg", "Jörg", "'Jörg'"),
            ("\u{1b}[2J\u{1b}]0;x\u{7}", r"\u{1b}[2J\u{1b}]0;x\u{7}", r"$'\x1b[2J\x1b]0;x\x07'"),
            ("a\nrevoked: b", r"a\u{a}revoked: b", r"$'a\x0arevoked: b'"),
            ("a\u{9b}31m\u{202e}", r"a\u{9b}31m\u{202e}", r"$'a\xc2\x9b31m\xe2\x80\xae'"),
            (&long, &long, &long),
        ] {
            let revoked = operator.about(&["revoke", "--by", "olga"], name);
            let back = match name.starts_with('-') {
                true => format!(" -- {typed}\n"),
                false => format!("token-server restore {typed} --"),
            };
            has(&revoked, 0, &[&format!("Revoked: {shown}. Tokens"), &back]);
            let found = operator.run(&["revoked", &format!("--search={name}")], "");
            has(&found, 0, &[&format!("{shown}: tokens issued before ")]);
            let told = operator.about(&["history"], name);
            has(&told, 0, &[&format!("revoked {shown}: ")]);
            let listed = operator.run(&["rules", "list"], "");
            has(&listed, 0, &[&format!("{shown}  rules 1")]);
            let restored = operator.about(&["restore"], name);
            has(&restored, 0, &[&format!("Restored: {shown}.")]);
            let nothing = operator.about(&["restore"], name);
            has(&nothing, 2, &[&format!("Not revoked: {shown}.")]);
            for done in [revoked, found, told, listed, restored, nothing] {
                let text = done.out + &done.err;
                let obeyed = |letter: char| letter != '\n' && (letter.is_control() || letter == '\u{202e}');
                assert!(!text.contains(obeyed), "{text:?}");
            }
        }
        let longer = "x".repeat(513);
        for (name, why) in [
            ("g", "g is everybody in the stores and no subject"),
            ("", "USER: is empty"),
            (&longer, "USER: is longer than 512 bytes"),
        ] {
            for command in ["revoke", "restore", "history"] {
                has(&operator.run(&[command, name], ""), 64, &[why]);
            }
        }
    });
}

#[test]
fn a_time_that_is_not_clear_is_refused_and_a_relative_one_goes_by_the_servers_clock() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rules.redb");
    let store = store.to_str().unwrap();
    // No store is opened before the words are right.
    let operator = Operator::asking(&["--store", store]);
    for (arguments, why) in [
        (
            &["revoke", "anna", "--since", "yesterday"][..],
            "--since: is no time that can be read; write now, 4h ago",
        ),
        (&["revoke", "anna", "--since", "2026-11-27T10:00:00"], "--since: says no zone"),
        (&["revoke", "anna", "--since", "1700000000000"], "--since: looks like milliseconds"),
        (&["revoke", "anna", "--since", "20261127"], "--since: is a number that may mean several things"),
        (&["revoke", "anna", "--expire-in", "1y"], "expected a number and a unit"),
        (&["revoke", "anna", "--expire-in", "1d", "--forever"], "cannot be used with"),
        (&["history", "--since", "1 month ago"], "--since: counts in months or years"),
        (&["history", "--until", "noon"], "--until: is no time"),
        (&["rules", "add", "anna", r#"{"a":1}"#, "--expire-at", "tomorrow"], "--expire-at: is no time"),
        (
            &["rules", "add", "anna", r#"{"a":1}"#, "--expire-at", "5"],
            "--expire-at: is a number that may mean",
        ),
    ] {
        has(&operator.run(arguments, ""), 64, &[why]);
    }
    assert!(!std::path::Path::new(store).exists());
    has(&operator.run(&["revoke", "anna"], ""), 1, &["there is no file"]);
    assert_eq!(operator.run(&["rules", "import"], "").code, Some(0));

    for (since, why) in [
        ("in 1h", "--since: is to come"),
        ("2100-01-01", "--since: is to come"),
        ("20000d ago", "--since: is before there were tokens"),
    ] {
        has(&operator.run(&["revoke", "anna", "--since", since], ""), 64, &[why]);
    }
    assert_eq!(operator.json(&["revoked"], ""), Vec::<Value>::new());
    let add = |end: &[&str]| {
        let added = operator.json(&[&["rules", "add", "anna", r#"{"a":1}"#][..], end].concat(), "");
        added[0]["expireAt"].as_u64().expect("an end")
    };
    let hour = now() + 3600;
    for end in [&["--expire-at", "in 1h"][..], &["--expire-at", "1h"], &["--expire-in", "1h"]] {
        assert!(add(end).abs_diff(hour) < 600, "{end:?}");
    }
    assert_eq!(add(&["--expire-at", "2100-01-02"]), 4_102_531_200);
    assert_eq!(add(&["--expire-at", "4102531200"]), 4_102_531_200);
    assert_eq!(add(&["--expire-at", "0"]), 0);
    has(
        &operator.run(&["rules", "add", "anna", r#"{"a":1}"#, "--expire-at", "1h ago"], ""),
        1,
        &["in the past"],
    );
    let lines = format!(
        "{}\n{}\n",
        r#"{"group":"ben","rule":{"a":1},"expireAt":"2100-01-02"}"#,
        r#"{"group":"ben","rule":{"a":2},"expireAt":"1h ago"}"#,
    );
    let imported = operator.json(&["rules", "import"], &lines);
    assert_eq!(imported, [json!({"imported": 1, "replaced": 0, "ended": 1, "refused": 0})]);
    assert_eq!(operator.json(&["rules", "list", "ben"], "")[0]["expireAt"], 4_102_531_200_u64);
}

#[test]
fn a_server_that_is_down_is_told_with_cause_and_cure() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}", folder.path().join("admin.sock").display());
    for server in [format!("http://{gone}"), socket] {
        let operator = Operator::asking(&["--server", &server]);
        for arguments in [
            &["revoke", "anna"][..],
            &["restore", "anna"],
            &["revoked"],
            &["history", "anna"],
            &["undo", "1-1"],
        ] {
            let done = operator.run(arguments, "");
            has(&done, 1, &[&server, "cannot be asked: ", "see that the token-server runs"]);
            assert_eq!(done.out, "");
        }
    }
    has(&Operator::asking(&[]).run(&["revoke", "anna"], ""), 64, &["whom to ask?"]);
}

#[test]
fn a_role_that_is_not_enough_is_told_in_words_and_a_change_has_the_name_of_its_token() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    fs::write(&tokens, "rita read token-of-rita-0000\ndesk revoke token-of-desk-0000\n").unwrap();
    let server = Server::start(folder.path(), &[("TOKEN_SERVER__ADMIN__TOKENS_FILE", tokens.as_os_str())]);
    let with = |name: &str| {
        let file = folder.path().join(name);
        fs::write(&file, format!("token-of-{name}-0000\n")).unwrap();
        let server = format!("http://{}", server.admin);
        Operator::asking(&["--server", &server, "--token-file", file.to_str().unwrap()])
    };
    let (rita, desk) = (with("rita"), with("desk"));
    let revoked = desk.run(&["revoke", "anna", "--by", "olga"], "");
    has(&revoked, 0, &["token-server restore anna --server http://", " --token-file "]);
    for arguments in [&["revoked"][..], &["history", "anna"], &["rules", "list"]] {
        assert_eq!(rita.run(arguments, "").code, Some(0), "{arguments:?}");
    }
    let id = rita.json(&["history", "anna"], "")[0]["id"].as_str().unwrap().to_owned();
    for arguments in [
        &["revoke", "anna", "--forever"][..],
        &["restore", "anna"],
        &["undo", &id],
        &["rules", "remove", "anna", "--all"],
    ] {
        let refused = rita.run(arguments, "");
        has(&refused, 1, &["answered 403 Forbidden: this needs the role revoke, and rita has the role read"]);
    }
    let everybody = ["rules", "add", "--everybody", r#"{"rt":"x"}"#, "--confirm"];
    has(&desk.run(&everybody, ""), 1, &["this needs the role admin, and desk has the role revoke"]);
    has(&rita.run(&["history", "anna"], ""), 0, &["  desk for olga  revoked anna: "]);
    assert_eq!(rita.json(&["history"], "").len(), 1, "nothing else was done");
    has(&desk.run(&["undo", &id], ""), 0, &["restored anna"]);
}
