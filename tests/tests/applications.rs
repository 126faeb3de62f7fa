//! Applications of several kinds behind the shipped files of HAProxy: however one reads a target or folds the name of a
//! header, nothing protected is reached without a token, and no client is who it says.

use std::fs;

use integration_tests::applications::{Applications, Mirror, Mirrored};
use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::http::Client;
use integration_tests::keys::key;
use integration_tests::setup::Setup;
use integration_tests::token::token;
use integration_tests::wait::DEADLINE;
use serde_json::json;
use tempfile::NamedTempFile;

/// What every forged header says.
const FORGED: &str = "forged";

/// Targets, made of a path that asks for less, which takes the place of `PATH`.
const TARGETS: &str = r"
    PATH PATH/ PATH/x PATH/admin PATH/x.json PATH.json PATH. PATH/x. PATH/... PATH/.x PATHx PATHx/admin
    PATH/.. PATH/. PATH/./x PATH/../admin PATH/x/../../admin PATH//admin PATH//../admin PATH/.../../../admin
    PATH/%2e%2e/admin PATH/.%2e/admin PATH/%2E%2E/admin PATH/%2e%2e%2fadmin PATH/..%2fadmin PATH/..%5cadmin
    PATH/..\admin PATH\..\admin PATH/\admin PATH/%252e%252e/admin PATH/%c0%ae%c0%ae/admin
    PATH/..;/admin PATH/..;x=y/admin PATH/;/../admin PATH;/../admin PATH;x PATH/x;y PATH/;
    PATH%00/../admin PATH/%00 PATH%0a/../admin PATH/%0d%0a PATH%20/../admin
    PATH?/../admin PATH/x?y=/admin PATH#/../admin PATH/#/../../admin
    PATH/@admin PATH/a:b@c/admin PATH/x,y=/admin PATH/~!$&-,=:@
    / // /// /. /.. /? /; /# /admin /ADMIN /Admin/ /admin. /admin.json /admin;x /%61dmin /admin%2f /admin\
    /./admin /x/../admin //admin //x/admin //x/adminPATH //adminPATH/x ///x/admin /\x/admin /\xPATH \admin
    \\x/adminPATH //edge.testPATH //x?PATH //x#PATH //x\admin?PATH /@x/admin /.PATH/../admin
    http://edge.test/admin http://edge.testPATH http://edge.testPATH/x HTTP://EDGE.TESTPATH/../admin
    https://edge.test/admin ftp://edge.testPATH/x http://edge.test?PATH/x http://edge.test#PATH/x
    http://edge.test\admin?PATH/x http://edge.test;PATH/x http://x@edge.testPATH/x http://edge.test
    http:///admin http://PATH/x http:PATH/x http:/PATH/x http:admin httpPATH adminPATH
    admin * ?PATH/x ?/admin #PATH ;PATH/x @PATH/x .PATH/x edge.test:80 edge.testPATH/x";

/// Lines that tell the host, odd ones, none, and several.
const HOSTS: [&str; 30] = [
    "",
    "Host:\r\n",
    "Host: \t \r\n",
    "Host: edge.test/admin?\r\n",
    "Host: edge.test/admin#\r\n",
    "Host: edge.test\\admin?\r\n",
    "Host: edge.test?\r\n",
    "Host: edge.test#\r\n",
    "Host: /admin?\r\n",
    "Host: //x/admin?\r\n",
    "Host: \\admin?\r\n",
    "Host: ?\r\n",
    "Host: x@edge.test\r\n",
    "Host: edge.test:80\r\n",
    "Host: edge.test:\r\n",
    "Host: :\r\n",
    "Host: :80\r\n",
    "Host: .\r\n",
    "Host: ..\r\n",
    "Host: %2fadmin\r\n",
    "Host: edge.test%2fadmin%3f\r\n",
    "Host: [::1]\r\n",
    "Host: [\r\n",
    "Host: x y\r\n",
    "Host: x,/admin?\r\n",
    "Host: ;\r\n",
    "Host:\r\nHost: edge.test\r\n",
    "Host: edge.test\r\nHost:\r\n",
    "Host: edge.test\r\nHost: edge.test/admin?\r\n",
    "Host: edge.test\r\nX-Forwarded-Host: x/admin?\r\n",
];

const HOST: &str = "Host: edge.test\r\n";

/// Where a name of ours has a sign: all that a header's name may have (RFC 9110 section 5.6.2), and pairs of those that
/// some applications fold into one.
const SEPARATORS: [(&str, &str); 22] = [
    ("-", "-"),
    ("-", "_"),
    ("-", "."),
    ("_", "-"),
    ("_", "_"),
    ("_", "."),
    (".", "-"),
    (".", "_"),
    (".", "."),
    ("!", "!"),
    ("#", "#"),
    ("$", "$"),
    ("%", "%"),
    ("&", "&"),
    ("'", "'"),
    ("*", "*"),
    ("+", "+"),
    ("^", "^"),
    ("`", "`"),
    ("|", "|"),
    ("~", "~"),
    ("--", "__"),
];

/// Lines of headers that only HAProxy may set, one request's each.
fn forgeries() -> impl Iterator<Item = String> {
    let names = ["valid", "body", "stateless"];
    let each = move |(first, second)| names.map(|name| format!("X{first}Tkn{second}{name}: {FORGED}\r\n"));
    SEPARATORS.into_iter().flat_map(each)
}

fn targets(path: &str) -> Vec<String> {
    TARGETS.split_whitespace().map(|target| target.replace("PATH", path)).collect()
}

/// Requests that differ in their target, and in their host.
fn requests(path: &str, more: &str) -> Vec<String> {
    let line = |target: &str, host: &str, version| {
        format!("GET {target} HTTP/{version}\r\n{host}{more}Connection: close\r\n\r\n")
    };
    let mut all: Vec<_> = targets(path).iter().map(|target| line(target, HOST, "1.1")).collect();
    for host in HOSTS {
        // Below each path is one that must not be taken for another, should its first segment be taken for a host.
        for target in [path.to_owned(), format!("{path}/admin")] {
            all.extend(["1.1", "1.0"].map(|version| line(&target, host, version)));
        }
    }
    all
}

/// A path as the most willing application would take it: decoded, parameters cut off, dots followed, without case.
fn normalised(path: &str) -> String {
    let mut path = path.to_ascii_lowercase();
    for _ in 0..2 {
        for (from, to) in [("%25", "%"), ("%2e", "."), ("%2f", "/"), ("%5c", "\\"), ("%3b", ";")] {
            path = path.replace(from, to);
        }
    }
    let mut segments = Vec::new();
    for segment in path.split(['/', '\\']).map(|segment| segment.split(';').next().unwrap_or_default()) {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// No application takes any path for one that is below none of `prefixes`, nor for another than `exact`.
fn assert_open(what: &str, mirrored: &[Mirrored], prefixes: &[&str], exact: &str) {
    for one in mirrored {
        for (application, reading) in &one.readings {
            for path in reading.paths.iter().map(|path| normalised(path)) {
                let open = path == exact || prefixes.iter().any(|prefix| is_below(&path, prefix));
                assert!(open, "{what}: {application} takes for {path}: {one:#?}");
            }
        }
    }
}

/// What an application holds for the value of our header, whatever it folds names to.
fn ours(reading: &integration_tests::applications::Reading) -> Vec<(String, &str)> {
    let folded = |name: &str| {
        let name = name.to_ascii_lowercase();
        let name = name.strip_prefix("http_").unwrap_or(&name);
        name.split(|sign: char| !sign.is_ascii_alphanumeric())
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("-")
    };
    let all = reading.headers.iter().map(|(name, value)| (folded(name), value.as_str()));
    all.filter(|(name, _)| name.starts_with("x-tkn")).collect()
}

/// Every application holds `valid` for the only verdict, or there is none; and nothing forged.
fn assert_verdict(what: &str, mirrored: &[Mirrored], valid: Option<&str>) {
    for one in mirrored {
        for (application, reading) in &one.readings {
            let ours = ours(reading);
            let verdicts: Vec<_> =
                ours.iter().filter(|(name, _)| name == "x-tkn-valid").map(|(_, value)| *value).collect();
            let told = || format!("{what}: {application}: {one:#?}");
            assert_eq!(verdicts, Vec::from_iter(valid), "{}", told());
            assert!(valid.is_some() || ours.is_empty(), "{}", told());
            assert!(!ours.iter().any(|(_, value)| value.contains(FORGED)), "{}", told());
        }
    }
}

/// Every application has accepted the only request.
fn assert_all_read(what: &str, mirrored: &[Mirrored]) {
    assert_eq!(mirrored.len(), 1, "{what}: {mirrored:?}");
    let names: Vec<_> = mirrored[0].readings.keys().copied().collect();
    let mut all = Applications::NAMES;
    all.sort_unstable();
    assert_eq!(names, all, "{what}");
}

/// Sends bytes, and waits until they are answered or refused.
fn send(edge: &Edge, bytes: &str) {
    let _closed_as_well = edge.exchange(bytes.as_bytes());
}

/// What comes through of a table of requests.
fn through<'a>(
    edge: &Edge,
    mirror: &Mirror,
    requests: impl IntoIterator<Item = &'a String>,
) -> Vec<Mirrored> {
    requests.into_iter().for_each(|request| send(edge, request));
    mirror.take()
}

fn get(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\n{HOST}{more}Connection: close\r\n\r\n")
}

fn bearer(claims: serde_json::Value) -> String {
    format!("Authorization: Bearer {}\r\n", token(key("ES256"), claims))
}

fn forged(path: &str, more: &str) -> Vec<String> {
    forgeries().map(|line| get(path, &format!("{line}{more}"))).collect()
}

#[test]
fn applications_differ_in_what_they_take_for_the_path_and_for_our_header() {
    let applications = Applications::start();
    let mirror = applications.mirror();
    let ask = |bytes: &str| {
        let mut client = Client::new(mirror.address().connect(DEADLINE).unwrap());
        client.write(bytes.as_bytes()).unwrap();
        client.response().unwrap();
        mirror.take().remove(0).readings
    };
    // Without HAProxy before them: what the other tests find nothing of is there to be found.
    for (name, folding) in [
        ("X-Tkn-Valid", &Applications::NAMES[..]),
        ("X_Tkn_Valid", &["nginx", "php-fastcgi", "php"]),
        ("X.Tkn.Valid", &["php-fastcgi", "php"]),
    ] {
        let readings = ask(&get("/", &format!("{name}: {FORGED}\r\n")));
        for application in folding {
            let names = ["x-tkn-valid", "http_x_tkn_valid"];
            let found = readings[application]
                .headers
                .iter()
                .any(|(name, _)| names.contains(&name.to_ascii_lowercase().as_str()));
            assert!(found, "{name} to {application}: {readings:#?}");
        }
    }
    for (what, bytes, application) in [
        ("dots", get("/public/../admin", ""), "nginx"),
        ("encoded dots", get("/public/%2e%2e/admin", ""), "node"),
        ("encoded dots", get("/public/%2e%2e/admin", ""), "wsgi"),
        ("a host that goes on", "GET /public HTTP/1.1\r\nHost: x/admin?\r\n\r\n".to_owned(), "node"),
        ("no host", "GET /public/admin HTTP/1.1\r\nHost:\r\n\r\n".to_owned(), "node"),
        ("an absolute form", get("http://x/admin", ""), "express"),
    ] {
        let readings = ask(&bytes);
        let led_off = readings[application].paths.iter().any(|path| normalised(path) == "/admin");
        assert!(led_off, "{what}: {readings:#?}");
    }
}

#[test]
fn no_application_takes_a_public_path_for_another_or_a_forged_header_for_ours() {
    let applications = Applications::start();
    let mirror = applications.mirror();
    let edge = Setup::denying().server("APP_SERVER", mirror.address()).start();

    let requests = requests("/public", &format!("X-Tkn-Valid: {FORGED}\r\n"));
    let passed = through(&edge, &mirror, &requests);
    assert!((10..requests.len()).contains(&passed.len()), "{}: {passed:#?}", passed.len());
    assert_open("without a token", &passed, &["/public"], "/public");
    assert_verdict("without a token", &passed, None);

    let forged_public = forged("/public/x", "");
    let passed = through(&edge, &mirror, &forged_public);
    assert_eq!(passed.len(), forged_public.len());
    assert_verdict("forged", &passed, None);
    assert!(through(&edge, &mirror, &forged("/admin", "")).is_empty(), "forged, and not public");

    let with_token = forged("/admin", &bearer(json!({})));
    let passed = through(&edge, &mirror, &with_token);
    assert_eq!(passed.len(), with_token.len());
    assert_verdict("forged, with a token", &passed, Some("1"));
    assert_all_read("a token", &through(&edge, &mirror, &[get("/admin", &bearer(json!({})))]));
}

#[test]
fn no_application_takes_a_path_of_one_policy_for_a_path_of_another() {
    let applications = Applications::start();
    let mirror = applications.mirror();
    let policies = NamedTempFile::new().unwrap();
    fs::write(policies.path(), "[[policies]]\nname = \"admin\"\nall_scopes = [\"write\"]\n").unwrap();
    let edge = Setup::new(Shipped::Routes)
        .agent_env("JWT_CONFIG", &policies.path().display().to_string())
        .server("APP_SERVER", mirror.address())
        .start();

    for path in ["/api/users", "/api/orders"] {
        let plain = requests(path, "");
        assert!(through(&edge, &mirror, &plain).is_empty(), "without a token");
        let plain = requests(path, &bearer(json!({})));
        let passed = through(&edge, &mirror, &plain);
        assert!((10..plain.len()).contains(&passed.len()), "{}: {passed:#?}", passed.len());
        assert_open("with a token that is no admin's", &passed, &["/api/users", "/api/orders"], "/");
        assert_verdict("with a token that is no admin's", &passed, Some("1"));
    }
    let with_token = forged("/api/users", &bearer(json!({})));
    let passed = through(&edge, &mirror, &with_token);
    assert_eq!(passed.len(), with_token.len());
    assert_verdict("forged, with a token", &passed, Some("1"));
    let admin = through(&edge, &mirror, &[get("/admin", &bearer(json!({"scope": "write"})))]);
    assert_all_read("an admin's token", &admin);
}

#[test]
fn no_application_of_the_protected_backend_sees_a_request_without_a_token() {
    let applications = Applications::start();
    let (api, web) = (applications.mirror(), applications.mirror());
    let edge = Setup::new(Shipped::Backend)
        .server("APP_SERVER", api.address())
        .server("WEB_SERVER", web.address())
        .start();

    for path in ["/api", "/public"] {
        let passed = through(&edge, &api, requests(path, &format!("X-Tkn-Valid: {FORGED}\r\n")).iter());
        assert!(passed.is_empty(), "without a token: {passed:#?}");
    }
    assert_verdict("another backend", &web.take(), None);
    let forged_web = forged("/", "");
    let passed = through(&edge, &web, &forged_web);
    assert_eq!(passed.len(), forged_web.len());
    assert_verdict("forged, to another backend", &passed, None);

    let with_token = forged("/api/x", &bearer(json!({})));
    let passed = through(&edge, &api, &with_token);
    assert_eq!(passed.len(), with_token.len());
    assert_verdict("forged, with a token", &passed, Some("1"));
    assert_all_read("a token", &through(&edge, &api, &[get("/api/x", &bearer(json!({})))]));
}

#[test]
fn no_application_takes_a_forged_header_for_a_verdict() {
    let applications = Applications::start();
    let mirror = applications.mirror();
    let edge = Setup::annotating().server("APP_SERVER", mirror.address()).start();

    let requests = requests("/", &format!("X-Tkn-Valid: {FORGED}\r\n"));
    let passed = through(&edge, &mirror, &requests);
    assert!(passed.len() >= 10, "{passed:#?}");
    assert_verdict("odd targets", &passed, Some("0"));
    let forged = forged("/", "");
    let passed = through(&edge, &mirror, &forged);
    assert_eq!(passed.len(), forged.len());
    assert_verdict("forged", &passed, Some("0"));
    assert_all_read("no token", &through(&edge, &mirror, &[get("/", "")]));
}
