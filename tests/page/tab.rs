//! One tab of the browser: what a user does there, what the user sees, and what the browser said of it.

use std::cell::RefCell;
use std::fs;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use integration_tests::process::target_folder;
use integration_tests::wait::{DEADLINE, poll};
use serde_json::{Value, json};

use crate::pipe::Pipe;

/// What finds a button or a link by its words, and an input by its label: as users do.
const FINDERS: &str = "
const seen = (element) => element.checkVisibility();
const named = (selector, words) => [...document.querySelectorAll(selector)].find((element) => seen(element) && element.textContent.trim() === words);
const labelled = (words) => document.getElementById(named('label', words)?.htmlFor);
";

/// A tab.
pub(crate) struct Tab<'b> {
    pipe: &'b Pipe,
    session: String,
    events: RefCell<Vec<Value>>,
}

impl<'b> Tab<'b> {
    pub(crate) fn new(pipe: &'b Pipe, session: String) -> Self {
        let tab = Self { pipe, session, events: RefCell::default() };
        for domain in ["Page", "Runtime", "Log", "Network", "Audits"] {
            tab.call(&format!("{domain}.enable"), &json!({}));
        }
        tab.size(1280, 800);
        tab.theme("light");
        tab
    }

    pub(crate) fn call(&self, method: &str, parameters: &Value) -> Value {
        let called = self.pipe.call(Some(&self.session), method, parameters);
        called.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Everything that the browser told of this tab.
    pub(crate) fn events(&self) -> Vec<Value> {
        let mut events = self.events.borrow_mut();
        events.extend(self.pipe.events(&self.session));
        events.clone()
    }

    /// Opens an address, anew if it is open, and waits until it is there.
    pub(crate) fn open(&self, url: &str) {
        self.call("Page.navigate", &json!({ "url": "about:blank" }));
        let opened = self.call("Page.navigate", &json!({ "url": url }));
        assert_eq!(opened.get("errorText"), None, "{url}");
        self.wait(
            &format!("{url} is loaded"),
            "document.readyState === 'complete' && location.href !== 'about:blank'",
        );
    }

    /// What an expression comes to.
    pub(crate) fn eval(&self, expression: &str) -> Value {
        self.try_eval(expression).unwrap_or_else(|why| panic!("{expression}: {why}"))
    }

    fn try_eval(&self, expression: &str) -> Result<Value, String> {
        let parameters = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        // A document that is being replaced has nothing to evaluate in.
        let told = self.pipe.call(Some(&self.session), "Runtime.evaluate", &parameters);
        let told = told.map_err(|error| error.to_string())?;
        match told.get("exceptionDetails") {
            None => Ok(told["result"]["value"].clone()),
            Some(thrown) => Err(thrown.to_string()),
        }
    }

    /// Waits until an expression is true.
    pub(crate) fn wait(&self, what: &str, expression: &str) {
        let came = poll(DEADLINE, || {
            self.try_eval(&format!("Promise.resolve({expression}).then(Boolean)"))
                .ok()
                .filter(|told| *told == true)
        });
        assert!(came.is_some(), "never came: {what}; the page shows\n{}", self.text());
    }

    /// Waits until the page shows a text.
    pub(crate) fn shows(&self, text: &str) {
        self.wait(
            &format!("the text {text:?}"),
            &format!("document.body.innerText.includes({})", json!(text)),
        );
    }

    /// What the page shows.
    pub(crate) fn text(&self) -> String {
        self.try_eval("document.body.innerText")
            .map_or_else(|why| why, |text| text.as_str().unwrap_or_default().to_owned())
    }

    /// Clicks a button or a link, by its words, as soon as it is there.
    pub(crate) fn click(&self, words: &str) {
        let found = format!("named('button, a', {})", json!(words));
        let click = format!(
            "(() => {{ {FINDERS} const found = {found}; if (!found || found.disabled) return false; found.click(); return true; }})()"
        );
        self.wait(&format!("the button or link {words:?}"), &click);
    }

    /// Puts a text into the input of this label, in place of what it has.
    pub(crate) fn type_into(&self, label: &str, text: &str) {
        let found = format!("labelled({})", json!(label));
        let select = format!(
            "(() => {{ {FINDERS} const found = {found}; if (!found) return false; found.focus(); found.select(); return true; }})()"
        );
        self.wait(&format!("the input {label:?}"), &select);
        self.insert(text);
    }

    /// Puts a text where the focus is.
    pub(crate) fn insert(&self, text: &str) {
        self.call("Input.insertText", &json!({ "text": text }));
    }

    /// Presses a key and lets it go: `Tab`, `Enter`.
    pub(crate) fn press(&self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            other => panic!("no such key here: {other}"),
        };
        let event = |kind: &str| {
            let mut event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.call("Input.dispatchKeyEvent", &event);
        };
        event("keyDown");
        event("keyUp");
    }

    /// Shows a view.
    pub(crate) fn view(&self, link: &str) {
        self.click(link);
        let title = json!(format!("{link} · token-server"));
        self.wait(&format!("the view {link}"), &format!("document.title === {title}"));
    }

    /// Whether there is a visible button of these words.
    pub(crate) fn buttons(&self) -> Vec<String> {
        let told = self.eval("[...document.querySelectorAll('button')].filter((button) => button.checkVisibility()).map((button) => button.textContent)");
        told.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn size(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// What the system prefers: `light` or `dark`.
    pub(crate) fn theme(&self, theme: &str) {
        let features = json!([
            { "name": "prefers-color-scheme", "value": theme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.call("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// Keeps a picture of what is seen in `target/page/`.
    pub(crate) fn picture(&self, name: &str) {
        let folder = target_folder().join("page");
        fs::create_dir_all(&folder).unwrap();
        let taken = self.call("Page.captureScreenshot", &json!({ "format": "png" }));
        let bytes = BASE64_STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    /// The statuses of the answers to requests for a path.
    pub(crate) fn statuses(&self, path: &str) -> Vec<u64> {
        let answers = self.events().into_iter().filter(|event| event["method"] == "Network.responseReceived");
        let answers = answers.map(|event| event["params"]["response"].clone());
        answers
            .filter(|answer| answer["url"].as_str().is_some_and(|url| url.contains(path)))
            .map(|answer| answer["status"].as_u64().unwrap())
            .collect()
    }

    /// Sees that nothing was wrong so far: no error, no violation of the policy, no dialog, no request to another origin.
    /// `expected` are statuses that the test itself asked for, which the browser calls errors.
    pub(crate) fn is_clean(&self, origin: &str, expected: &[u16]) {
        // What happened before is told before this is answered.
        self.eval("1");
        let faults: Vec<Value> =
            self.events().into_iter().filter(|event| is_fault(event, origin, expected)).collect();
        assert!(faults.is_empty(), "the browser tells of faults: {faults:#?}");
    }
}

fn is_fault(event: &Value, origin: &str, expected: &[u16]) -> bool {
    let parameters = &event["params"];
    match event["method"].as_str().unwrap_or_default() {
        "Runtime.exceptionThrown" | "Page.javascriptDialogOpening" => true,
        "Audits.issueAdded" => parameters["issue"]["code"] == "ContentSecurityPolicyIssue",
        "Runtime.consoleAPICalled" => {
            ["error", "warning", "assert"].iter().any(|kind| parameters["type"] == *kind)
        }
        "Log.entryAdded" => {
            let entry = &parameters["entry"];
            let text = entry["text"].as_str().unwrap_or_default();
            let is_expected = entry["source"] == "network"
                && expected.iter().any(|status| text.contains(&format!("status of {status} ")));
            ["error", "warning"].iter().any(|level| entry["level"] == *level) && !is_expected
        }
        "Network.requestWillBeSent" => {
            let url = parameters["request"]["url"].as_str().unwrap_or_default();
            !url.starts_with(&format!("{origin}/")) && url != "about:blank"
        }
        _ => false,
    }
}
