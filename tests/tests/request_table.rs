//! One table of requests against every shipped file and recipe, alone and beside a user's own configuration: the status,
//! and what the application saw.

mod generated;
mod mutations;
mod rows;
mod user;

use integration_tests::backend::Seen;
use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::http::Request;
use integration_tests::http2;
use integration_tests::kept_verdicts::{self, now_ms};
use integration_tests::setup::Setup;
use integration_tests::token::token;
use integration_tests::wait::{DEADLINE, eventually};
use integration_tests::{keys::key, process::repository};
use rows::{Row, Token};
use serde_json::json;
use tempfile::TempDir;

/// What a file must make of a row.
#[derive(Debug, PartialEq, Eq)]
enum Want {
    /// The application sees the request without a header of ours.
    Bare,
    /// The application sees it, with `x-tkn-valid` of this value.
    Annotated(&'static str),
    /// This status, and the application sees nothing.
    Refused(u16),
}

fn want(shipped: Shipped, row: &Row) -> Want {
    let (shipped, valid) = (shipped.form(), row.token.status(false) == 200);
    if shipped == Shipped::Annotating {
        return Want::Annotated(if valid { "1" } else { "0" });
    }
    if let Some(status) = row.refused {
        return Want::Refused(status);
    }
    if row.public(shipped) || (shipped == Shipped::Optional && row.token == Token::None) {
        return Want::Bare;
    }
    match row.token.status(shipped == Shipped::Routes && !row.lax()) {
        200 if shipped == Shipped::Tenant && row.has_no_host() => Want::Refused(403),
        200 => Want::Annotated("1"),
        status => Want::Refused(status),
    }
}

fn ours(seen: &Seen) -> bool {
    seen.headers.iter().any(|(name, _)| {
        let folded: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        folded.to_ascii_lowercase().starts_with("xtkn")
    })
}

fn assert_row(edge: &Edge, shipped: Shipped, row: &Row) {
    let what = format!("{shipped:?}: {}", row.what);
    let before = edge.backend.seen().len();
    let response = edge.exchange(&row.bytes(shipped)).unwrap_or_else(|error| panic!("{what}: {error}"));
    let seen = edge.backend.seen().split_off(before);
    // HAProxy itself refuses some forms, in newer versions more of them; nothing is annotated then.
    if shipped.form() == Shipped::Annotating && row.refused.is_some() {
        assert!([200, 400].contains(&response.status), "{what}: {response}");
        assert!(seen.iter().all(|seen| seen.header("x-tkn-valid") == Some(row.valid())), "{what}: {seen:?}");
        return;
    }
    // What the user's frontend sends to another backend is not ours to decide, and carries nothing of ours.
    if shipped.form() == Shipped::Backend && row.is_routed_elsewhere() {
        assert!([200, 204, 400].contains(&response.status), "{what}: {response}");
        assert!(!seen.iter().any(ours), "{what}: {seen:?}");
        return;
    }
    match want(shipped, row) {
        Want::Refused(status) => {
            assert_eq!(response.status, status, "{what}: {response}");
            assert!(seen.is_empty(), "{what} reached the application: {seen:?}");
        }
        Want::Bare => {
            assert_eq!((response.status, seen.len()), (200, 1), "{what}: {response}");
            assert!(!ours(&seen[0]), "{what}: {seen:?}");
        }
        Want::Annotated(valid) => {
            assert_eq!((response.status, seen.len()), (200, 1), "{what}: {response}");
            assert_eq!(seen[0].header("x-tkn-valid"), Some(valid), "{what}: {seen:?}");
            assert_eq!(seen[0].header("x-tkn-body").is_some(), valid == "1", "{what}: {seen:?}");
        }
    }
}

/// An edge whose agent asks for an audience and a scope, and for another scope under the policy `admin`.
fn setup(shipped: Shipped, folder: &TempDir) -> Setup {
    let file = folder.path().join("agent.toml");
    let tables = "JWT_AUDIENCES = [\"api\"]\n[[policies]]\nname = \"default\"\nany_scope = [\"read\"]\n\
                  [[policies]]\nname = \"admin\"\nall_scopes = [\"write\"]\n";
    std::fs::write(&file, tables).unwrap();
    Setup::new(shipped)
        .agent_env("JWT_PROFILE", "standard")
        .agent_env("JWT_CONFIG", &file.display().to_string())
}

fn assert_all(shipped: Shipped, edge: &Edge) {
    let rows = rows::all();
    assert!(rows.len() >= 60, "{}", rows.len());
    rows.iter().for_each(|row| assert_row(edge, shipped, row));
    assert_spellings(edge, shipped);
    assert_http_2(edge, shipped);
}

/// No spelling of our headers gets to the application, with a token and on every way that needs none.
fn assert_spellings(edge: &Edge, shipped: Shipped) {
    let spellings = rows::spellings();
    assert_eq!(spellings.len(), 66);
    let spoofed =
        |request: Request| spellings.iter().fold(request, |request, name| request.header(name, "spoofed"));
    let mut requests = vec![Request::get(rows::place(shipped)).bearer(&Token::Good.text())];
    match shipped.form() {
        Shipped::Denying => requests.push(Request::get("/public/")),
        Shipped::Backend => requests.push(Request::get("/")),
        Shipped::Optional | Shipped::Annotating => requests.push(Request::get("/x")),
        _ => {}
    }
    for request in requests {
        let seen = edge.admits("spoofed headers", &spoofed(request));
        assert!(seen.headers.iter().all(|(_, value)| value != "spoofed"), "{shipped:?}: {seen:?}");
    }
}

fn assert_http_2(edge: &Edge, shipped: Shipped) {
    let with = |token: Token| match token {
        Token::None => Vec::new(),
        token => vec![("authorization", format!("Bearer {}", token.text()))],
    };
    let place = rows::place(shipped);
    let requests =
        [Token::Good, Token::None, Token::Forged, Token::Expired, Token::OtherAudience, Token::OtherScope]
            .map(|token| (token, place, with(token)));
    let wanted: Vec<u16> = requests
        .iter()
        .map(|(token, ..)| match shipped.form() {
            Shipped::Annotating => 200,
            Shipped::Optional if *token == Token::None => 200,
            _ => token.status(false),
        })
        .collect();
    let requests = requests.map(|(_, path, headers)| (path, headers));
    let mut connection = edge.address().connect(DEADLINE).unwrap();
    assert_eq!(http2::statuses(&mut connection, &requests).unwrap(), wanted, "{shipped:?}");
    if shipped.form() == Shipped::Annotating {
        return;
    }
    for authority in ["h?", "h/private", "h#", "u@h"] {
        let before = edge.backend.seen().len();
        let mut connection = edge.address().connect(DEADLINE).unwrap();
        let paths = [(place, with(Token::Good)), (place, Vec::new())];
        // Since 3.0 HAProxy resets such a stream by itself. Before, it takes what follows the "/" for the path, which in
        // the file of a backend may lead to the one that is not protected.
        let elsewhere = shipped.form() == Shipped::Backend && authority.contains('/');
        if let Ok(statuses) = http2::statuses_at(&mut connection, authority, &paths) {
            let wanted = |status: &u16| [0, 400].contains(status) || (elsewhere && *status == 200);
            assert!(statuses.iter().all(wanted), "{shipped:?} {authority}: {statuses:?}");
        }
        if elsewhere {
            let seen = edge.backend.seen().split_off(before);
            assert!(
                seen.iter().all(|seen| seen.line.starts_with("GET /private/") && !ours(seen)),
                "{seen:?}"
            );
            continue;
        }
        assert_eq!(edge.backend.seen().len(), before, "{shipped:?} {authority}");
    }
}

#[test]
fn every_shipped_file_answers_the_table_alone() {
    for shipped in Shipped::ALL {
        let folder = TempDir::with_prefix("table-").unwrap();
        assert_all(shipped, &setup(shipped, &folder).start());
    }
}

/// The verdicts on all good tokens of the table, by every policy that they pass, as agents write them.
fn keep_good_tokens(edge: &Edge, shipped: Shipped) {
    const NAME: &str = "0123456789abcdef1.0";
    const HEADER: Option<&[u8]> = Some(b"{}");
    let (layout, policies): (_, &[&str]) = match shipped.form() {
        Shipped::Routes => ("body,header,legacy,policy,stateless", &["default", "admin"]),
        _ => ("body,header,legacy,stateless", &[""]),
    };
    for (token, policies) in [(Token::Good, &policies[..1]), (Token::Admin, policies)] {
        let bearer = format!("Bearer {}", token.text());
        for policy in policies {
            let body: Option<&[u8]> = Some(br#"{"kept":1}"#);
            let mut fields = vec![body, HEADER, None, Some(policy.as_bytes()), None];
            if policy.is_empty() {
                fields.remove(3);
            }
            let entry = kept_verdicts::entry(now_ms() + 55_000, NAME, &fields);
            edge.kept.add(&kept_verdicts::key(&bearer, layout, policy), &entry);
        }
    }
}

#[test]
fn every_file_of_the_edge_answers_the_table_with_verdicts_in_its_maps() {
    for shipped in Shipped::EDGES {
        let folder = TempDir::with_prefix("table-").unwrap();
        let edge = setup(shipped, &folder).start();
        let _held = edge.kept.hold("0123456789abcdef1.0");
        keep_good_tokens(&edge, shipped);
        assert_all(shipped, &edge);
        let is_hit = |line: &&String| line.ends_with(" tkn=ok/ok/-/edge");
        eventually("HAProxy has answered by itself", || {
            (edge.haproxy.process.lines().iter().filter(is_hit).count() >= 12).then_some(())
        });
        let kept = |seen: &Seen| seen.header("x-tkn-body") == Some(r#"{"kept":1}"#);
        assert!(edge.backend.seen().iter().filter(|seen| kept(seen)).count() >= 10, "{shipped:?}");
    }
}

#[test]
fn every_shipped_file_answers_the_table_beside_a_users_own_configuration() {
    for shipped in Shipped::ALL {
        let folder = TempDir::with_prefix("table-").unwrap();
        let setup = setup(shipped, &folder).edit(user::surround);
        let edge = if user::may_chroot() { setup.chroot() } else { setup }.start();
        assert_all(shipped, &edge);
        user::assert_own_rules_work(shipped, &edge);
    }
}

#[test]
fn every_shipped_file_answers_the_table_below_debians_own_configuration() {
    for shipped in Shipped::ALL {
        let folder = TempDir::with_prefix("table-").unwrap();
        let setup = setup(shipped, &folder).edit(user::below_debians_own);
        let edge = if user::may_chroot() { setup.chroot() } else { setup }.start();
        assert_all(shipped, &edge);
        if !matches!(shipped.form(), Shipped::Annotating | Shipped::Backend) {
            user::assert_debians_pages(shipped, &edge);
        }
    }
}

#[test]
fn a_users_rate_limit_above_our_lines_counts_forged_tokens() {
    let edges = [Shipped::EdgeDenying, Shipped::EdgeBackend, Shipped::EdgeRoutes];
    for shipped in [Shipped::Denying, Shipped::Backend, Shipped::Routes].into_iter().chain(edges) {
        let folder = TempDir::with_prefix("table-").unwrap();
        let edge = setup(shipped, &folder).edit(user::surround).start();
        let forged =
            Request::get(rows::place(shipped)).bearer(&Token::Forged.text()).header("X-Client", "eve");
        let statuses: Vec<u16> = (0..20).map(|_| edge.send(&forged).status).collect();
        assert_eq!(statuses, [[401; 10], [429; 10]].concat(), "{shipped:?}");
        let other = Request::get(rows::place(shipped)).bearer(&Token::Good.text()).header("X-Client", "ann");
        edge.admits("another client", &other);
        assert_eq!(edge.backend.seen().len(), 1);
    }
}

#[test]
fn no_shipped_file_names_an_acl_or_a_variable_outside_of_our_prefix() {
    for shipped in Shipped::ALL {
        let text = std::fs::read_to_string(shipped.path()).unwrap();
        let names = text.lines().map(str::trim).filter(|line| !line.starts_with('#')).filter_map(|line| {
            let acl = line.strip_prefix("acl ").and_then(|rest| rest.split_whitespace().next());
            let variable = [" set-var(txn.", " set-var-fmt(txn."]
                .iter()
                .find_map(|set| line.split_once(set).map(|(_, rest)| rest.split([')', ',']).next().unwrap()));
            acl.or(variable)
        });
        for name in names {
            assert!(
                name.starts_with("tkn_") || name.starts_with("tkn."),
                "{}: {name}",
                shipped.path().display()
            );
        }
        assert!(!text.contains("set-var(sess.") && !text.contains("set-var(proc."), "{shipped:?}");
    }
}

/// What is mended in one file is mended in all.
#[test]
fn every_denying_file_has_the_same_lines_about_names_targets_and_answers() {
    let common = |shipped: Shipped| -> Vec<String> {
        let text = std::fs::read_to_string(shipped.path()).unwrap();
        // The file of a backend has a line of the same kind for the backend that is not protected.
        let ours = text.split("\nbackend api\n").last().unwrap();
        let wanted = [
            "del-header",
            "fhdr(host)",
            "path -m beg",
            "url -m",
            "jwt-again",
            "spoe_error)",
            "E_TKN_FORBIDDEN",
            "challenge",
        ];
        let lines = ours.lines().map(str::trim).filter(|line| line.starts_with("http-"));
        let own = [
            "user",
            "sec-websocket-protocol",
            "tkn_tenant",
            "set-var-fmt(txn.tkn_ch",
            "unset-var(txn.tkn_ch",
        ];
        let lines = lines.filter(|line| wanted.iter().any(|part| line.contains(part)));
        let lines = lines.filter(|line| !own.iter().any(|part| line.contains(part)));
        let exceptions = [" !tkn_public", " || tkn_public", "!tkn_guest ", "tkn_guest || "];
        lines
            .map(|line| exceptions.iter().fold(line.to_owned(), |line, part| line.replace(part, "")))
            .collect()
    };
    let first = common(Shipped::Backend);
    assert!(first.len() >= 12, "{first:?}");
    for shipped in Shipped::ALL.into_iter().filter(|shipped| shipped.form() != Shipped::Annotating) {
        assert_eq!(common(shipped), first, "{shipped:?}");
    }
}

/// Every file in the folder is one that the table runs, but for the one of calls, which has a suite.
#[test]
fn no_shipped_file_is_left_out_of_the_table() {
    let known: Vec<_> = Shipped::ALL.into_iter().chain([Shipped::Mcp]).map(Shipped::path).collect();
    for folder in ["haproxy", "haproxy/recipes"] {
        for entry in std::fs::read_dir(repository().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            assert!(
                path.extension().is_none_or(|end| end != "cfg") || known.contains(&path),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn a_claim_becomes_a_header_that_cannot_be_mistaken() {
    assert_claim_headers(&Setup::new(Shipped::ClaimHeaders).start());
}

fn assert_claim_headers(edge: &Edge) {
    let table = [
        (json!("anna"), Some("anna")),
        (json!("Anna B"), Some("Anna B")),
        (json!("anna@example.com"), Some("anna@example.com")),
        (json!(" root "), Some("%20root%20")),
        (json!("a  b"), Some("a%20%20b")),
        (json!("a\nX-Admin: 1"), Some("a%0AX-Admin%3A%201")),
        (json!("a\r\n"), Some("a%0D%0A")),
        (json!("\u{7f}\t"), Some("%7F%09")),
        (json!("é"), Some("%C3%A9")),
        (json!("100%"), Some("100%25")),
        (json!("a%20b"), Some("a%2520b")),
        (json!("a,b"), Some("a%2Cb")),
        (json!("~!$&'()*+-./:;<=>?@[]^_`{|}\"#"), Some("~!$&'()*+-./:;<=>?@[]^_`{|}\"#")),
        (json!(7), Some("7")),
        (json!(["root"]), Some("[\"root\"]")),
        (json!(["a", "b"]), Some("%5B%22a%22%2C%22b%22%5D")),
        (json!("null"), None),
        (json!([null]), Some("[null]")),
        (json!(""), None),
    ];
    let spoofs = [
        "X-User-Email",
        "x_user_email",
        "X.User-Email",
        "X-User_Email",
        "x--user--email",
        "X_User_Id",
        "X.User.Id",
    ];
    let spoofed =
        |request: Request| spoofs.iter().fold(request, |request, name| request.header(name, "root"));
    for (claim, wanted) in table {
        let request = Request::get("/").bearer(&token(key("ES256"), json!({"email": claim})));
        let seen = edge.admits(&claim.to_string(), &spoofed(request));
        assert_eq!(seen.header("x-user-email"), wanted, "{claim}");
        assert_eq!(seen.header("x-user-id"), Some("alice"), "{claim}");
        assert!(seen.headers.iter().all(|(_, value)| value != "root"), "{seen:?}");
    }
    // `null` itself, which `token` would leave out.
    let payload = r#"{"exp":4102444800,"sub":"alice","email":null}"#;
    let null = integration_tests::token::sign_raw(key("ES256"), r#"{"alg":"ES256","kid":"ES256"}"#, payload);
    assert_eq!(edge.admits("null", &spoofed(Request::get("/").bearer(&null))).header("x-user-email"), None);
}
