use super::*;

const NOW: Option<&str> = Some("2026-07-28");

fn encoded(name: &str) -> String {
    format!("=?base64?{}?=", STANDARD.encode(name))
}

/// Reading is for some, deleting for others, a listing for everybody.
fn rows() -> Rows {
    let row = |decider, methods: &[&str], names: Option<&[&str]>| Row {
        policy: "mcp".to_owned(),
        decider,
        methods: methods.iter().map(|it| (*it).to_owned()).collect(),
        names: names.map(|names| names.iter().map(|it| (*it).to_owned()).collect()),
        versions: None,
    };
    let other = Row { policy: "other".to_owned(), ..row(9, &["*"], None) };
    vec![
        other,
        row(1, &["tools/call"], Some(&["read_*"])),
        row(2, &["tools/call", "resources/*"], Some(&["delete_x", "file:///*"])),
        row(3, &["*"], Some(&["never_*"])),
        row(4, &["tools/list", "server/*"], None),
    ]
    .into()
}

fn decider(method: &str, name: Option<&str>) -> Result<usize, Reject> {
    rows().decider("mcp", &Call::read(Some(method), name, NOW)?)
}

#[test]
fn the_first_row_for_a_call_says_which_policy_judges_it() {
    for (method, name, expected) in [
        ("tools/call", Some("read_x"), Ok(1)),
        ("tools/call", Some("delete_x"), Ok(2)),
        ("tools/call", Some("read_"), Ok(1)),
        ("tools/call", Some("never_x"), Ok(3)),
        ("resources/read", Some("file:///etc/hosts"), Ok(2)),
        ("tools/list", None, Ok(4)),
        ("server/discover", None, Ok(4)),
        // Letter case counts, and the whole of a name.
        ("tools/call", Some("READ_x"), Err(Reject::Mcp)),
        ("tools/call", Some("xread_x"), Err(Reject::Mcp)),
        ("tools/call", Some("delete_xy"), Err(Reject::Mcp)),
        ("Tools/call", Some("read_x"), Err(Reject::Mcp)),
        ("tools/list ", None, Err(Reject::McpHeader)),
        ("prompts/get", Some("hello"), Err(Reject::Mcp)),
        ("initialize", None, Err(Reject::Mcp)),
    ] {
        assert_eq!(decider(method, name), expected, "{method} {name:?}");
    }
}

#[test]
fn a_name_counts_only_where_a_server_compares_it_with_the_body() {
    assert_eq!(decider("completion/complete", Some("never_x")), Err(Reject::Mcp));
    assert_eq!(decider("tools/list", Some("never_x")), Ok(4));
    assert_eq!(decider("tools/call", Some("never_x")), Ok(3));
}

#[test]
fn an_encoded_name_gets_the_decision_of_the_plain_one() {
    for name in ["read_x", "delete_x", "never_x", "READ_x", "prompt"] {
        assert_eq!(decider("tools/call", Some(&encoded(name))), decider("tools/call", Some(name)), "{name}");
    }
    // What only stands encoded in a header, and what was encoded twice.
    assert_eq!(decider("tools/call", Some(&encoded("read_caf\u{e9}"))), Ok(1));
    assert_eq!(decider("tools/call", Some(&encoded(" read_x"))), Err(Reject::Mcp));
    assert_eq!(decider("tools/call", Some(&encoded(&encoded("read_x")))), Err(Reject::Mcp));
}

#[test]
fn a_name_that_cannot_be_decoded_is_refused() {
    for name in [
        "",
        "=?",
        "=?=",
        "=?base64?",
        "=?base64??=",
        "=?base64?cmVhZF94",
        "=?base64?cmVhZF94?",
        "=?base64?cmVhZF94?==",
        "=?BASE64?cmVhZF94?=",
        "=?Base64?cmVhZF94?=",
        "=?utf-8?b?cmVhZF94?=",
        "=?base64?cmVhZF94=?=",
        "=?base64?cmVhZA?=",
        "=?base64?cmVhZB==?=",
        "=?base64?cmVh ZF94?=",
        "=?base64?_-8=?=",
        "=?base64?/w==?=",
        "read_\u{fffd}",
        "read_caf\u{e9}",
        "read_x\t",
        "read\u{0}x",
        " read_x",
        "read_x ",
    ] {
        let read = Call::read(Some("tools/call"), Some(name), NOW);
        assert_eq!(read, Err(Reject::McpHeader), "{name:?}");
        assert_eq!(
            Call::read(Some("tools/list"), Some(name), NOW).map(drop),
            Err(Reject::McpHeader),
            "{name:?}"
        );
    }
}

#[test]
fn what_says_nothing_or_is_of_an_older_revision_is_refused() {
    for (method, name, version) in [
        (None, None, NOW),
        (Some(""), None, NOW),
        (Some("tools/list"), None, None),
        (Some("tools/list"), None, Some("")),
        (Some("tools/list"), None, Some("2025-11-25")),
        (Some("tools/list"), None, Some("2026-07-27")),
        (Some("tools/list"), None, Some("2026-07-28, 2025-11-25")),
        (Some("tools/list"), None, Some("2026-7-280")),
        (Some("tools/list"), None, Some("9")),
        (Some("tools/list"), None, Some("DRAFT-2027")),
        (Some("tools/list"), None, Some("2027-01-0x")),
        (Some("tools/call"), None, NOW),
        (Some("resources/read"), None, NOW),
        (Some("prompts/get"), None, NOW),
    ] {
        assert_eq!(
            Call::read(method, name, version),
            Err(Reject::McpHeader),
            "{method:?} {name:?} {version:?}"
        );
    }
    assert!(Call::read(Some("tools/list"), None, Some("2027-01-31")).is_ok());
}

#[test]
fn a_row_may_be_for_some_versions_alone() {
    let row = Row {
        policy: "mcp".to_owned(),
        decider: 1,
        methods: vec!["*".to_owned()],
        names: None,
        versions: Some(vec!["2026-07-28".to_owned()]),
    };
    let rows = Rows::from(vec![row]);
    for (version, expected) in [("2026-07-28", Ok(1)), ("2027-01-31", Err(Reject::Mcp))] {
        let call = Call::read(Some("tools/list"), None, Some(version)).unwrap();
        assert_eq!(rows.decider("mcp", &call), expected);
    }
    assert!(rows.has("mcp") && !rows.has("MCP") && !rows.has(""));
}
