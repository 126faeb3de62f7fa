//! What each role is shown, and what the server refuses however it is asked.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::desk::{Desk, bearer_of};

/// Every view, by its link.
const VIEWS: [&str; 10] = [
    "Overview",
    "Live refusals",
    "Revoke",
    "Who is revoked",
    "Audit trail",
    "Explain a token",
    "Keys",
    "Agents",
    "Open streams",
    "Signals",
];

/// Buttons that change something.
const WRITES: [&str; 5] = ["Revoke", "Restore", "Undo", "Verify", "Preview"];

#[test]
fn a_reader_sees_every_view_without_a_button_that_writes_and_each_write_of_his_is_refused() {
    let desk = Desk::start();
    desk.server().revoke("anna", &json!({ "iat": { "lt": 1_700_000_000 } }));
    let browser = Browser::start();
    let tab = browser.tab();
    desk.sign_in(&tab, "read");
    for view in VIEWS.into_iter().filter(|view| *view != "Revoke") {
        tab.view(view);
        if view == "Who is revoked" || view == "Audit trail" {
            tab.shows("anna");
        }
        let writes = |name: &String| WRITES.iter().any(|write| name.starts_with(write));
        assert!(!tab.buttons().iter().any(writes), "{view}: {:?}", tab.buttons());
    }
    let links = tab.eval("[...document.querySelectorAll('nav a')].map((link) => link.textContent)");
    assert!(!links.as_array().unwrap().contains(&json!("Revoke")), "{links}");
    tab.eval("location.hash = '#revoke/anna'");
    tab.wait("the view is not his", "document.title.startsWith('Overview')");

    // As a reader who has the browser's tools would try.
    let trail = desk.server().rule_writer().get("/v1/audit?limit=1").unwrap();
    let undo = format!("v1/audit/{}/undo", trail["entries"][0]["id"].as_str().unwrap());
    for (method, path, body) in [
        ("POST", "v1/rules", json!({ "group": "bert", "rule": { "iat": { "lt": 5 } } })),
        ("POST", "v1/rules/anna", json!({ "rule": {}, "confirm": true })),
        ("DELETE", "v1/rules/anna", json!({ "all": true })),
        ("POST", &*undo, json!({})),
        ("POST", "v1/everybody/rules", json!({ "rule": {}, "confirm": true, "forever": true })),
        ("POST", "v1/import", json!({ "group": "bert", "rule": { "a": 1 } })),
    ] {
        let options = json!({
            "method": method,
            "headers": { "authorization": format!("Bearer {}", bearer_of("read")) },
            "body": body.to_string(),
        });
        let status = tab.eval(&format!("fetch('../{path}', {options}).then((answer) => answer.status)"));
        assert_eq!(status, json!(403), "{method} {path}");
    }
    let left: Value = desk.server().rule_writer().get("/v1/rules").unwrap();
    assert_eq!(left["groups"].as_array().map(Vec::len), Some(1), "{left}");
    tab.is_clean(&desk.origin(), &[403]);
}

#[test]
fn a_token_that_is_unknown_or_taken_away_shows_nothing() {
    let desk = Desk::start();
    let browser = Browser::start();
    let tab = browser.tab();
    tab.open(&format!("{}/ui/#revoked", desk.origin()));
    tab.type_into("Bearer token", "no-token-of-anybody");
    tab.click("Go on");
    tab.shows("a bearer token that this server knows is needed");
    assert_eq!(tab.eval("document.querySelectorAll('nav a').length"), json!(0));

    tab.type_into("Bearer token", bearer_of("admin"));
    tab.click("Go on");
    tab.wait("the view that the address names", "document.title.startsWith('Who is revoked')");
    // Nothing of it is kept: a reload asks again.
    tab.open(&format!("{}/ui/#revoked", desk.origin()));
    tab.shows("Who are you?");
    let stored = tab.eval("[document.cookie, localStorage.length, sessionStorage.length]");
    assert_eq!(stored, json!(["", 0, 0]));
    tab.is_clean(&desk.origin(), &[401]);
}

#[test]
fn all_roles_see_what_they_may_do() {
    let desk = Desk::start();
    desk.server().revoke("anna", &json!({ "iat": { "lt": 1_700_000_000 } }));
    let browser = Browser::start();
    let tab = browser.tab();
    for role in ["revoke", "admin"] {
        desk.sign_in(&tab, role);
        for view in VIEWS {
            tab.view(view);
        }
        tab.view("Who is revoked");
        tab.shows("anna");
        assert!(tab.buttons().contains(&"Restore".to_owned()), "{:?}", tab.buttons());
        tab.click("Sign out");
        tab.shows("Who are you?");
        assert!(!tab.text().contains("anna"), "{}", tab.text());
    }
    tab.is_clean(&desk.origin(), &[]);
}
