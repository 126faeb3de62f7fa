//! The program as operators run it at a terminal.

use std::ffi::OsStr;

use serde_json::Value;

use crate::harness::output_of;

/// The program as an operator runs it: always with the same target.
pub struct Operator {
    settings: Vec<(String, String)>,
    target: Vec<String>,
}

pub struct Done {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Operator {
    pub fn asking(target: &[&str]) -> Self {
        Self::configured(&[], target)
    }

    /// The same, with settings in the environment.
    pub fn configured(settings: &[(&str, &str)], target: &[&str]) -> Self {
        Self {
            settings: settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            target: target.iter().map(|argument| (*argument).to_owned()).collect(),
        }
    }

    pub fn run(&self, arguments: &[&str], input: &str) -> Done {
        let target = self.target.iter().map(String::as_str);
        let all: Vec<&str> = arguments.iter().copied().chain(target).collect();
        self.output(&all, input)
    }

    fn output(&self, arguments: &[&str], input: &str) -> Done {
        let settings = self.settings.iter().map(|(name, value)| (name.as_str(), OsStr::new(value)));
        let output = output_of(&settings.collect::<Vec<_>>(), arguments, input);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Done { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs a command about a name, which may look like an option.
    pub fn about(&self, arguments: &[&str], name: &str) -> Done {
        let target = self.target.iter().map(String::as_str);
        let words: Vec<&str> = arguments.iter().copied().chain(target).chain(["--", name]).collect();
        self.output(&words, "")
    }

    /// Runs a command that must succeed, and reads its JSON lines.
    pub fn json(&self, arguments: &[&str], input: &str) -> Vec<Value> {
        let done = self.run(&[arguments, &["--json"]].concat(), input);
        assert_eq!(done.code, Some(0), "{arguments:?}: {}", done.err);
        done.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}
