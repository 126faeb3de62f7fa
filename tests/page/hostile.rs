//! Texts that others choose (a user's name, a note, an issuer, a key's name) are shown as texts, whatever they are.

use std::fs;

use integration_tests::keys::SigningKey;
use integration_tests::process::repository;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::desk::Desk;
use crate::tab::Tab;

fn texts() -> Vec<String> {
    let file = repository().join("tests/data/page/texts.json");
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// A set with a key of each name: one that is used, and one that is left out.
fn keys_named(names: &[String]) -> String {
    let key = SigningKey::generate("ES256", "a");
    let used = names.iter().map(|name| {
        let mut jwk = key.jwk();
        jwk["kid"] = json!(name);
        jwk
    });
    let left_out = names.iter().map(|name| json!({ "kty": "EC", "crv": "P-256", "kid": name, "use": "enc" }));
    json!({ "keys": used.chain(left_out).collect::<Vec<_>>() }).to_string()
}

/// Nothing of a text has become anything but text, and nothing of it has run.
fn is_inert(tab: &Tab<'_>, what: &str) {
    let found = tab.eval(
        "[...document.querySelectorAll('main :is(script, img, svg, iframe, style, link, meta, base, object, embed, math, template, details, body)'),
          ...[...document.querySelectorAll('main *')].filter((part) => [...part.attributes].some(({ name, value }) =>
              name.startsWith('on') || (['href', 'src', 'action'].includes(name) && !value.startsWith('#'))))]
            .map((part) => part.outerHTML)",
    );
    assert_eq!(found, json!([]), "{what}: markup was made of a text");
    assert_eq!(tab.eval("typeof hit"), json!("undefined"), "{what}: a text was run");
    assert_eq!(tab.eval("typeof {}.hit"), json!("undefined"), "{what}");
}

/// The page shows each of the texts, with what is hidden in it made visible.
fn shows_all(tab: &Tab<'_>, what: &str, texts: &[String]) {
    let missing = |texts: &[String]| {
        format!(
            "import('/ui/words.js').then(({{ shown }}) => {{ \
             const main = document.querySelector('main').textContent; \
             return {}.map(shown).filter((text) => !main.includes(text)); }})",
            json!(texts)
        )
    };
    tab.wait(
        &format!("{what} shows all"),
        &format!("{}.then((texts) => texts.length === 0)", missing(texts)),
    );
    let plain: Vec<&String> = texts.iter().filter(|text| text.is_ascii()).collect();
    let text = tab.eval("document.querySelector('main').textContent");
    let text = text.as_str().unwrap();
    assert!(plain.iter().all(|plain| text.contains(plain.as_str())), "{what}: {text}");
}

#[test]
fn whatever_a_text_says_it_is_shown_and_nothing_more() {
    let texts = texts();
    let desk = Desk::start_with(&keys_named(&texts));
    for text in &texts {
        let document =
            json!({ "group": text, "rule": { "iat": { "lt": 1_700_000_000 } }, "note": text, "by": text });
        let written =
            desk.server().rule_writer().try_ask("POST", "/v1/rules", &document.to_string()).unwrap();
        assert_eq!(written.status, 201, "{text}: {written}");
    }
    let browser = Browser::start();
    let tab = browser.tab();
    desk.sign_in(&tab, "admin");
    let decision = |text: &String| {
        json!({
            "at": 1_795_000_000_000_i64, "id": text, "policy": text, "reason": "E_TKN_INVALID", "detail": text, "issuer": text,
            "kid": text, "alg": text, "subject": text,
        })
    };
    let source = |text: &String| json!({ "source": text, "issuers": [text], "keys": [{ "kid": text }, 5, null], "error": { "a": 1 } });
    let sources: Vec<Value> = texts.iter().map(source).chain([json!(5), json!({ "keys": "x" })]).collect();
    desk.report(&texts.iter().map(decision).collect::<Vec<_>>(), &json!({ "sources": sources }));
    for view in ["Who is revoked", "Audit trail", "Keys", "Live refusals"] {
        tab.view(view);
        shows_all(&tab, view, &texts);
        is_inert(&tab, view);
        tab.view("Overview");
        is_inert(&tab, "Overview");
    }
    for text in texts.iter().filter(|text| text.is_ascii()) {
        tab.view("Explain a token");
        let claims: Value =
            json!({ "sub": text, "iss": text, "exp": 4_000_000_000_u64, text.as_str(): text });
        tab.type_into("Token, or its claims as JSON", &claims.to_string());
        tab.click("Explain");
        shows_all(&tab, "Explain a token", std::slice::from_ref(text));
        is_inert(&tab, text);

        tab.eval(&format!("location.hash = '#revoke/' + encodeURIComponent({})", json!(text)));
        tab.wait(
            "the name is in its place",
            &format!("document.querySelector('main input')?.value === {}", json!(text)),
        );
        tab.click("Preview");
        tab.shows(&format!("Revoke {text}"));
        is_inert(&tab, text);
        tab.view("Overview");
    }
    tab.is_clean(&desk.origin(), &[]);
}
