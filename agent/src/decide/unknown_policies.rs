//! Policies that HAProxy names and the configuration lacks: each name is logged once.
//!
//! Where a rule of HAProxy's takes the name from the client, a client chooses what comes here. So the names that are kept are
//! few, and what could be a token is not shown.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// How many names are logged.
const MAX_NAMES: usize = 16;
/// The longest name that is shown, in bytes. No signed token is so short.
const MAX_SHOWN_BYTES: usize = 64;

/// The names that were logged since the configuration was read.
#[derive(Debug, Default)]
pub struct UnknownPolicies(Mutex<BTreeSet<String>>);

impl UnknownPolicies {
    /// Logs a name that was not logged before.
    pub fn warn(&self, name: &str) {
        let Some(shown) = self.is_new(name) else { return };
        tracing::warn!(
            policy = shown,
            "HAProxy names a policy that is not configured; its requests are answered E_BACKEND_UNAVAIL. Write a [[policies]] \
             table of that name, or correct the name in HAProxy's rules"
        );
    }

    /// How the log calls the name; absent: it was logged before, or no more names are.
    fn is_new(&self, name: &str) -> Option<String> {
        let shown = shown(name);
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (logged.len() < MAX_NAMES && logged.insert(shown.clone())).then_some(shown)
    }
}

fn shown(name: &str) -> String {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'/');
    if name.len() <= MAX_SHOWN_BYTES && name.bytes().all(is_plain) {
        name.to_owned()
    } else {
        "(not shown: long, or with characters of no name)".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_logged_once_and_not_without_end() {
        let unknown = UnknownPolicies::default();
        assert_eq!(unknown.is_new("admin").as_deref(), Some("admin"));
        assert_eq!(unknown.is_new("admin"), None);
        let logged = (0..1000).filter_map(|index| unknown.is_new(&format!("p{index}"))).count();
        assert_eq!(logged, MAX_NAMES - 1);
        assert_eq!(unknown.0.lock().unwrap().len(), MAX_NAMES);
    }

    #[test]
    fn what_could_be_a_token_or_break_a_line_is_not_shown() {
        let token = format!("{}.{}.{}", "h".repeat(20), "p".repeat(20), "s".repeat(43));
        for name in [token.as_str(), "Bearer x", "a\nb", "\u{fffd}"] {
            let unknown = UnknownPolicies::default();
            let shown = unknown.is_new(name).unwrap();
            assert!(!shown.contains(name), "{name}");
            assert_eq!(unknown.is_new(&format!("{name}\n{name}")), None, "all of them are one");
        }
    }
}
