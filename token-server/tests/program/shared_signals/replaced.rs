//! Secrets of streams are read again when their files change, also those of streams that SIGHUP has brought.

use integration_tests::wait::eventually;

use super::*;

const FIRST: &str = "Bearer the-first-value";
const SECOND: &str = "Bearer the-second-value";
const THIRD: &str = "Bearer the-third-value";

impl Streams {
    fn write(&self, file: &str, content: &str) {
        let (new, place) = (self.folder.path().join("new"), self.folder.path().join(file));
        fs::write(&new, content).unwrap();
        fs::rename(new, place).unwrap();
    }

    fn pushed_as(&self, value: &str) -> u16 {
        let headers = [("authorization", value), ("content-type", SET)];
        post(connect(self.place), "/ssf/okta", &headers, &set(key("RS256"), &told(json!({})))).status
    }

    /// Waits until pushes with the one value are accepted, and expects that those with the other are not.
    fn takes(&self, value: &str, instead_of: &str) {
        eventually("the new value is known", || (self.pushed_as(value) == 202).then_some(()));
        assert_eq!(self.pushed_as(instead_of), 401);
    }

    /// Waits until so many files of pushes are shown as unusable.
    fn shows_unusable(&self, count: u8) {
        eventually("the metric", || {
            let metrics = get(connect(self.server.admin), "/metrics", &[]).body;
            let mut lines = metrics.lines().filter(|line| line.contains("_secret_file_unusable{"));
            let line = lines.find(|line| line.contains("authorization_file"))?;
            line.ends_with(&format!(" {count}")).then_some(())
        });
    }
}

#[test]
fn a_value_that_pushes_show_is_replaced_without_a_restart() {
    let streams = Streams::one("");
    assert_eq!(streams.pushed_as(PUSH), 202);
    streams.write("push", FIRST);
    streams.takes(FIRST, PUSH);

    // What cannot be used changes nothing, and an operator sees it.
    streams.write("push", "short");
    streams.shows_unusable(1);
    assert_eq!(streams.pushed_as(FIRST), 202);
    streams.write("push", SECOND);
    streams.takes(SECOND, FIRST);
    streams.shows_unusable(0);

    // The configuration that is in use now has read the file for itself.
    streams.server.signal("-HUP");
    streams.server.wait_for_log(|line| line["message"] == "the new configuration is in use");
    streams.write("push", THIRD);
    streams.takes(THIRD, SECOND);
}
