//! Does the table find what it is for? Each case breaks a shipped file in one place, as a user who copies it might, and
//! the table must find a request that is answered wrongly then.

use std::panic::{AssertUnwindSafe, catch_unwind};

use integration_tests::edge::Edge;
use integration_tests::haproxy::{Shipped, version};
use integration_tests::setup::Setup;
use tempfile::TempDir;

use super::{assert_all, assert_claim_headers, setup, user};

const NAMES: &str = "    http-request del-header ^x[^A-Za-z0-9]+tkn[^A-Za-z0-9] -m reg\n";
const SPELLING: &str = "^x[^A-Za-z0-9]+tkn[^A-Za-z0-9] -m reg";
const ORIGIN_FORM: &str =
    "    http-request deny status 400 default-errorfiles unless { url -m beg / } || { fc_http_major ge 2 }\n";
const SEGMENT: &str = "(/[A-Za-z0-9_~!$&-,=:@-]+([.][A-Za-z0-9_~!$&-,=:@-]+)*)";
const LAST: &str = "{ var(txn.tkn.valid) -m bool } { var(txn.tkn.reason) -m str ok }";
const FORBIDDEN: &str =
    "    http-request deny status 403 default-errorfiles if { var(txn.tkn.reason) -m str E_TKN_FORBIDDEN }\n";
const ASTERISK: &str = "    http-request return status 204 if { method OPTIONS } { url -m str * }\n";

/// A file, what stands there, and what takes its place.
const BROKEN: &[(Shipped, &str, &str)] = &[
    // Forged headers.
    (Shipped::Denying, NAMES, ""),
    (Shipped::Annotating, NAMES, ""),
    (Shipped::Optional, NAMES, ""),
    (Shipped::Denying, SPELLING, "x-tkn- -m beg"),
    (Shipped::Denying, SPELLING, "^x[-_]+tkn[-_] -m reg"),
    (Shipped::Denying, SPELLING, "^x[^A-Za-z0-9]tkn[^A-Za-z0-9] -m reg"),
    (
        Shipped::Backend,
        "    http-request del-header ^x[^A-Za-z0-9]+tkn[^A-Za-z0-9] -m reg\n    http-request deny",
        "    http-request deny",
    ),
    (
        Shipped::Denying,
        "x-tkn-valid      %[var(txn.tkn.valid)]      if !tkn_public",
        "x-tkn-valid      %[var(txn.tkn.valid)]",
    ),
    // Targets and hosts that are read in two ways.
    (Shipped::Denying, ORIGIN_FORM, ""),
    (Shipped::Backend, ORIGIN_FORM, ""),
    (Shipped::Denying, " || { fc_http_major ge 2 }", ""),
    (Shipped::Denying, ASTERISK, ""),
    (Shipped::Routes, " || { req.fhdr(host) -m len 0 }", ""),
    // Paths that look public, or as if they needed less.
    (Shipped::Denying, "acl tkn_public  path -m reg", "acl tkn_public  path -m beg /public"),
    (Shipped::Denying, "acl tkn_public  path -m reg", "acl tkn_public  path -m reg ^/public/[^/]*(/[^/]+)*$"),
    (Shipped::Denying, "([.][A-Za-z0-9_~!$&-,=:@-]+)*", "([.]*[A-Za-z0-9_~!$&-,=:@-]+)*"),
    (Shipped::Denying, "acl tkn_public  path -m reg", "acl tkn_public  path,url_dec -m reg"),
    (Shipped::Routes, SEGMENT, "(/[^/]+)"),
    (Shipped::Routes, "str(admin)\n", "str(default)\n"),
    (Shipped::Routes, "path -i -m reg", "path -m reg"),
    // Decisions.
    (Shipped::Denying, LAST, "{ var(txn.tkn.valid) -m found }"),
    (Shipped::Backend, LAST, "{ var(txn.tkn.reason) -m found }"),
    (Shipped::Query, FORBIDDEN, ""),
    (Shipped::Optional, "req.fhdr_cnt(authorization) eq 0", "req.fhdr_cnt(authorization) lt 2"),
    (
        Shipped::Optional,
        "set-header x-tkn-body       %[var(txn.tkn.body)] ",
        "set-header x-tkn-novel %[var(txn.tkn.body)] ",
    ),
];

/// Hosts that newer HAProxy (3.4 for one) refuses by itself, so that no request can find that our line is gone.
const BROKEN_HOSTS: &[(Shipped, &str, &str)] = &[
    (Shipped::Routes, "{ req.fhdr(host) -m sub / ? \"#\" @ \\\\ } || ", ""),
    (Shipped::Routes, "-m sub / ? \"#\" @ \\\\", "-m sub / ? \"#\" \\\\"),
];

/// The same beside a user's own lines.
const BROKEN_BESIDE: &[(Shipped, &str, &str)] = &[
    (Shipped::Denying, "tkn_public", "public"),
    (Shipped::Optional, "tkn_guest", "guest"),
    (
        Shipped::Backend,
        "    http-request deny status 401 default-errorfiles unless { var(txn.tkn.valid) -m bool } { var(txn.tkn.reason) -m str ok }\n",
        "    acl valid var(txn.tkn.valid) -m bool\n    http-request deny status 401 default-errorfiles unless valid\n",
    ),
    (Shipped::Cookie, "status 401 default-errorfiles", "status 401"),
    (
        Shipped::Browsers,
        "    http-after-response set-header WWW-Authenticate",
        "    http-response set-header WWW-Authenticate",
    ),
];

/// Pieces of `spoe-jwt.conf`.
const BROKEN_QUESTION: &[(Shipped, &str, &str)] = &[
    (Shipped::Denying, " auth_count=req.fhdr_cnt(authorization)", ""),
    (Shipped::Backend, " auth_count=req.fhdr_cnt(authorization)", ""),
    (Shipped::Denying, "req.fhdr(authorization)", "req.hdr(authorization)"),
    (Shipped::Routes, " policy=var(txn.tkn_policy)", ""),
    (Shipped::Denying, "req.fhdr(authorization) ", "req.fhdr(x-authorization) "),
];

const BROKEN_CLAIMS: &[(&str, &str)] = &[
    ("    http-request del-header ^x[^A-Za-z0-9]+user[^A-Za-z0-9]+id$ -m reg\n", ""),
    ("^x[^A-Za-z0-9]+user[^A-Za-z0-9]+email$ -m reg", "x-user-email"),
    ("user[^A-Za-z0-9]+email$", "user[^A-Za-z0-9]email$"),
    ("%[var(txn.tkn.payload.email),url_enc]", "%[var(txn.tkn.payload.email)]"),
    ("^[!-$&-+.-~-]+( [!-$&-+.-~-]+)*$", "^[!-~]+( [!-~]+)*$"),
    ("^[!-$&-+.-~-]+( [!-$&-+.-~-]+)*$", "^[ !-$&-+.-~-]+$"),
    (" !{ var(txn.tkn.payload.email) -m str null }", ""),
    ("-m len ge 1 }", "-m found }"),
];

/// Whether a request is found that is answered wrongly. The edge has come up: that a file does not work at all is no find.
fn is_found(what: &str, edge: &Edge, assert: impl FnOnce(&Edge)) -> bool {
    let Err(found) = catch_unwind(AssertUnwindSafe(|| assert(edge))) else { return false };
    let found = found.downcast_ref::<String>().map_or("", String::as_str);
    eprintln!("{what}: {}", found.get(..found.len().min(200)).unwrap_or_default());
    true
}

/// Each case that no request finds.
fn unfound(
    cases: &[(Shipped, &'static str, &'static str)],
    start: impl Fn(Setup, &'static str, &'static str) -> Edge,
    assert: impl Fn(Shipped, &Edge),
) -> Vec<String> {
    let lost = cases.iter().filter_map(|(shipped, from, to)| {
        let folder = TempDir::with_prefix("mutation-").unwrap();
        let edge = start(setup(*shipped, &folder), from, to);
        let what = format!("{shipped:?}: {:?} instead of {:?}", to.trim(), from.trim());
        (!is_found(&what, &edge, |edge| assert(*shipped, edge))).then_some(what)
    });
    lost.collect()
}

#[test]
fn whatever_is_broken_in_a_shipped_file_is_found_by_a_request() {
    let start = |setup: Setup, from, to| setup.change(from, to).start();
    assert_eq!(unfound(BROKEN, start, assert_all), [""; 0]);
    if version() < (3, 0) {
        assert_eq!(unfound(BROKEN_HOSTS, start, assert_all), [""; 0]);
    }
}

#[test]
fn a_name_that_a_user_may_have_too_is_found_by_a_request() {
    let start = |setup: Setup, from, to| setup.change(from, to).edit(user::surround).start();
    let assert = |shipped, edge: &Edge| {
        assert_all(shipped, edge);
        user::assert_own_rules_work(shipped, edge);
    };
    assert_eq!(unfound(BROKEN_BESIDE, start, assert), [""; 0]);
}

#[test]
fn whatever_is_broken_in_the_question_to_the_agent_is_found_by_a_request() {
    let start = |setup: Setup, from, to| setup.edit_spoe(from, to).start();
    assert_eq!(unfound(BROKEN_QUESTION, start, assert_all), [""; 0]);
}

#[test]
fn whatever_is_broken_in_the_lines_of_a_claim_is_found_by_a_request() {
    let cases: Vec<_> = BROKEN_CLAIMS.iter().map(|(from, to)| (Shipped::ClaimHeaders, *from, *to)).collect();
    let start = |_: Setup, from, to| Setup::new(Shipped::ClaimHeaders).change(from, to).start();
    assert_eq!(unfound(&cases, start, |_, edge| assert_claim_headers(edge)), [""; 0]);
}
