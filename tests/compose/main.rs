//! docker-compose.yml as an operator runs it, in containers. `make test-compose` prepares and removes what it needs.

mod stack;

use std::collections::BTreeSet;

use integration_tests::http::Request;
use integration_tests::keys::key;
use integration_tests::steady;
use integration_tests::token::{forge_signature, now, token};
use integration_tests::wait::eventually;
use serde_json::{Value, json};

use stack::{ISSUER, Stack};

/// Clients that ask at the same time.
const CLIENTS: usize = 4;

fn good() -> String {
    token(key("ES256"), json!({"sub": "anna"}))
}

/// What must never pass.
fn bad() -> [Request; 3] {
    let expired = token(key("ES256"), json!({"sub": "anna", "exp": now() - 10}));
    [
        Request::get("/"),
        Request::get("/").bearer(&expired),
        Request::get("/").bearer(&forge_signature(&good())).header("x-tkn-valid", "1"),
    ]
}

fn nothing_bad_passes(stack: &Stack) {
    for request in bad() {
        let status = stack.ask(&request);
        assert!([0, 401, 503].contains(&status), "{status}");
    }
}

/// A rule for all tokens that there are, and for none that is issued later.
fn issued_until_now() -> String {
    json!({"iat": {"lte": now()}}).to_string()
}

fn passes(stack: &Stack, token: &str) -> bool {
    stack.ask(&Request::get("/").bearer(token)) == 200
}

#[test]
fn the_composed_stack_admits_good_tokens_and_refuses_the_others() {
    let stack = Stack::up();
    let request = Request::get("/").bearer(&good()).header("x-tkn-body", "{}");
    // The first question has the rules of a subject read. Where that takes longer than a request may, it is 503.
    let response = eventually("a good token", || {
        let response = stack.response(&request).unwrap();
        assert!([200, 503].contains(&response.status), "{response}");
        (response.status == 200).then_some(response)
    });
    let told: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!((&told["valid"], &told["claims"]["sub"]), (&json!("1"), &json!("anna")));
    for request in bad() {
        assert_eq!(stack.ask(&request), 401);
    }
}

#[test]
fn a_rule_written_at_one_token_server_holds_at_both() {
    let stack = Stack::up();
    let token = token(key("ES256"), json!({"sub": "boris"}));
    eventually("the token passes", || passes(&stack, &token).then_some(()));
    stack.exec("token-server1", &["token-server", "rules", "add", "boris", &issued_until_now()]);
    eventually("the token is refused by every server", || {
        (0..8).all(|_| stack.ask(&Request::get("/").bearer(&token)) == 401).then_some(())
    });
    stack.exec("token-server2", &["token-server", "rules", "remove", "boris", "--all"]);
    eventually("the token passes again", || (0..8).all(|_| passes(&stack, &token)).then_some(()));
}

/// Whether a program in the application's container is let in there.
fn the_application_reaches(stack: &Stack, host: &str, port: u16) -> bool {
    // Bash opens the connection; the time is for a network that swallows what it does not carry.
    let connect = format!("exec 3<>/dev/tcp/{host}/{port}");
    let container = stack.container("app");
    stack.try_docker(&["exec", &container, "timeout", "10", "bash", "-c", &connect]).is_ok()
}

#[test]
fn the_application_reaches_haproxy_and_neither_redis_nor_token_servers_nor_agents() {
    let stack = Stack::up();
    assert!(the_application_reaches(&stack, "haproxy", 8080), "this test sees nothing");
    stack.exec("redis", &["redis-cli", "-h", "redis", "ping"]);
    let beyond = [
        ("redis", 6379),
        ("token-server1", 4000),
        ("token-server1", 4001),
        ("token-server2", 4000),
        ("agent1", 9464),
        ("agent2", 9464),
        ("prometheus", 9090),
        ("haproxy", 8405),
    ];
    for (service, port) in beyond {
        assert!(!the_application_reaches(&stack, service, port), "{service}:{port}");
        if service == "haproxy" {
            continue;
        }
        // By no address either.
        let inspected: Value =
            serde_json::from_str(&stack.docker(&["inspect", &stack.container(service)])).unwrap();
        let networks = inspected[0]["NetworkSettings"]["Networks"].as_object().unwrap();
        for address in networks.values().filter_map(|network| network["IPAddress"].as_str()) {
            assert!(!the_application_reaches(&stack, address, port), "{service} at {address}:{port}");
        }
    }
}

#[test]
fn agents_alone_take_their_keys_from_an_issuer_without_a_file_of_keys() {
    let stack = Stack::by_discovery();
    let of_issuer = token(key("ES256"), json!({"sub": "anna", "iss": ISSUER}));
    assert_eq!(stack.ask(&Request::get("/").bearer(&of_issuer)), 200);
    // Of another issuer, although its key is a good one.
    assert_eq!(stack.ask(&Request::get("/").bearer(&good())), 401);
    for request in bad() {
        assert_eq!(stack.ask(&request), 401);
    }
    // It is the agents that reach the issuer: an application has no way out.
    assert!(the_application_reaches(&stack, "haproxy", 8080), "this test sees nothing");
    assert!(!the_application_reaches(&stack, "issuer", 8080));
    stack.compose(&["down", "-v", "-t", "5"]);
}

#[test]
fn agents_and_token_servers_that_are_restarted_in_turn_lose_no_request() {
    let stack = Stack::up();
    let request = Request::get("/").bearer(&good());
    for services in [["agent1", "agent2"], ["token-server1", "token-server2"]] {
        let answers = steady::during(
            CLIENTS,
            || stack.ask(&request),
            |asked| {
                for service in services {
                    stack.compose(&["restart", "-t", "20", service]);
                    stack.wait_settled();
                    asked.go_on(service);
                }
            },
        );
        let statuses: Vec<u16> = answers.keys().copied().collect();
        assert_eq!(statuses, [200], "{services:?}: {answers:?}\n{}", stack.logs());
    }
}

#[test]
fn a_container_that_is_killed_admits_no_request_wrongly_and_is_missed_only_until_it_is_back() {
    let stack = Stack::up();
    for service in ["agent1", "token-server1", "redis", "app", "haproxy"] {
        let wrong = steady::during(
            CLIENTS,
            || bad().iter().map(|request| stack.ask(request)).find(|status| *status == 200).unwrap_or(0),
            |asked| {
                stack.compose(&["kill", "-s", "KILL", service]);
                asked.go_on("requests while it is away");
                stack.compose(&["up", "-d", "--no-recreate"]);
                stack.wait_settled();
            },
        );
        assert_eq!(wrong.keys().copied().collect::<Vec<_>>(), [0], "{service}: {wrong:?}");
        eventually("good tokens pass again", || (0..8).all(|_| passes(&stack, &good())).then_some(()));
        nothing_bad_passes(&stack);
    }
}

/// Bytes of an image, unpacked; `PROFILE=release make test-compose` holds them to it.
const MAX_IMAGE: u64 = 40_000_000;

#[test]
fn images_hold_one_program_and_run_unprivileged_on_a_read_only_file_system() {
    let stack = Stack::up();
    for (image, program) in [("jwt-agent", "jwt-agent"), ("token-server", "token-server")] {
        let config: Value = serde_json::from_str(&stack.docker(&["image", "inspect", image])).unwrap();
        let image_size = &config[0]["Size"];
        let config = &config[0]["Config"];
        assert_eq!(config["User"], "65532:65532", "{image}");
        assert_eq!(config["StopSignal"], "SIGTERM", "{image}");
        assert_eq!(config["Healthcheck"]["Test"], json!(["CMD", program, "health"]), "{image}");
        let label = |name: &str| &config["Labels"][format!("org.opencontainers.image.{name}")];
        assert_eq!((label("title"), label("licenses")), (&json!(program), &json!("MIT OR Apache-2.0")));
        assert_eq!(label("version"), env!("CARGO_PKG_VERSION"), "{image}");
        // Programs that are built for speed of building are large.
        let size = image_size.as_u64().unwrap();
        println!("{image}: {size} bytes");
        assert!(std::env::var("PROFILE").as_deref() != Ok("release") || size < MAX_IMAGE, "{image}: {size}");
        for secret in ["TOKEN", "SECRET", "PASSWORD"] {
            let named = config["Env"].to_string().replace("TOKEN_SERVER", "").contains(secret);
            assert!(!named, "{image}: {config}");
        }
        let version = stack.docker(&["run", "--rm", "--read-only", "--network", "none", image, "--version"]);
        assert!(version.starts_with(program), "{version}");
        let shell = stack.try_docker(&[
            "run",
            "--rm",
            "--network",
            "none",
            "--entrypoint",
            "sh",
            image,
            "-c",
            "true",
        ]);
        assert!(shell.is_err(), "{image} has a shell");
    }
    for service in ["agent1", "token-server1", "haproxy", "redis", "prometheus", "app"] {
        let container: Value =
            serde_json::from_str(&stack.docker(&["inspect", &stack.container(service)])).unwrap();
        let host = &container[0]["HostConfig"];
        assert_eq!(host["ReadonlyRootfs"], true, "{service}");
        assert_eq!(host["CapDrop"], json!(["ALL"]), "{service}");
    }
}

#[test]
fn prometheus_reaches_every_target_and_knows_the_alerts() {
    let stack = Stack::up();
    assert_eq!(stack.ask(&Request::get("/").bearer(&good())), 200);
    let names = |path: &str, list: &str, name: &str, wanted: &dyn Fn(&Value) -> bool| -> BTreeSet<String> {
        let answer = stack.prometheus(path);
        let items = answer["data"][list].as_array().cloned().unwrap_or_default();
        let named = |item: &Value| item.pointer(name).and_then(Value::as_str).map(str::to_owned);
        items.iter().filter(|item| wanted(item)).filter_map(named).collect()
    };
    eventually("every target is up", || {
        let up =
            names("/api/v1/targets", "activeTargets", "/labels/instance", &|target| target["health"] == "up");
        let expected =
            ["agent1:9464", "agent2:9464", "metrics.edge:8405", "token-server1:4001", "token-server2:4001"];
        (up == expected.map(str::to_owned).into()).then_some(())
    });
    let groups = stack.prometheus("/api/v1/rules");
    assert!(groups["data"]["groups"][0]["rules"].as_array().is_some_and(|rules| rules.len() > 5), "{groups}");
}

#[test]
fn rules_are_kept_in_redis_with_sentinels_and_in_a_cluster() {
    let stack = Stack::up();
    let token = token(key("ES256"), json!({"sub": "clara"}));
    for (profile, nodes, port) in [("sentinel", "sentinel", 26379), ("cluster", "cluster", 6379)] {
        let urls: Vec<String> = (1..=3).map(|n| format!("redis://{nodes}{n}:{port}")).collect();
        let master = if profile == "sentinel" { "mymaster" } else { "" };
        let environment =
            [("REDIS_MODE", profile), ("REDIS_URLS", &urls.join(",")), ("REDIS_MASTER", master)];
        stack.compose_with(&environment, &["--profile", profile, "up", "-d"]);
        stack.wait_settled();
        eventually("the token passes", || passes(&stack, &token).then_some(()));
        stack.exec("token-server2", &["token-server", "rules", "add", "clara", &issued_until_now()]);
        eventually("the token is refused by every server", || {
            (0..8).all(|_| stack.ask(&Request::get("/").bearer(&token)) == 401).then_some(())
        });
        stack.exec("token-server1", &["token-server", "rules", "remove", "clara", "--all"]);
    }
    stack.compose(&["up", "-d"]);
    stack.wait_settled();
    eventually("the token passes", || passes(&stack, &token).then_some(()));
}
