//! What the page is for: a user is revoked there, refused at HAProxy, and let in again.

use crate::browser::Browser;
use crate::desk::Desk;
use crate::tab::Tab;

/// Fills in the form, and asks what it would do.
fn preview(tab: &Tab<'_>, fields: &[(&str, &str)]) {
    tab.view("Revoke");
    for (label, text) in fields {
        tab.type_into(label, text);
    }
    tab.click("Preview");
}

#[test]
fn a_user_is_revoked_in_the_page_refused_at_haproxy_and_let_in_after_the_undo() {
    let desk = Desk::start();
    let (annas, berts) = (Desk::request_of("anna.berg"), Desk::request_of("bert"));
    desk.edge.comes_to("before", 200, &annas);
    desk.edge.comes_to("before", 200, &berts);

    let browser = Browser::start();
    let tab = browser.tab();
    desk.sign_in(&tab, "revoke");
    preview(&tab, &[("User", "anna.berg"), ("Why", "phone stolen, ticket 4711")]);
    tab.shows("What it would do");
    tab.shows("Last seen");
    tab.shows("the last token of the user that was seen");
    desk.edge.comes_to("a preview changes nothing", 200, &annas);
    tab.click("Revoke anna.berg");
    tab.shows("Revoked: anna.berg");
    desk.edge.comes_to("it is refused", 401, &annas);
    desk.edge.comes_to("another user is let in", 200, &berts);

    tab.view("Live refusals");
    tab.wait(
        "the refusal is told as it comes",
        "[...document.querySelectorAll('tr')].some(({ textContent: line }) => line.includes('revoked') && line.includes('anna.berg'))",
    );
    assert!(!tab.text().contains("bert"), "who is let in is shown on demand: {}", tab.text());
    tab.type_into("Only with", "no such word");
    tab.shows("No decision that was told fits.");

    tab.view("Who is revoked");
    tab.shows("phone stolen, ticket 4711");
    tab.type_into("Name has in it", "nobody");
    tab.click("Search");
    tab.shows("No such user is revoked");

    tab.view("Audit trail");
    tab.shows("revoke.person");
    tab.click("Undo");
    tab.shows("Undo this change?");
    tab.click("Yes");
    tab.shows("Undone");
    desk.edge.comes_to("it is let in again", 200, &annas);

    preview(&tab, &[("User", "anna.berg"), ("Issued before", "4h ago")]);
    tab.shows("not the last token of the user that was seen");
    tab.click("Revoke anna.berg");
    tab.shows("Revoked: anna.berg");
    desk.edge.comes_to("a token of now is no token of then", 200, &annas);
    tab.click("Undo");
    tab.shows("Taken back: anna.berg");
    tab.is_clean(&desk.origin(), &[]);
}

#[test]
fn a_name_with_a_slip_in_it_is_told_by_the_preview_and_a_restored_user_is_let_in() {
    let desk = Desk::start();
    let annas = Desk::request_of("anna.berg");
    desk.edge.comes_to("before", 200, &annas);
    let browser = Browser::start();
    let tab = browser.tab();
    desk.sign_in(&tab, "revoke");
    preview(&tab, &[("User", "anna.borg")]);
    tab.shows("Is the name spelled as the tokens have it?");
    tab.click("anna.berg");
    tab.click("Revoke anna.berg");
    tab.shows("Revoked: anna.berg");
    desk.edge.comes_to("it is refused", 401, &annas);
    tab.view("Who is revoked");
    tab.click("Restore");
    tab.click("No");
    tab.click("Restore");
    tab.click("Yes");
    tab.shows("Restored: anna.berg");
    desk.edge.comes_to("it is let in again", 200, &annas);

    for (label, text, told) in [
        ("Issued before", "tomorrow", "Say now, 4h ago"),
        ("Issued before", "2999-01-01", "This time is to come"),
        ("User", "g", "g is no subject here"),
    ] {
        preview(&tab, &[("User", "anna.berg"), (label, text)]);
        tab.shows(told);
        assert!(!tab.buttons().iter().any(|name| name.starts_with("Revoke")), "{:?}", tab.buttons());
        tab.view("Overview");
    }
    tab.is_clean(&desk.origin(), &[400]);
}
