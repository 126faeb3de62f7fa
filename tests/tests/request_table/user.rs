//! What a user's own configuration has around our lines.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::http::Request;

use super::rows;

/// Every name that our files once used, common ones, and those that HAProxy knows by itself.
const NAMES: [&str; 39] = [
    "valid",
    "public",
    "plain",
    "failed",
    "answered",
    "undecided",
    "forbidden",
    "other_aud",
    "no_token",
    "lost",
    "another",
    "api",
    "is_api",
    "admin",
    "auth",
    "authenticated",
    "authorized",
    "token",
    "has_token",
    "jwt",
    "static",
    "health",
    "internal",
    "local",
    "allowed",
    "blocked",
    "whitelist",
    "secure",
    "bot",
    "options",
    "preflight",
    "cors",
    "private",
    "ok",
    "guest",
    "METH_GET",
    "METH_OPTIONS",
    "LOCALHOST",
    "FALSE",
];

/// The shipped file with a user's lines above and below ours, in every section that has ours.
pub(crate) fn surround(shipped: &str, folder: &Path) -> String {
    let page = folder.join("401.http");
    fs::write(&page, "HTTP/1.0 401 Unauthorized\r\nContent-Type: text/plain\r\n\r\nthe user's page\n")
        .unwrap();
    let mut acls = String::new();
    for name in NAMES {
        writeln!(acls, "    acl {name} always_true").unwrap();
    }
    let above = format!(
        "{acls}    stick-table type string len 64 size 1k expire 10m store http_req_cnt\n    \
         http-request track-sc0 req.fhdr(x-client)\n    \
         http-request deny status 429 if {{ sc0_http_req_cnt gt 10 }}\n    \
         http-request redirect location /new code 301 if {{ path /old }}\n    \
         http-request set-var(txn.policy) str(default)\n    http-request set-var(txn.token) str(x)\n"
    );
    let bind = "    bind \"${EDGE_BIND}\"\n";
    assert!(shipped.contains(bind) && shipped.contains("    default_backend "), "{shipped}");
    shipped
        .replace(bind, &format!("{bind}{above}"))
        .replace("backend api\n    mode http\n", &format!("backend api\n    mode http\n{acls}"))
        .replace("    default_backend ", &format!("{acls}    default_backend "))
        .replace("    server app ", &format!("{acls}    server app "))
        .replace(
            "defaults\n    log global\n",
            &format!("defaults\n    log global\n    option httplog\n    errorfile 401 {}\n", page.display()),
        )
}

/// The statuses for which Debian ships pages of its own.
const PAGES: [u16; 7] = [400, 403, 408, 500, 502, 503, 504];

/// The shipped lines below a haproxy.cfg like Debian's own: its `global` and `defaults`, without the user that it changes to,
/// and our `presetenv` lines and sections.
pub(crate) fn below_debians_own(shipped: &str, folder: &Path) -> String {
    let mut pages = String::new();
    for status in PAGES {
        let page = folder.join(format!("{status}.http"));
        fs::write(
            &page,
            format!("HTTP/1.0 {status} Debian\r\nContent-Type: text/html\r\n\r\nDebian's page {status}\n"),
        )
        .unwrap();
        writeln!(pages, "    errorfile {status} {}", page.display()).unwrap();
    }
    let settings: String = shipped
        .lines()
        .filter(|line| line.trim_start().starts_with("presetenv "))
        .fold(String::new(), |all, line| all + line + "\n");
    let (_, sections) = shipped.split_once("\nfrontend edge\n").unwrap();
    format!(
        "global\n{settings}    log /dev/log local0\n    log /dev/log local1 notice\n    \
         stats socket \"${{STATS_SOCKET}}\" mode 660 level admin\n    stats timeout 30s\n    ca-base /etc/ssl/certs\n    \
         crt-base /etc/ssl/private\n\ndefaults\n    log global\n    mode http\n    option httplog\n    option dontlognull\n    \
         timeout connect 5000\n    timeout client  50000\n    timeout server  50000\n{pages}\nfrontend edge\n{sections}"
    )
}

/// Debian's pages are what a client gets.
pub(crate) fn assert_debians_pages(shipped: Shipped, edge: &Edge) {
    let refusal = edge.refuses("a target that is no path", 400, &Request::get("http://edge.test/"));
    assert_eq!(String::from_utf8_lossy(&refusal.body), "Debian's page 400\n", "{shipped:?}");
}

/// Whether this process may; said where it may not, since the table then runs without.
pub(crate) fn may_chroot() -> bool {
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !root {
        eprintln!("not root: the table runs without chroot");
    }
    root
}

/// What the user has is there still: the redirect, and the page for a refusal, with our challenge.
pub(crate) fn assert_own_rules_work(shipped: Shipped, edge: &Edge) {
    let response = edge.refuses("a redirect", 301, &Request::get("/old"));
    assert_eq!(response.header("location"), Some("/new"));
    if shipped.form() == Shipped::Annotating {
        return;
    }
    let forged = Request::get(rows::place(shipped)).bearer("a.b.c");
    let response = edge.refuses("a refusal", 401, &forged);
    assert_eq!(String::from_utf8_lossy(&response.body), "the user's page\n", "{shipped:?}");
    assert!(response.header("www-authenticate").unwrap().contains("malformed"), "{shipped:?}");
}
