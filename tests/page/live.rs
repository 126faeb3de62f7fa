//! Decisions as they come, in a table that people read while the server goes and comes.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::desk::Desk;
use crate::tab::Tab;

/// A refusal that is known by its detail.
fn refusal(detail: &str) -> Value {
    json!({
        "at": 1_795_000_000_000_i64, "id": detail, "policy": "default", "reason": "E_TKN_INVALID", "detail": detail,
        "issuer": null, "kid": null, "alg": "ES256", "subject": null,
    })
}

fn report(desk: &Desk, details: &[&str]) {
    desk.report(&details.iter().map(|detail| refusal(detail)).collect::<Vec<_>>(), &json!({ "sources": [] }));
}

/// The details in the table, the newest first.
const ROWS: &str =
    "[...document.querySelectorAll('main tbody strong')].map((detail) => detail.textContent).join(' ')";

fn comes_to_show(tab: &Tab<'_>, rows: &str) {
    tab.wait(&format!("the rows {rows}"), &format!("{ROWS} === {}", json!(rows)));
}

// The browser tells of the connections that a killed server leaves, so that faults are not looked for.
#[test]
fn a_table_that_is_read_stays_when_the_stream_is_lost_and_shows_nothing_twice() {
    let mut desk = Desk::start();
    let browser = Browser::start();
    let tab = browser.tab();
    desk.sign_in(&tab, "read");
    tab.view("Live refusals");
    report(&desk, &["first", "second"]);
    comes_to_show(&tab, "second first");
    tab.click("Pause");
    tab.shows("Paused, 2 decisions shown");

    desk.restart_server();
    // Two of them it tells again, as a server does whose stream was lost on the way.
    report(&desk, &["first", "second", "third"]);
    tab.shows("1 new");
    comes_to_show(&tab, "second first");
    tab.click("Go on");
    comes_to_show(&tab, "third second first");

    desk.restart_server();
    report(&desk, &["third", "fourth"]);
    comes_to_show(&tab, "fourth third second first");
}
