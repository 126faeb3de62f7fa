use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    wanted: HaproxyConfig,
}

fn wanted(options: &str) -> HaproxyConfig {
    Line::try_parse_from(["haproxy-config"].into_iter().chain(options.split_whitespace())).unwrap().wanted
}

fn lines(options: &str) -> String {
    wanted(options).parts().unwrap().swap_remove(0).text
}

fn fault(options: &str) -> String {
    wanted(options).parts().unwrap_err().to_string()
}

/// A section of a shipped file as a user would copy it: without its head, and with the values of its `presetenv` lines.
fn section(file: &str, head: &str) -> String {
    let path = format!("{}/../haproxy/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let from = text.find(&format!("\n{head}\n")).unwrap() + head.len() + 2;
    let lines: Vec<&str> =
        text[from..].lines().take_while(|line| !line.starts_with(char::is_alphabetic)).collect();
    let mut section = lines.join("\n");
    for line in text.lines() {
        if let ["presetenv", name, value] = line.split_whitespace().collect::<Vec<_>>()[..] {
            section = section.replace(&format!("${{{name}}}"), value);
        }
    }
    section.trim_end().to_owned() + "\n"
}

/// Of a section what stands from one line to another, both included.
fn between<'a>(section: &'a str, first: &str, last: &str) -> &'a str {
    let from = section.find(first).unwrap();
    let length = section[from..].find(last).unwrap();
    let end = section[from + length..].find('\n').unwrap();
    &section[from..=from + length + end]
}

const FIRST: &str = "    filter spoe engine ";
const LAST: &str = "    http-after-response set-header Retry-After";

#[test]
fn the_lines_of_a_backend_are_those_of_the_shipped_file() {
    let shipped = section("haproxy-backend.cfg", "backend api");
    let shipped =
        shipped.lines().filter(|line| !line.starts_with("    server ")).collect::<Vec<_>>().join("\n");
    for options in ["", "--backend app"] {
        assert_eq!(lines(options), format!("{shipped}\n"), "{options}");
    }
}

#[test]
fn the_lines_of_a_frontend_with_a_public_path_are_those_of_the_shipped_file() {
    let shipped = section("haproxy.cfg", "frontend edge");
    let expected = between(&shipped, FIRST, LAST);
    assert_eq!(lines("--frontend edge --open /public/*"), format!("    mode http\n{expected}"));
}

#[test]
fn the_lines_of_routes_are_those_of_the_shipped_file() {
    let shipped = section("haproxy-routes.cfg", "frontend edge");
    let expected = between(&shipped, FIRST, LAST);
    let options = "--frontend edge --policy *=admin --policy /=default --policy /api/users/*=default --policy /api/users=default \
                   --policy /api/orders/*=default --policy /api/orders=default";
    assert_eq!(lines(options), format!("    mode http\n{expected}"));
}

#[test]
fn the_lines_of_the_edge_are_those_of_the_shipped_files() {
    let shipped = section("haproxy-edge-backend.cfg", "backend api");
    let shipped =
        shipped.lines().filter(|line| !line.starts_with("    server ")).collect::<Vec<_>>().join("\n");
    assert_eq!(lines("--backend app --edge"), format!("{shipped}\n"));
    let shipped = section("haproxy-edge.cfg", "frontend edge");
    let expected = between(&shipped, FIRST, LAST);
    assert_eq!(lines("--frontend edge --edge --open /public/*"), format!("    mode http\n{expected}"));
    let shipped = section("haproxy-edge-routes.cfg", "frontend edge");
    let expected = between(&shipped, FIRST, LAST);
    let options = "--frontend edge --edge --policy *=admin --policy /=default --policy /api/users/*=default \
                   --policy /api/users=default --policy /api/orders/*=default --policy /api/orders=default";
    assert_eq!(lines(options), format!("    mode http\n{expected}"));
}

#[test]
fn the_lines_of_streams_are_those_of_the_shipped_files_but_for_their_paths() {
    let without = |lines: &str, start: &str| {
        let kept = lines.lines().filter(|line| !line.trim_start().starts_with(start));
        kept.map(|line| format!("{line}\n")).collect::<String>()
    };
    let shipped = without(&section("haproxy-streams-backend.cfg", "backend api"), "server ");
    assert_eq!(lines("--backend app --streams"), without(&shipped, "acl tkn_open  path "));
    let shipped = section("haproxy-streams.cfg", "frontend edge");
    let expected = without(between(&shipped, FIRST, LAST), "acl tkn_open  path ");
    // The shipped file asks about public paths as well, as haproxy.cfg does.
    let written = lines("--frontend edge --streams --open /public/*").replace(
        "unless { var(txn.tkn_stream) -m found } || tkn_public",
        "unless { var(txn.tkn_stream) -m found }",
    );
    assert_eq!(written, format!("    mode http\n{expected}"));
    let parts = wanted("--frontend edge --streams").parts().unwrap();
    assert!(section("haproxy-streams.cfg", "backend app").contains(&parts[1].text), "{parts:?}");
    let [.., global, environment] = &parts[..] else { panic!("{parts:?}") };
    let head = section("haproxy-streams.cfg", "global");
    assert!(head.contains(&global.text) && global.text.contains("level admin"), "{global:?}");
    assert_eq!(environment.text, "JWT_EDGE_SOCKETS=/run/haproxy/edge.sock\n");
}

#[test]
fn a_stream_is_asked_about_beside_verdicts_in_haproxy() {
    let parts = wanted("--backend app --streams --edge").parts().unwrap();
    let lines: Vec<_> = parts[0].text.lines().map(str::trim_start).collect();
    let place = |start: &str| lines.iter().position(|line| line.starts_with(start)).expect(start);
    let order = [
        "http-request set-var-fmt(txn.tkn_stream)",
        "acl tkn_elsewhere  var(txn.tkn_stream)      -m found",
        "http-request set-var(txn.tkn_edge)",
        "http-request send-spoe-group jwt-stream jwt  if { var(txn.tkn_stream) -m found }",
        "http-request send-spoe-group jwt-group jwt  unless { var(txn.tkn.valid) -m bool } || { var(txn.tkn_stream) -m found }",
        "http-request set-timeout tunnel",
        "http-response return status 406",
    ]
    .map(place);
    assert!(order.is_sorted(), "{order:?}");
    let environment = &parts.last().unwrap().text;
    assert!(environment.contains(",stateless,ttl\n"), "{environment}");
}

#[test]
fn the_layout_of_the_edge_is_that_of_the_agents_settings() {
    let parts = wanted("--backend app --edge --claims sub,email --policy *=admin").parts().unwrap();
    let layout = "body,header,legacy,payload.email,payload.sub,policy,stateless";
    assert!(
        parts[0].text.contains(&format!("req.fhdr(authorization),concat('|{layout}|',txn.tkn_policy)")),
        "{}",
        parts[0].text
    );
    for (name, field) in [("body", 1), ("payload.email", -6), ("payload.sub", -5), ("policy", -4)] {
        let line = parts[0].text.lines().find(|line| line.contains(&format!("set-var(txn.tkn.{name})")));
        let read = format!("var(txn.tkn_edge),field({field},|),url_dec");
        assert!(line.is_some_and(|line| line.contains(&read)), "{line:?}");
    }
    let environment = parts.last().unwrap();
    assert_eq!(
        environment.text,
        format!(
            "JWT_EDGE_SOCKETS=/run/haproxy/edge.sock\nJWT_EDGE_MAP=/etc/haproxy/jwt-verdicts.map\n\
             JWT_EDGE_LEASES=/etc/haproxy/jwt-leases.map\nJWT_VARIABLES=challenge,detail,{layout}\n"
        )
    );
    let global = parts.iter().find(|part| part.place == "into `global`").unwrap();
    assert!(
        global.text.contains("    stats socket \"/run/haproxy/edge.sock\" mode 660 level admin\n"),
        "{global:?}"
    );
    assert!(!parts.iter().any(|part| part.file != "spoe-jwt.conf" && part.text.contains("${")), "{parts:?}");
}

#[test]
fn the_lines_of_claims_are_those_of_the_recipe() {
    let shipped = section("recipes/claim-headers.cfg", "frontend edge");
    let expected = between(&shipped, "    # Your rate limits", LAST);
    let lines = lines("--frontend edge --claims sub,email --policy *=default");
    let without_policy =
        lines.lines().filter(|line| !line.contains("tkn_policy")).collect::<Vec<_>>().join("\n");
    for line in expected.lines().filter(|line| line.contains("user")) {
        assert!(without_policy.contains(line), "{line}");
    }
}

#[test]
fn the_backends_of_agents_and_the_spoe_file_are_the_shipped_ones() {
    let parts = wanted("--backend app").parts().unwrap();
    let agents = section("haproxy-backend.cfg", "backend jwt-agents");
    assert_eq!(parts[1].text, format!("backend jwt-agents\n{agents}"));
    let spoe = std::fs::read_to_string(format!("{}/../haproxy/spoe-jwt.conf", env!("CARGO_MANIFEST_DIR")));
    assert_eq!(parts[2].text, spoe.unwrap());
    assert_eq!(parts.len(), 3);
    let behind = &wanted("--frontend edge").parts().unwrap()[1];
    assert_eq!(behind.place, "into each backend that this frontend leads to");
    assert_eq!(behind.text.lines().count(), 4, "{}", behind.text);
    assert!(section("haproxy.cfg", "backend app").contains(&behind.text), "{}", behind.text);
}

#[test]
fn every_decision_leaves_out_public_paths_alone() {
    let plain = lines("--backend app");
    let open = lines("--backend app --open /health");
    let decisions = open.lines().filter(|line| line.contains("tkn_public")).count();
    // The ACL, the question, three 503, the challenge, 403, 401, six headers, two lines about sizes.
    assert_eq!(decisions, 16, "{open}");
    let stripped = open
        .lines()
        .filter(|line| !line.contains("acl tkn_public"))
        .map(|line| {
            let line = line.replace(" || tkn_public", "").replace(" unless tkn_public", "");
            line.replace(" if !tkn_public", "").replace(" !tkn_public", "").trim_end().to_owned()
        })
        .collect::<Vec<_>>()
        .join("\n");
    for line in plain.lines() {
        assert!(stripped.contains(line), "{line}\n{stripped}");
    }
}

#[test]
fn a_version_resolves_the_conditions_about_it() {
    for (version, mode, drops) in
        [("2.6", "mode tcp", false), ("3.1", "mode spop", false), ("3.2.4", "mode spop", true)]
    {
        let parts = wanted(&format!("--backend app --haproxy-version {version}")).parts().unwrap();
        let text = parts.iter().take(2).map(|part| part.text.as_str()).collect::<String>();
        assert!(!text.contains(".if") && !text.contains(".e"), "{text}");
        assert!(text.contains(mode), "{version}: {text}");
        assert_eq!(text.contains("option http-drop-request-trailers"), drops, "{version}: {text}");
    }
    let parts = wanted("--frontend edge --haproxy-version 2.6").parts().unwrap();
    assert_eq!(parts.len(), 3, "{parts:?}");
}

#[test]
fn values_stand_where_the_shipped_files_have_variables() {
    let options = "--backend app --spoe-file /etc/x/spoe.conf --agents 10.0.0.1:12345,unix@/run/a.sock";
    let parts = wanted(options).parts().unwrap();
    let text = parts.iter().take(2).map(|part| part.text.as_str()).collect::<String>();
    for expected in [
        "filter spoe engine jwt-group config \"/etc/x/spoe.conf\"",
        "server agent1 \"10.0.0.1:12345\"\n    server agent2 \"unix@/run/a.sock\"\n",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("${"), "{text}");
    assert_eq!(parts[2].place, "the file /etc/x/spoe.conf");
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    for (options, cause) in [
        ("--policy /a=b", "no policy for what is not listed"),
        ("--policy *=a --policy *=b", "--policy *=a is there already"),
        ("--policy *=admin --policy /a/*=default --policy /A/b=admin", "it lies below --policy /a/*=default"),
        ("--policy *=admin --policy /a=default --policy /A=other", "it lies below --policy /a=default"),
        ("--claims a.b,a_b", "would both be the header x-user-a-b"),
        ("--claims sub,id", "would both be the header x-user-id"),
        ("--out /tmp/a${b}", "name another folder, since its path stands in the lines"),
    ] {
        let fault = fault(options);
        assert!(fault.contains(cause), "{options}: {fault}");
    }
}

#[test]
fn files_are_replaced_only_when_that_is_asked_for() {
    let folder = tempfile::TempDir::with_prefix("out-").unwrap();
    let out = folder.path().join("new");
    let options = format!("--backend app --out {}", out.display());
    let told = wanted(&options).run().unwrap();
    assert_eq!(told.lines().count(), 3, "{told}");
    assert!(
        std::fs::read_to_string(out.join("haproxy-lines.cfg"))
            .unwrap()
            .contains(&format!("filter spoe engine jwt-group config \"{}/spoe-jwt.conf\"", out.display()))
    );
    std::fs::write(out.join("jwt-agents.cfg"), "mine").unwrap();
    std::fs::remove_file(out.join("haproxy-lines.cfg")).unwrap();
    let error = wanted(&options).run().unwrap_err();
    assert!(error.to_string().contains("jwt-agents.cfg is there already"), "{error}");
    assert!(!out.join("haproxy-lines.cfg").exists(), "nothing is written");
    assert_eq!(std::fs::read_to_string(out.join("jwt-agents.cfg")).unwrap(), "mine");
    wanted(&format!("{options} --force")).run().unwrap();
    assert!(std::fs::read_to_string(out.join("jwt-agents.cfg")).unwrap().starts_with("backend jwt-agents\n"));
}

#[test]
fn each_part_stands_below_a_comment_that_says_where_it_goes() {
    let text = wanted("--frontend web").run().unwrap();
    let places: Vec<_> = text.lines().filter(|line| line.starts_with("# ==== ")).collect();
    assert_eq!(
        places,
        [
            "# ==== into `frontend web`, below your own limits and redirects:",
            "# ==== into each backend that this frontend leads to:",
            "# ==== into haproxy.cfg, as a section of its own:",
            "# ==== the file /etc/haproxy/spoe-jwt.conf:",
        ]
    );
}
