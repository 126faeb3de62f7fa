//! The variables that name a forward proxy, as curl, Go and Python read them.

use crate::secret::Secret;

/// One variable of a pair, which is written in capitals or not, and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// As it was written.
    pub name: &'static str,
    /// It may hold a password.
    pub value: Secret,
}

/// What the environment says of proxies; a variable that is set to nothing counts as unset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyVariables {
    /// For `https://` URLs.
    pub https: Option<Variable>,
    /// For `http://` URLs.
    pub http: Option<Variable>,
    /// For both, where there is no other.
    pub all: Option<Variable>,
    /// Hosts that are reached without one.
    pub except: Option<Variable>,
}

impl ProxyVariables {
    /// The names. Of a pair the one in capitals counts.
    pub const NAMES: [&'static str; 8] = [
        "https_proxy",
        "http_proxy",
        "all_proxy",
        "no_proxy",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
    ];

    /// Picks them out of an environment, from a look-up by name.
    pub fn read(look_up: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |names: [&'static str; 2]| {
            let (name, value) = names.into_iter().find_map(|name| Some((name, look_up(name)?)))?;
            let value = value.trim();
            (!value.is_empty()).then(|| Variable { name, value: Secret::new(value) })
        };
        Self {
            https: variable(["HTTPS_PROXY", "https_proxy"]),
            http: variable(["HTTP_PROXY", "http_proxy"]),
            all: variable(["ALL_PROXY", "all_proxy"]),
            except: variable(["NO_PROXY", "no_proxy"]),
        }
    }

    /// Those that are set.
    pub fn each(&self) -> impl Iterator<Item = &Variable> {
        [&self.https, &self.http, &self.all, &self.except].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_count_before_small_letters_and_nothing_is_unset() {
        let environment = [
            ("HTTPS_PROXY", "http://user:hunter2@a:1"),
            ("https_proxy", "http://b:2"),
            ("http_proxy", " http://c:3 "),
            ("NO_PROXY", ""),
            ("no_proxy", "example.com"),
        ];
        let read = ProxyVariables::read(|name| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        let shown = |variable: &Option<Variable>| {
            variable.as_ref().map(|variable| (variable.name, variable.value.expose().to_owned()))
        };
        assert_eq!(shown(&read.https), Some(("HTTPS_PROXY", "http://user:hunter2@a:1".to_owned())));
        assert_eq!(shown(&read.http), Some(("http_proxy", "http://c:3".to_owned())));
        assert_eq!((shown(&read.all), shown(&read.except)), (None, None));
        assert!(!format!("{read:?}").contains("hunter2"));
    }
}
