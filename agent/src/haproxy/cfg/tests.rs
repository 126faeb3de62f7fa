use super::*;

fn environment(cfg: &str, process: &[(&str, &str)]) -> BTreeMap<String, String> {
    let process = process.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
    HaproxyCfg::parse(cfg)
        .unwrap()
        .apply(process)
        .unwrap()
        .into_iter()
        .map(|(n, v)| (n.into_string().unwrap(), v.into_string().unwrap()))
        .collect()
}

#[test]
fn reads_what_a_program_section_would_inherit() {
    let cfg = r#"
global
presetenv BASE /etc/keys
setenv JWT_JWKS_FILE "${BASE}/jwks.json"   # a comment
setenv JWT_ISSUERS 'https://a.example/$x'
setenv JWT_SCHEMES JWT,\ Bearer
presetenv JWT_LEEWAY 5
presetenv JWT_TIMEOUT_MS 50
# setenv JWT_PROFILE ms-users
setenv OTHER 1
"#;
    let found = environment(cfg, &[("BASE", "/srv"), ("JWT_TIMEOUT_MS", "20"), ("JWT_ISSUERS", "old")]);
    let expected = [
        ("JWT_ISSUERS", "https://a.example/$x"),
        ("JWT_JWKS_FILE", "/srv/jwks.json"),
        ("JWT_LEEWAY", "5"),
        ("JWT_SCHEMES", "JWT, Bearer"),
        ("JWT_TIMEOUT_MS", "20"),
    ];
    assert_eq!(found, expected.map(|(n, v)| (n.to_owned(), v.to_owned())).into());
}

#[test]
fn names_the_line_that_it_cannot_read() {
    for (cfg, what) in [
        ("setenv JWT_A \"x", "line 1: a double quote is not closed"),
        ("\nsetenv JWT_A 'x", "line 2: a single quote is not closed"),
        ("setenv JWT_A", "line 1: expected a name and one value"),
        ("setenv JWT_A b c", "line 1: expected a name and one value"),
        ("setenv \"JWT_A=secret\" x", "line 1: expected a name of letters, digits and _"),
        ("setenv JWT_A\\ secret x", "line 1: expected a name of letters, digits and _"),
        ("setenv JWT_A\0secret x", "line 1: expected a name of letters, digits and _"),
        ("setenv \"JWT_A${B}\" x", "line 1: expected a plain name"),
        ("setenv JWT_A \"${B\"", "line 1: ${NAME} is not closed"),
        ("setenv JWT_A \"${B:-x}\"", "line 1: ${NAME} is not closed"),
        ("setenv JWT_A \"${B.c}\"", "line 1: ${NAME} is not closed"),
        (
            "setenv JWT_A \"x$1\"",
            "line 1: a variable's name begins with a letter or _; a $ that is none is written \\$",
        ),
        ("setenv JWT_A \"${B[*]}\"", "line 1: ${NAME[*]} may stand for several words; write the value here"),
        ("setenv JWT_A \\xg1", "line 1: \\x is not followed by two hexadecimal digits of an ASCII character"),
    ] {
        assert_eq!(HaproxyCfg::parse(cfg).unwrap_err().to_string(), what, "{cfg}");
    }
}

#[test]
fn finds_the_variables_that_the_file_uses() {
    let cfg = HaproxyCfg::parse(
        "http-request deny unless { var(txn.tkn.valid) -m bool }\n\
         http-request set-header x-user %[var(txn.tkn.payload.sub)] if { var(txn.tkn.payload.a.b) -m found }\n\
         log-format \"%[var(txn.tkn.reason)]\"\n # var(txn.tkn.body)\n",
    )
    .unwrap();
    let expected = ["payload.a.b", "payload.sub", "reason", "valid"];
    assert_eq!(cfg.variables(), expected.map(str::to_owned).into());
}

#[test]
fn reads_words_as_haproxy_does() {
    let cfg = r##"
    setenv A2 \x61\x62
    setenv JWT_1 a\1b
    setenv JWT_2 \x61\x62
    setenv JWT_3 "a\$b"
    setenv JWT_4 a\'b\"c
    setenv JWT_5 'a\x61b$X'
    setenv JWT_6 "${NOPE-def ault}"
    setenv JWT_7 ${NOPE}
    setenv JWT_8 "$A2/x"
    setenv JWT_9 "a#b"#c
    setenv JWT_10 x\
    setenv JWT_11 "x\ty\ z"
    setenv JWT_12 "${A2}"'lit'"$A2"
    "setenv" JWT_13 quoted
    setenv JWT_14 "a'b"
    setenv JWT_15 "${NOPE-a\}b}"
    setenv JWT_16 "${NOPE-$A2}"
    setenv "JWT_17" "${A2-unused}"
    setenv JWT_19 "$A2.x$A2-y"
    setenvJWT_20x
    setenv JWT_21 a\$b
    unsetenv A2
    setenv JWT_18 "${A2-gone}"
"##;
    // What HAProxy 2.6 itself makes of these words, by `.notice`.
    let expected = [
        ("JWT_1", "a\\1b"),
        ("JWT_2", "ab"),
        ("JWT_3", "a$b"),
        ("JWT_4", "a'b\"c"),
        ("JWT_5", "a\\x61b$X"),
        ("JWT_6", "def ault"),
        ("JWT_7", "${NOPE}"),
        ("JWT_8", "ab/x"),
        ("JWT_9", "a#b"),
        ("JWT_10", "x\\"),
        ("JWT_11", "x\ty z"),
        ("JWT_12", "ablitab"),
        ("JWT_13", "quoted"),
        ("JWT_14", "a'b"),
        ("JWT_15", "a\\b}"),
        ("JWT_16", "$A2"),
        ("JWT_17", "ab"),
        ("JWT_18", "gone"),
        ("JWT_19", "ab.xab-y"),
        ("JWT_20", "x"),
        ("JWT_21", "a\\$b"),
    ];
    assert_eq!(environment(cfg, &[]), expected.map(|(n, v)| (n.to_owned(), v.to_owned())).into());
}

#[test]
fn foreign_lines_end_no_start() {
    for foreign in [
        "setenv X a b",
        "setenv X",
        "setenv X \"a",
        "setenv X \\xzz",
        "presetenv",
        "unsetenv",
        ".if x\nsetenv X a\n.endif",
    ] {
        let cfg = format!("{foreign}\nsetenv JWT_A b\n");
        assert_eq!(environment(&cfg, &[]), [("JWT_A".to_owned(), "b".to_owned())].into(), "{foreign}");
    }
}

#[test]
fn settings_can_be_taken_away() {
    let both = [("JWT_A", "a"), ("JWT_B", "b")];
    for (cfg, left) in [
        ("unsetenv JWT_A", &[("JWT_B", "b")][..]),
        ("unsetenv X JWT_B", &[("JWT_A", "a")]),
        ("resetenv", &[]),
        ("resetenv PATH JWT_B", &[("JWT_B", "b")]),
        ("resetenv\nsetenv JWT_A c", &[("JWT_A", "c")]),
        ("unsetenv JWT_A\npresetenv JWT_A c", &[("JWT_A", "c"), ("JWT_B", "b")]),
    ] {
        let left = left.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        assert_eq!(environment(cfg, &both), left, "{cfg}");
    }
}

#[test]
fn no_setting_of_ours_hangs_on_a_condition() {
    let judge = |cfg: &str| HaproxyCfg::parse(cfg).and_then(|cfg| cfg.apply(Vec::new()));
    for (line, cfg) in [
        (2, ".if defined(X)\nsetenv JWT_AUDIENCES a\n.endif"),
        (4, ".if defined(X)\n.else\n  .if 1\n presetenv JWT_A a\n.endif\n.endif"),
        (3, ".if 0\n.elif 1\n\"setenv\" 'JWT_A' a\n.endif"),
        (2, ".if 0\nunsetenv X JWT_A\n.endif"),
        (2, ".if 0\nresetenv\n.endif"),
        (4, ".if 0\nsetenv DIR /a\n.endif\nsetenv JWT_A \"${DIR}/k\""),
        (4, ".if 0\nsetenv DIR /a\n.endif\nsetenv JWT_A \"${DIR-/b}/k\""),
        (2, "setenv DIR \"/a\nsetenv JWT_A \"${DIR}/k\""),
        (1, "setenv JWT_A \"${HAPROXY_BRANCH-/etc}/k\""),
        (2, "setenv DIR \"$HAPROXY_BRANCH\"\nsetenv JWT_A \"$DIR\""),
        (3, "setenv P JWT_A\n.if 0\nsetenv \"$P\" a\n.endif"),
    ] {
        let error = judge(cfg).unwrap_err().to_string();
        assert!(error.starts_with(&format!("line {line}: ")), "{cfg}: {error}");
    }
    // A value of nothing is none for HAProxy.
    for cfg in ["setenv JWT_A \"\"", "presetenv JWT_A \"${NOPE}\"", "setenv JWT_A \"${NOPE-}\""] {
        assert!(judge(cfg).unwrap_err().to_string().starts_with("line 1: an empty value"), "{cfg}");
    }
    assert!(judge(".if 0\nsetenv DIR /a\n.endif\nsetenv DIR /b\nsetenv JWT_A \"$DIR\"").is_ok());
}

#[test]
fn what_can_be_read_of_a_faulty_file_is_read() {
    let before = [("JWT_LEEWAY".into(), "1".into())];
    for (text, expected) in [
        ("setenv JWT_ADMIN_LISTEN a:1", Some("a:1")),
        ("setenv PORT 1\nsetenv JWT_ADMIN_LISTEN \"a:${PORT}\"\nsetenv JWT_CLAIMS \"no end", Some("a:1")),
        ("setenv JWT_CLAIMS\nsetenv JWT_A= x\nsetenv JWT_ADMIN_LISTEN a:1", Some("a:1")),
        (".if defined(X)\nsetenv JWT_ADMIN_LISTEN b:2\n.endif\nsetenv JWT_ADMIN_LISTEN a:1", Some("a:1")),
        ("setenv JWT_ADMIN_LISTEN \"a:1", None),
        ("", None),
    ] {
        let environment = HaproxyCfg::apply_readable(text, &before);
        let value = |wanted: &str| {
            environment.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.to_str().unwrap())
        };
        assert_eq!((value("JWT_ADMIN_LISTEN"), value("JWT_LEEWAY")), (expected, Some("1")), "{text}");
    }
}
