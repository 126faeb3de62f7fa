//! Operators' commands straight on Redis, in its three forms, while a server runs beside them.

use integration_tests::port::free_port;
use integration_tests::stores::{Cluster, Redis, SentinelGroup};
use integration_tests::token::now;
use integration_tests::trail::Told;
use serde_json::json;

use super::{FOREVER, RedisBacked, eventually};
use crate::operator::Operator;

/// Everything that a command does on the store, as a server sees it that reads again only what it was told of.
fn operate(settings: &[(&str, &str)]) {
    let server = RedisBacked::start(&[settings, &[("TOKEN_SERVER__CACHE__TTL", FOREVER)]].concat());
    for subject in ["anna", "ben"] {
        eventually("the rules are known", || server.check(subject, "x") == "ok");
    }
    let operator = Operator::configured(settings, &["--configured-store"]);
    let rule = r#"{"rt":"x"}"#;
    let written =
        operator.json(&["rules", "add", "anna", rule, "--note", "stolen phone", "--by", "olga"], "");
    assert_eq!((&written[0]["rule"], &written[0]["by"]), (&json!({"rt": "x"}), &json!("olga")));
    eventually("the server has heard it", || server.check("anna", "x") == "revoked");
    assert_eq!(server.rules("anna")[0]["note"], "stolen phone");

    operator.json(&["rules", "add", "ben", rule, "--shadow"], "");
    eventually("the server tries it", || server.tried() == "1");
    assert_eq!(server.check("ben", "x"), "ok", "a rule on trial refuses no token");
    let size = |group: &str, rules: u8, shadow: u8| json!({"group": group, "rules": rules, "unreadable": 0, "shadow": shadow});
    assert_eq!(operator.json(&["rules", "list"], ""), [size("anna", 1, 0), size("ben", 0, 1)]);
    let listed = operator.run(&["rules", "list", "ben"], "");
    assert!(listed.out.starts_with("shadow"), "{}", listed.out);
    let explained = operator.run(&["token", "explain"], &super::payload("anna", "x"));
    assert_eq!(explained.code, Some(2), "{}", explained.err);
    assert!(explained.out.contains("(stolen phone)"), "{}", explained.out);

    let exported = operator.run(&["rules", "export"], "");
    assert_eq!((exported.code, exported.out.lines().count()), (Some(0), 2), "{}", exported.err);
    assert_eq!(operator.json(&["rules", "remove", "anna", rule], "")[0]["deleted"], 1);
    assert_eq!(operator.json(&["rules", "remove", "ben", "--all"], "")[0]["deleted"], 1);
    eventually("both are gone", || server.check("anna", "x") == "ok" && server.tried() == "0");
    assert_eq!(
        operator.json(&["rules", "import"], &exported.out),
        [json!({"imported": 2, "replaced": 0, "ended": 0, "refused": 0})]
    );
    eventually("both are back", || server.check("anna", "x") == "revoked" && server.tried() == "1");
    assert_eq!(operator.run(&["rules", "export"], "").out, exported.out);
    import_many(&operator, &server);

    let mut entries = operator.json(&["audit", "export"], "");
    assert!(entries.len() > 2_100, "more than two pages: {}", entries.len());
    assert!(entries.iter().all(|entry| entry["who"]["kind"] == "store"));
    entries.reverse();
    let told = Told::read(|path| server.admin(path).json());
    assert_eq!(told.entries, entries);
    assert_eq!(told.disagreements(now(), |_| true), Vec::<String>::new());

    let over_the_server = format!("unix:{}", server.socket.display());
    for operator in [&operator, &Operator::asking(&["--server", &over_the_server])] {
        support(operator, &server);
    }
}

/// What a support desk does, among thousands of users who have other rules.
fn support(operator: &Operator, server: &RedisBacked) {
    eventually("the rules are known", || server.check("zoe", "x") == "ok");
    assert_eq!(operator.run(&["restore", "zoe"], "").code, Some(2), "nothing is there to do");
    operator.json(&["revoke", "zoe", "--note", "stolen phone", "--by", "olga"], "");
    eventually("the server has heard it", || server.check("zoe", "x") == "revoked");
    let list = operator.run(&["revoked"], "");
    assert!(list.out.starts_with("zoe: tokens issued before 20"), "{}{}", list.out, list.err);
    assert!(list.out.ends_with(", by olga: stolen phone\n"), "{}", list.out);
    assert_eq!(operator.run(&["revoked", "--search", "user-7"], "").code, Some(2), "those have other rules");
    assert_eq!(operator.json(&["revoked", "--search", "ZO"], "").len(), 1);
    operator.json(&["restore", "zoe", "--note", "found"], "");
    eventually("the server has heard it", || server.check("zoe", "x") == "ok");
    let told = operator.run(&["history", "zoe", "--limit", "2"], "");
    assert!(told.out.contains("  restored zoe: ") && told.out.contains(": found  id "), "{}", told.out);
    let id = told.out.lines().next().and_then(|line| line.rsplit(' ').next()).expect("an id");
    operator.json(&["undo", id], "");
    eventually("the server has heard it", || server.check("zoe", "x") == "revoked");
    operator.json(&["restore", "zoe"], "");
    eventually("the server has heard it", || server.check("zoe", "x") == "ok");
}

/// More rules than one transaction holds, of many groups, each of which a server hears of.
fn import_many(operator: &Operator, server: &RedisBacked) {
    let some = ["user-0", "user-999", "user-1000", "user-2099"];
    for subject in some {
        eventually("the rules are known", || server.check(subject, "x") == "ok");
    }
    let line = |number: usize, rt: &str| {
        format!(r#"{{"group":"user-{number}","rule":{{"rt":"{rt}"}},"note":"moved"}}"#) + "\n"
    };
    let lines: String =
        (0..2_100).map(|number| line(number, "x")).chain([line(2_099, "x"), line(7, "y")]).collect();
    assert_eq!(
        operator.json(&["rules", "import"], &lines),
        [json!({"imported": 2_102, "replaced": 1, "ended": 0, "refused": 0})]
    );
    for subject in some {
        eventually("the server has heard it", || server.check(subject, "x") == "revoked");
    }
    let rules = server.rules("user-7");
    assert_eq!((rules.len(), &rules[0]["note"], &rules[1]["note"]), (2, &json!("moved"), &json!("moved")));
}

#[test]
fn what_is_no_group_of_rules_keeps_no_other_group_out_of_an_import() {
    let redis = Redis::start(&[]);
    redis.command(&["SET", "{ms-users}jwt-rules:anna", "something else"]);
    let settings = [("TOKEN_SERVER__REDIS__URLS", redis.url())];
    let operator = Operator::configured(&settings, &["--configured-store"]);
    let lines =
        ["anna", "ben"].map(|group| format!(r#"{{"group":"{group}","rule":{{"rt":"x"}}}}"#)).join("\n");
    let partly = operator.run(&["rules", "import", "--json"], &lines);
    assert_eq!(partly.code, Some(1), "{}", partly.err);
    let told: serde_json::Value = serde_json::from_str(&partly.out).unwrap();
    assert_eq!(told, json!({"imported": 1, "replaced": 0, "ended": 0, "refused": 1}));
    assert!(partly.err.contains("token-server: line 1: "), "{}", partly.err);
}

#[test]
fn commands_work_straight_on_one_redis() {
    let redis = Redis::start(&[]);
    operate(&[("TOKEN_SERVER__REDIS__URLS", redis.url())]);
}

#[test]
fn commands_find_the_master_by_sentinel_and_wait_for_its_replica() {
    let group = SentinelGroup::start(&[]);
    let urls = group.urls();
    let settings = [
        ("TOKEN_SERVER__REDIS__MODE", "sentinel"),
        ("TOKEN_SERVER__REDIS__MASTER", "rules"),
        ("TOKEN_SERVER__REDIS__URLS", urls.as_str()),
        ("TOKEN_SERVER__REDIS__MIN_REPLICAS", "1"),
    ];
    let operator = Operator::configured(&settings, &["--configured-store"]);
    eventually("the replica takes part", || {
        operator.run(&["rules", "add", "carl", r#"{"rt":"x"}"#], "").code == Some(0)
    });
    operator.json(&["rules", "remove", "carl", "--all"], "");
    operate(&settings);
}

#[test]
fn commands_find_the_master_of_the_slot_in_a_cluster() {
    let cluster = Cluster::start(&[]);
    let urls = cluster.urls();
    operate(&[("TOKEN_SERVER__REDIS__MODE", "cluster"), ("TOKEN_SERVER__REDIS__URLS", urls.as_str())]);
}

#[test]
fn a_redis_that_does_not_answer_is_told_and_nothing_is_made_up() {
    let url = format!("redis://127.0.0.1:{}", free_port().unwrap());
    let operator = Operator::configured(&[("TOKEN_SERVER__REDIS__URLS", &url)], &["--configured-store"]);
    for arguments in
        [&["rules", "list"][..], &["rules", "export"], &["rules", "add", "anna", r#"{"rt":"x"}"#]]
    {
        let done = operator.run(arguments, "");
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{arguments:?}: {}", done.err);
        assert!(done.err.contains("TOKEN_SERVER__REDIS__URLS leads to a master"), "{}", done.err);
    }
}

#[test]
fn an_import_of_several_batches_reads_a_group_once() {
    let redis = Redis::start(&[]);
    let settings = [("TOKEN_SERVER__REDIS__URLS", redis.url())];
    let operator = Operator::configured(&settings, &["--configured-store"]);
    let reads = |group: &str, rules: usize| {
        redis.write(group, r#"{"rt":"was here"}"#, 0);
        redis.command(&["CONFIG", "RESETSTAT"]);
        let line = |number| format!(r#"{{"group":"{group}","rule":{{"rt":{number}}}}}"#) + "\n";
        let lines: String = (0..rules).map(line).collect();
        let imported = json!({"imported": rules, "replaced": 0, "ended": 0, "refused": 0});
        assert_eq!(operator.json(&["rules", "import"], &lines), [imported]);
        redis.calls("zrange")
    };
    let one_batch = reads("anna", 500);
    assert!(one_batch > 0, "what is there is read");
    // Where nothing else keeps the machine busy it is as many.
    assert!(reads("ben", 4_500) < one_batch + 4, "not one for each batch");
}
