//! Once through the page, with pictures: those of docs/PAGE.md are copies of them.

use integration_tests::http::Request;
use integration_tests::keys::{SigningKey, jwks, key};
use integration_tests::token::{forge_signature, now, token};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::desk::Desk;
use crate::tab::Tab;

/// Both themes of what is seen.
fn both(tab: &Tab<'_>, name: &str) {
    for theme in ["light", "dark"] {
        tab.theme(theme);
        tab.picture(&format!("{name}-{theme}"));
    }
    tab.theme("light");
}

/// A key set of which one key is used, and one left out.
fn keys() -> String {
    let mut set: Value = serde_json::from_str(&jwks([key("ES256"), key("RS256")])).unwrap();
    let mut left_out = SigningKey::generate("ES256", "enc-1").jwk();
    left_out["use"] = json!("enc");
    set["keys"].as_array_mut().unwrap().push(left_out);
    set.to_string()
}

#[test]
fn the_page_shows_how_all_parts_are_and_what_they_do() {
    let desk = Desk::start_with(&keys());
    for user in ["anna.berg", "bert", "carla", "dilek", "emil"] {
        desk.edge.comes_to(user, 200, &Desk::request_of(user));
    }
    let write = |user: &str, note: &str| {
        let document = json!({ "group": user, "rule": { "iat": { "lt": 1_795_000_000 } }, "expireAt": "in 30d", "note": note });
        let written =
            desk.server().rule_writer().try_ask("POST", "/v1/rules", &document.to_string()).unwrap();
        assert_eq!(written.status, 201, "{written}");
    };
    write("bert", "left the company");
    write("mallory", "password in a leak, ticket 4690");

    let browser = Browser::start();
    let tab = browser.tab();
    tab.size(1120, 620);
    tab.open(&format!("{}/ui/", desk.origin()));
    tab.shows("Who are you?");
    both(&tab, "sign-in");
    desk.sign_in(&tab, "admin");

    tab.shows("It answers, and wants traffic.");
    tab.shows("2 rules in memory");
    tab.shows("1 left out");
    tab.shows("Each second");
    both(&tab, "overview");

    tab.view("Revoke");
    tab.type_into("User", "anna.berg");
    tab.type_into("Why", "phone stolen, ticket 4711");
    tab.click("Preview");
    tab.shows("What it would do");
    both(&tab, "revoke");
    tab.click("Revoke anna.berg");
    tab.shows("Revoked: anna.berg");

    tab.view("Who is revoked");
    tab.shows("phone stolen, ticket 4711");
    both(&tab, "revoked");

    tab.view("Audit trail");
    tab.shows("admin.person");
    both(&tab, "audit");

    let good = token(key("ES256"), json!({ "sub": "anna.berg", "iat": 1_700_000_000 }));
    for (shown, told) in [(good.clone(), "verified"), (forge_signature(&good), "not verified: signature")] {
        tab.view("Explain a token");
        tab.type_into("Token, or its claims as JSON", &format!("Bearer {shown}"));
        tab.click("Explain");
        tab.shows("Refused: revoked");
        tab.shows(told);
        tab.shows("For anna.berg");
        tab.view("Overview");
    }
    tab.view("Explain a token");
    tab.type_into("Token, or its claims as JSON", &format!("Bearer {good}"));
    tab.click("Explain");
    tab.shows("Rules that match");
    both(&tab, "explain");

    tab.view("Keys");
    tab.shows("Left out");
    tab.shows("its use is \"enc\", not \"sig\"");
    both(&tab, "keys");

    for (view, shown, name) in [
        ("Agents", "up to date", "agents"),
        ("Open streams", "No agent tells of streams.", "streams"),
        ("Signals", "No stream is configured.", "signals"),
    ] {
        tab.view(view);
        tab.shows(shown);
        both(&tab, name);
    }

    tab.view("Live refusals");
    let stranger = SigningKey::generate("ES256", "2025-01");
    let expired = token(key("ES256"), json!({ "sub": "carla", "exp": now() - 60 }));
    let forged = forge_signature(&token(key("RS256"), json!({ "sub": "emil" })));
    for (request, told) in [
        (Request::get("/"), "missing"),
        (Request::get("/").bearer(&expired), "expired"),
        (Request::get("/").bearer(&token(&stranger, json!({ "sub": "dilek" }))), "unknown_key"),
        (Request::get("/").bearer(&forged), "signature"),
        (Request::get("/").bearer(&good), "revoked"),
    ] {
        desk.edge.comes_to(told, 401, &request);
        // In the table; a view is called by one of the words as well.
        tab.shows(&format!("{told} E_TKN_INVALID"));
    }
    both(&tab, "live");
    tab.click("Pause");
    tab.shows("Paused");
    desk.edge.comes_to("while it is paused", 401, &Request::get("/").bearer("x.y.z"));
    tab.shows("1 new");
    tab.click("Go on");
    tab.shows("malformed");

    // By the switch, whatever the system prefers.
    let ground = || tab.eval("getComputedStyle(document.body).backgroundColor");
    let light = ground();
    tab.click("Light or dark");
    assert_ne!(ground(), light);
    tab.click("Light or dark");
    assert_eq!(ground(), light);
    tab.click("Light or dark");

    tab.view("Overview");
    tab.shows("It answers, and wants traffic.");
    tab.size(390, 780);
    both(&tab, "narrow");
    tab.is_clean(&desk.origin(), &[]);
}
