//! The program as an operator meets it: command line, sockets, signals.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{SystemTime, UNIX_EPOCH};

use integration_tests::keys::{jwks, key};

use crate::harness::{Server, answer, connect, connect_socket, get, head, output, post};

const LATER: u64 = 4_000_000_000;

#[test]
fn the_configuration_can_be_checked() {
    let here = tempfile::tempdir().unwrap();
    let store = here.path().join("rules.redb");
    let settings =
        [("TOKEN_SERVER__PROFILE", "ms-users".as_ref()), ("TOKEN_SERVER__STORE__PATH", store.as_os_str())];
    let good = output(&settings, &["--check"]);
    assert_eq!((good.status.code(), good.stderr.len()), (Some(0), 0));

    let keys = here.path().join("keys.json");
    fs::write(&keys, jwks([key("ES256")])).unwrap();
    let binding = [
        ("TOKEN_SERVER__STORE__PATH", store.as_os_str()),
        ("TOKEN_SERVER__JWKS__FILE", keys.as_os_str()),
        ("TOKEN_SERVER__VERIFY__BINDING", "mtls".as_ref()),
    ];
    let warned = String::from_utf8(output(&binding, &["--check"]).stdout).unwrap();
    assert!(
        warned.contains("[[issuers]], is mtls: no proxy tells /verify of a client's certificate"),
        "{warned}"
    );

    let faults = [
        ("TOKEN_SERVER__PROFILE", "secret".as_ref()),
        ("TOKEN_SERVER__STORE__PTAH", "x".as_ref()),
        ("TOKEN_SERVER__JWE__KEYS_FILE", "x".as_ref()),
    ];
    for arguments in [&["--check"][..], &[]] {
        let bad = output(&faults, arguments);
        assert_eq!(bad.status.code(), Some(64));
        let text = String::from_utf8(bad.stderr).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(
            text.contains("did you mean TOKEN_SERVER__STORE__PATH?") && !text.contains("secret"),
            "{text}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent/rules.redb");
    let empty = folder.path().join("empty.redb");
    fs::write(&empty, "").unwrap();
    let garbage = folder.path().join("garbage.redb");
    fs::write(&garbage, "garbage").unwrap();
    for (name, value, expected) in [
        ("TOKEN_SERVER__STORE__PATH", absent.as_os_str(), "absent/rules.redb: "),
        ("TOKEN_SERVER__STORE__PATH", empty.as_os_str(), "the file is empty"),
        ("TOKEN_SERVER__STORE__PATH", garbage.as_os_str(), "damaged or not a store"),
        ("TOKEN_SERVER__ADMIN__SOCKET", absent.as_os_str(), "TOKEN_SERVER__ADMIN__SOCKET: cannot listen on"),
        (
            "TOKEN_SERVER__ADMIN__LISTEN",
            "127.0.0.1:4000".as_ref(),
            "TOKEN_SERVER__ADMIN__LISTEN: 127.0.0.1:4000 meets",
        ),
        (
            "TOKEN_SERVER__AGENT__TOKENS_FILE",
            empty.as_os_str(),
            "TOKEN_SERVER__AGENT__TOKENS_FILE: the file holds no token",
        ),
        ("TOKEN_SERVER__VERIFY__ALGORITHMS", "RSA256".as_ref(), "RSA256 is no signature algorithm"),
    ] {
        let store = folder.path().join("rules.redb");
        let bad = output(&[("TOKEN_SERVER__STORE__PATH", store.as_os_str()), (name, value)], &["--check"]);
        let text = String::from_utf8(bad.stderr).unwrap();
        assert_eq!(bad.status.code(), Some(64), "{name}: {text}");
        assert!(
            text.contains(expected) && text.lines().all(|line| line.starts_with("token-server: ")),
            "{text}"
        );
        assert!(!store.exists(), "a check makes nothing");
    }
    let dead: &[(&str, &std::ffi::OsStr)] = &[
        ("TOKEN_SERVER__REDIS__URLS", "redis://:s3cret@127.0.0.1:1".as_ref()),
        ("TOKEN_SERVER__CONSUL__URL", "http://user:s3cret@127.0.0.1:1".as_ref()),
    ];
    assert_eq!(output(dead, &["--check"]).status.code(), Some(0));
    let asked = output(dead, &["--check", "--online"]);
    let text = String::from_utf8(asked.stderr).unwrap();
    assert_eq!(asked.status.code(), Some(1), "{text}");
    assert!(text.contains("redis: ") && text.contains("Consul http://127.0.0.1:1/: "), "{text}");
    assert_eq!(text.matches("Connection refused").count(), 2, "each says why: {text}");
    assert!(!text.contains("s3cret"), "{text}");
    for arguments in [
        &["--server", "unix:/x", "rules", "--store", "y", "list"][..],
        &["rules", "list", "--store", "y", "--configured-store"],
        &["--json"],
        &["--check", "--store", "x"],
        &["rules", "list", "--cert-file", "x", "--server", "https://x"],
    ] {
        let refused = output(&[], arguments);
        assert_eq!(refused.status.code(), Some(64), "{arguments:?}");
        assert!(String::from_utf8(refused.stderr).unwrap().starts_with("token-server: --"), "{arguments:?}");
    }
    let store = folder.path().join("there.redb");
    drop(token_server::store::EmbeddedStore::open(&store).unwrap());
    let store = store.to_str().unwrap();
    for arguments in
        [&["--store", store, "--json", "rules", "list"][..], &["rules", "--json", "list", "--store", store]]
    {
        assert_eq!(output(&[], arguments).status.code(), Some(0), "{arguments:?}");
    }
    assert_eq!(output(&[], &["--chekc"]).status.code(), Some(64));
    for argument in ["--version", "--help"] {
        let answer = output(&[], &[argument]);
        assert_eq!(answer.status.code(), Some(0));
        assert!(!answer.stdout.is_empty());
    }
}

#[test]
fn a_port_in_use_is_told_with_its_setting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = output(&[("TOKEN_SERVER__LISTEN", address.as_ref()), ("RUST_LOG", "off".as_ref())], &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains(&address) && text.contains("TOKEN_SERVER__LISTEN"), "{text}");
}

#[test]
fn the_admin_socket_is_private_and_survives_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let settings = [("TOKEN_SERVER__ADMIN__SOCKET", socket.as_os_str())];
    let server = Server::start(folder.path(), &settings);
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(get(connect_socket(&socket), "/v1/rules", &[]).status, 200);
    assert_eq!(get(connect_socket(&socket), "/metrics", &[]).status, 200);
    server.kill();
    assert!(socket.exists(), "a crash leaves the file");

    let server = Server::start(folder.path(), &settings);
    assert_eq!(get(connect_socket(&socket), "/ready", &[]).status, 200);
    server.signal("-TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert!(!socket.exists(), "an orderly end does not");
}

#[test]
fn bearer_tokens_guard_the_tcp_listeners() {
    let folder = tempfile::tempdir().unwrap();
    let (admin, agent) = (folder.path().join("admin"), folder.path().join("agent"));
    fs::write(&admin, "admin-token\n").unwrap();
    fs::write(&agent, "# one a line\nagent-token\n").unwrap();
    let server = Server::start(
        folder.path(),
        &[
            ("TOKEN_SERVER__ADMIN__TOKENS_FILE", admin.as_os_str()),
            ("TOKEN_SERVER__AGENT__TOKENS_FILE", agent.as_os_str()),
        ],
    );
    let rule = r#"{"rule":{"rt":"x"}}"#;
    for (authorization, status) in [("Bearer agent-token", 401), ("Bearer admin-token", 201)] {
        let headers = [("authorization", authorization)];
        assert_eq!(post(connect(server.admin), "/v1/rules/anna", &headers, rule).status, status);
    }
    let batch = r#"{"profile":"standard","checks":[]}"#;
    assert_eq!(post(connect(server.main), "/v1/check", &[], batch).status, 401);
    let headers = [("authorization", "Bearer agent-token")];
    assert_eq!(post(connect(server.main), "/v1/check", &headers, batch).status, 200);
}

#[test]
fn old_callers_are_answered_and_proxies_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[("TOKEN_SERVER__PROFILE", "ms-users".as_ref())]);
    let ask = |headers: &[(&str, &str)], body: &str| post(connect(server.main), "/", headers, body);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(ask(&[], r#"{"username":"anna"}"#).body, "ok");
    assert_eq!(ask(&[], &format!(r#"{{"username":"anna","exp":{LATER}}}"#)).body, "ok");
    assert_eq!(ask(&[], &format!(r#"{{"username":"anna","exp":{}}}"#, now - 1)).body, "E_TKN_INVALID");
    assert_eq!(ask(&[], &format!(r#"{{"username":"anna","exp":{}000}}"#, now - 1)).body, "E_TKN_INVALID");
    let jwe = ask(&[("content-type", "text/plain")], "a.b.c.d.e");
    assert_eq!(jwe.json(), serde_json::json!({"valid": "0", "reason": "E_TKN_INVALID", "stateless": "1"}));
    assert_eq!(ask(&[], "a.b.c").json(), serde_json::json!({"valid": "0", "reason": "E_TKN_LEGACY"}));
    assert_eq!(ask(&[("X-Forwarded-Proto", "https")], "a.b.c").status, 403);
    assert_eq!(post(connect(server.admin), "/v1/everybody/rules", &[], r#"{"rule":{"a":1}}"#).status, 403);

    for settings in [
        &[][..],
        &[
            ("TOKEN_SERVER__PROFILE", "ms-users".as_ref()),
            ("TOKEN_SERVER__COMPAT__ENABLED", "false".as_ref()),
        ],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let off = Server::start(folder.path(), settings);
        assert_eq!(post(connect(off.main), "/", &[], "a.b.c").status, 404, "{settings:?}");
    }
}

#[test]
fn old_callers_without_a_bearer_token_are_answered_beside_guarded_agents_only_where_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let agents = folder.path().join("agents");
    fs::write(&agents, "agent-token\n").unwrap();
    let settings = [
        ("TOKEN_SERVER__PROFILE", "ms-users".as_ref()),
        ("TOKEN_SERVER__AGENT__TOKENS_FILE", agents.as_os_str()),
    ];
    let bearer = [("authorization", "Bearer agent-token")];
    let guarded = Server::start(folder.path(), &settings);
    assert_eq!(post(connect(guarded.main), "/", &[], r#"{"username":"anna"}"#).status, 401);
    assert_eq!(post(connect(guarded.main), "/", &bearer, r#"{"username":"anna"}"#).body, "ok");
    assert!(!guarded.has_said("POST / answers without a bearer token"));

    let folder = tempfile::tempdir().unwrap();
    let settings = [settings[0], settings[1], ("TOKEN_SERVER__COMPAT__OPEN", "true".as_ref())];
    let open = Server::start(folder.path(), &settings);
    assert_eq!(post(connect(open.main), "/", &[], r#"{"username":"anna"}"#).body, "ok");
    let batch = r#"{"profile":"ms-users","checks":[]}"#;
    assert_eq!(
        post(connect(open.main), "/v1/check", &[], batch).status,
        401,
        "agents show theirs all the same"
    );
    assert!(open.has_said("POST / answers without a bearer token"));
}

#[test]
fn old_forms_are_told_apart_by_the_body_alone() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let server = Server::start(
        folder.path(),
        &[
            ("TOKEN_SERVER__PROFILE", "ms-users".as_ref()),
            ("TOKEN_SERVER__ADMIN__SOCKET", socket.as_os_str()),
        ],
    );
    let rule = r#"{"rule":{"rt":"x"}}"#;
    assert_eq!(post(connect_socket(&socket), "/v1/rules/anna", &[], rule).status, 201);
    let refused = r#"{"valid":"0","reason":"E_TKN_INVALID","stateless":"1"}"#;
    let legacy = r#"{"valid":"0","reason":"E_TKN_LEGACY"}"#;
    for content_type in [
        None,
        Some("text/plain"),
        Some("text/plain; charset=utf-8"),
        Some("application/json"),
        Some("application/x-www-form-urlencoded"),
        Some("application/octet-stream"),
        Some("nonsense"),
    ] {
        let headers: Vec<_> = content_type.map(|value| ("content-type", value)).into_iter().collect();
        for (body, answered) in [
            (r#"{"username":"anna"}"#, "ok"),
            (r#" {"username":"anna","rt":"x"}"#, "E_TKN_INVALID"),
            (r#"{"username":"ben","rt":"x"}"#, "ok"),
            ("{", "E_TKN_INVALID"),
            ("a.b.c.d.e", refused),
            ("\"a.b.c.d.e\"", refused),
            ("a.b.c.d.e\r\n", refused),
            ("a.b.c", legacy),
            ("token=a.b.c.d", legacy),
            ("", legacy),
        ] {
            let whole = post(connect(server.main), "/", &headers, body);
            assert_eq!((whole.status, whole.body.as_str()), (200, answered), "{body:?} as {content_type:?}");
        }
    }
}

#[test]
fn a_body_without_a_length_is_read_in_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[("TOKEN_SERVER__PROFILE", "ms-users".as_ref())]);
    let mut stream = connect(server.main);
    let head = "POST / HTTP/1.1\r\nhost: test\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    for chunk in ["2\r\na.\r\n", "3\r\nb.c\r\n", "0\r\n\r\n"] {
        stream.write_all(chunk.as_bytes()).unwrap();
    }
    let answer = answer(stream);
    assert_eq!((answer.status, answer.json()["reason"].as_str()), (200, Some("E_TKN_LEGACY")));
}

#[test]
fn a_request_that_has_begun_is_finished_and_idle_connections_are_closed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let idle = connect(server.main);
    let body = r#"{"profile":"standard","checks":[]}"#;
    let (first, rest) = body.split_at(10);
    let mut begun = connect(server.main);
    begun.write_all(head("POST", "/v1/check", &[("expect", "100-continue")], body.len()).as_bytes()).unwrap();
    // The server asks for the body as soon as a handler has the request: from here on it has begun.
    let mut line = [0; 25];
    std::io::Read::read_exact(&mut begun, &mut line).unwrap();
    assert_eq!(&line, b"HTTP/1.1 100 Continue\r\n\r\n");
    begun.write_all(first.as_bytes()).unwrap();

    server.signal("-TERM");
    server.wait_for_log(|line| line["message"] == "stopping" && line["signal"] == "SIGTERM");
    begun.write_all(rest.as_bytes()).unwrap();
    assert_eq!(answer(begun).status, 200);
    assert_eq!(server.wait().code(), Some(0));
    drop(idle);
}

#[test]
fn hostile_bytes_leave_the_server_well() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let deep = format!(r#"{{"profile":"standard","checks":[{{"payload":{}}}]}}"#, "[".repeat(500_000));
    let large = "x".repeat(3 * 1024 * 1024);
    for body in [&deep, &"\0".repeat(99)] {
        assert_eq!(post(connect(server.main), "/v1/check", &[], body).status, 400);
    }
    // The server may refuse by the length alone and close before all is sent.
    let mut stream = connect(server.main);
    stream.write_all(head("POST", "/v1/check", &[], large.len()).as_bytes()).unwrap();
    stream.write_all(large.as_bytes()).ok();
    drop(stream);
    let mut stream = connect(server.main);
    stream.write_all(b"\x16\x03\x01 not http\r\n\r\n").unwrap();
    assert_eq!(answer(stream).status, 400);
    assert_eq!(get(connect(server.main), "/health", &[]).status, 200);
    assert_eq!(server.check(&format!(r#"{{"exp":{LATER}}}"#)), "ok");
}

#[test]
fn a_check_warns_of_signals_that_may_revoke_nothing_and_needs_their_listener_free() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("keys"), integration_tests::keys::jwks([integration_tests::keys::key("ES256")]))
        .unwrap();
    let keys = path("keys").display().to_string();
    let tables = format!(
        "[[issuers]]\nissuer = 'i'\nkeys_file = '{keys}'\n[[signals]]\nissuer = 'i'\naudiences = ['a']\nscope = 'session'\n"
    );
    std::fs::write(path("settings"), tables).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (store, settings) = (path("rules"), path("settings"));
    let checked = |listen: &str| {
        let all = [
            ("TOKEN_SERVER__STORE__PATH", store.as_os_str()),
            ("TOKEN_SERVER_CONFIG", settings.as_os_str()),
            ("TOKEN_SERVER__LISTEN", "127.0.0.1:0".as_ref()),
            ("TOKEN_SERVER__ADMIN__LISTEN", "127.0.0.1:0".as_ref()),
            ("TOKEN_SERVER__SIGNALS__LISTEN", listen.as_ref()),
        ];
        output(&all, &["--check"])
    };
    let good = checked("127.0.0.1:0");
    let said = String::from_utf8_lossy(&good.stdout);
    assert_eq!(good.status.code(), Some(0), "{good:?}");
    assert!(said.contains("warning: [[signals]] of i: scope is session"), "{said}");
    let bad = checked(&taken.local_addr().unwrap().to_string());
    let said = [&bad.stdout[..], &bad.stderr].concat();
    assert!(String::from_utf8_lossy(&said).contains("TOKEN_SERVER__SIGNALS__LISTEN"), "{bad:?}");
}
