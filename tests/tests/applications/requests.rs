//! Requests that applications may read in another way than the proxy before them.

use integration_tests::keys::key;
use integration_tests::token::token;

/// What every forged header says.
pub(crate) const FORGED: &str = "forged";

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
pub(crate) const SEPARATORS: [(&str, &str); 22] = [
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

fn targets(path: &str) -> Vec<String> {
    TARGETS.split_whitespace().map(|target| target.replace("PATH", path)).collect()
}

/// Requests that differ in their target, and in their host.
pub(crate) fn requests(path: &str, more: &str) -> Vec<String> {
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

pub(crate) fn get(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\n{HOST}{more}Connection: close\r\n\r\n")
}

pub(crate) fn bearer(claims: serde_json::Value) -> String {
    format!("Authorization: Bearer {}\r\n", token(key("ES256"), claims))
}

/// Each request with a user of its own choice, in every spelling of our header's name.
pub(crate) fn forged_users(path: &str, more: &str) -> Vec<String> {
    let line = |(first, second)| {
        format!("X{first}User{second}Id: {FORGED}\r\nx{first}USER{second}id: {FORGED}\r\n{more}")
    };
    SEPARATORS.into_iter().map(|separators| get(path, &line(separators))).collect()
}
