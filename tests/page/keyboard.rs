//! Everything by the keyboard alone, with the focus always to be seen.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::desk::{Desk, bearer_of};
use crate::tab::Tab;

/// More stops than any view has.
const MOST_STOPS: usize = 60;

/// The words of what has the focus, or of its label.
fn focused(tab: &Tab<'_>) -> String {
    let told = tab.eval(
        "(() => { const at = document.activeElement; return at.labels?.[0]?.textContent ?? at.textContent; })()",
    );
    told.as_str().unwrap_or_default().trim().to_owned()
}

/// Presses Tab until the focus is there; each stop has to be seen.
fn tab_to(tab: &Tab<'_>, words: &str) {
    for _ in 0..MOST_STOPS {
        tab.press("Tab");
        let seen: Value = tab.eval(
            "(() => { const at = document.activeElement; const style = getComputedStyle(at); \
             return at === document.body || (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0); })()",
        );
        assert_eq!(seen, json!(true), "the focus is not seen on {:?}", focused(tab));
        if focused(tab) == words {
            return;
        }
    }
    panic!("no way by Tab to {words:?}; the page shows\n{}", tab.text());
}

#[test]
fn a_user_is_revoked_and_the_revocation_undone_without_a_mouse() {
    let desk = Desk::start();
    let request = Desk::request_of("anna");
    desk.edge.comes_to("before", 200, &request);
    let browser = Browser::start();
    let tab = browser.tab();
    tab.open(&format!("{}/ui/", desk.origin()));
    tab.wait(
        "the focus is where to type",
        "document.activeElement.labels?.[0]?.textContent === 'Bearer token'",
    );
    tab.insert(bearer_of("revoke"));
    tab.press("Enter");
    tab.shows("revoke.person");
    tab.wait("the view has the focus", "document.activeElement.id === 'main'");

    tab.eval("document.activeElement.blur()");
    tab_to(&tab, "Skip to the content");
    tab_to(&tab, "Revoke");
    tab.press("Enter");
    tab.wait("the focus is where to type", "document.activeElement.labels?.[0]?.textContent === 'User'");
    tab.insert("anna");
    tab.press("Enter");
    tab.wait("the preview has the focus", "document.activeElement.textContent === 'What it would do'");
    tab_to(&tab, "Revoke anna");
    tab.press("Enter");
    tab.shows("Revoked: anna");
    desk.edge.comes_to("it is refused", 401, &request);
    tab.wait("the way back has the focus", "document.activeElement.textContent === 'Undo'");
    tab.press("Enter");
    tab.shows("Taken back: anna");
    desk.edge.comes_to("it is let in again", 200, &request);
    tab.is_clean(&desk.origin(), &[]);
}

/// What a screen reader goes by: one heading of the first rank, landmarks, a name for each input, button and table.
#[test]
fn each_view_has_its_landmarks_and_everything_in_it_has_a_name() {
    let desk = Desk::start();
    desk.server().revoke("anna", &json!({ "iat": { "lt": 1_700_000_000 } }));
    let browser = Browser::start();
    let tab = browser.tab();
    desk.sign_in(&tab, "admin");
    let links = tab.eval("[...document.querySelectorAll('nav a')].map((link) => link.textContent)");
    for view in links.as_array().unwrap() {
        tab.view(view.as_str().unwrap());
        let counts = tab.eval("['h1', 'main', 'nav[aria-label]', 'header', '[role=status]'].map((part) => document.querySelectorAll(part).length > 0)");
        assert_eq!(counts, json!([true, true, true, true, true]), "{view}");
        let nameless = tab.eval(
            "[...document.querySelectorAll('input, select, textarea, button, table, img')]
                .filter((part) => part.checkVisibility() && !(part.labels?.length || part.textContent.trim() || part.hasAttribute('alt')))
                .map((part) => part.outerHTML)",
        );
        assert_eq!(nameless, json!([]), "{view}");
        let twice = tab.eval("[...document.querySelectorAll('[id]')].map(({ id }) => id).filter((id, at, all) => all.indexOf(id) !== at)");
        assert_eq!(twice, json!([]), "{view}");
        // On a narrow screen nothing has to be moved sideways but what scrolls by itself.
        tab.size(360, 700);
        let wide = tab.eval("document.documentElement.scrollWidth > innerWidth");
        assert_eq!(wide, json!(false), "{view} is wider than a narrow screen");
        tab.size(1280, 800);
    }
    tab.is_clean(&desk.origin(), &[]);
}
