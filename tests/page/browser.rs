//! Headless Chromium, with a profile of its own that goes with it.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use integration_tests::chromium::Profile;
use integration_tests::wait::poll;
use serde_json::json;

use crate::pipe::Pipe;
use crate::tab::Tab;

/// How long it may take to go.
const LEAVE: Duration = Duration::from_secs(10);

/// A running browser.
pub(crate) struct Browser {
    pipe: Pipe,
    child: Child,
    profile: Profile,
}

impl Browser {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// With further options.
    pub(crate) fn start_with(options: &[&str]) -> Self {
        let profile = Profile::create();
        let log = File::create(profile.path().join("log")).unwrap();
        // It speaks on the descriptors 3 and 4.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh", "chromium"]);
        profile.dress(&mut command);
        let mut child = command
            .args(["--remote-debugging-pipe", "--force-color-profile=srgb", "--hide-scrollbars", "--lang=en"])
            .args(options)
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("chromium cannot be started, run make test-page: {error}"));
        let pipe = Pipe::new(child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { pipe, child, profile }
    }

    /// A tab of its own, which shows nothing yet.
    pub(crate) fn tab(&self) -> Tab<'_> {
        let call = |method, parameters| {
            self.pipe.call(None, method, &parameters).unwrap_or_else(|error| panic!("{method}: {error}"))
        };
        let target = call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let attached = call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        Tab::new(&self.pipe, attached["sessionId"].as_str().unwrap().to_owned())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.profile.path().join("log")).unwrap_or_default();
            eprintln!("== log of chromium\n{log}");
            self.child.kill().ok();
        } else {
            self.pipe.call(None, "Browser.close", &json!({})).ok();
        }
        let began = Instant::now();
        if poll(LEAVE, || self.child.try_wait().ok().flatten()).is_none() {
            eprintln!("chromium did not end in {:?}", began.elapsed());
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}
