//! Pages of other origins, in a browser whose user has the page open: what they send is refused, and nothing of it is done.

use std::io::Write as _;
use std::net::TcpListener;
use std::thread;

use serde_json::json;

use crate::browser::Browser;
use crate::desk::{Desk, bearer_of, status_of};

/// A page of another origin, on a port of its own; it lives as long as the process.
fn stranger() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let body = "<!doctype html><link rel=icon href=data:,><title>stranger</title>";
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            (&stream).write_all(format!("{head}{body}").as_bytes()).ok();
        }
    });
    format!("http://{address}")
}

#[test]
fn a_page_of_another_origin_writes_nothing_and_reads_nothing() {
    let desk = Desk::start();
    let browser = Browser::start();
    let tab = browser.tab();
    tab.open(&stranger());
    let rule = json!({ "group": "anna", "rule": { "iat": { "lt": 5 } } }).to_string();
    let url = format!("{}/v1/rules", desk.origin());
    // What needs no leave of ours first (no preflight), with any form's content type.
    let sent = tab.eval(&format!(
        "fetch({}, {{ method: 'POST', mode: 'no-cors', body: {} }}).then(({{ type }}) => type)",
        json!(url),
        json!(rule)
    ));
    assert_eq!(sent, json!("opaque"));
    assert_eq!(tab.statuses("/v1/rules"), [403]);
    // What needs leave: the bearer token of an administrator, if the page knew it.
    let headers = json!({ "authorization": format!("Bearer {}", bearer_of("admin")) });
    let asked = tab.eval(&format!(
        "fetch({}, {{ method: 'POST', headers: {headers}, body: {} }}).then(() => 'answered', () => 'refused')",
        json!(url),
        json!(rule)
    ));
    assert_eq!(asked, json!("refused"));
    let read = tab.eval(&format!(
        "fetch({}).then(() => 'read', () => 'refused')",
        json!(format!("{}/metrics", desk.origin()))
    ));
    assert_eq!(read, json!("refused"));
    let rules = desk.server().rule_writer().get("/v1/rules").unwrap();
    assert_eq!(rules["groups"], json!([]));
}

#[test]
fn a_name_that_suddenly_means_this_machine_shows_no_page_and_tools_go_on_working() {
    let desk = Desk::start();
    let port = desk.origin().rsplit(':').next().unwrap().to_owned();
    let browser = Browser::start_with(&["--host-resolver-rules=MAP rebound.test 127.0.0.1"]);
    let tab = browser.tab();
    tab.open(&format!("http://rebound.test:{port}/ui/"));
    tab.shows("this listener answers to localhost and to IP addresses alone");
    let read = tab.eval("Promise.all(['/metrics', '/v1/rules', '/ready', '/ui/page.js'].map((path) => fetch(path).then(({ status }) => status)))");
    assert_eq!(read, json!([421, 421, 421, 421]));
    tab.open(&format!("http://localhost:{port}/ui/"));
    tab.shows("Who are you?");

    let admin = &desk.server().admin;
    let asks = |head: &str| {
        let bearer = bearer_of("read");
        status_of(
            admin,
            format!("GET /v1/me {head}Authorization: Bearer {bearer}\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        )
    };
    assert_eq!(asks("HTTP/1.1\r\nHost: rebound.test\r\n"), 421);
    assert_eq!(asks(&format!("HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n")), 200);
    assert_eq!(asks("HTTP/1.0\r\n"), 200);
}
