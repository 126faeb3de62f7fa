//! What a user gives, as types: no value can leave its place in a line of HAProxy's configuration.

use std::fmt;
use std::str::FromStr;

/// What is wrong with a value, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadValue(pub String);

impl BadValue {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// The first character that is neither a letter, a digit, nor one of `others`.
pub(super) fn stranger(text: &str, others: &str) -> Option<char> {
    text.chars().find(|c| !c.is_ascii_alphanumeric() && !others.contains(*c))
}

fn check(text: &str, others: &str, what: &str) -> Result<(), BadValue> {
    if text.is_empty() {
        return Err(BadValue::new(format!("{what} is empty")));
    }
    match stranger(text, others) {
        None => Ok(()),
        Some(c) => {
            let shown: String = others.chars().flat_map(|c| [c, ' ']).collect();
            Err(BadValue::new(format!(
                "{what} has a {c:?}; it may have letters, digits and {}",
                shown.trim_end()
            )))
        }
    }
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(String);

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }
    };
}

text_type! {
    /// The name of a frontend or backend.
    ProxyName
}

impl FromStr for ProxyName {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        check(text, "_.:-", "the name")?;
        if text == AGENTS {
            return Err(BadValue::new("this is the backend of the agents; name the one of your application"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The backend that the lines write for the agents.
const AGENTS: &str = "jwt-agents";

text_type! {
    /// The name of a policy of the agent.
    PolicyName
}

impl FromStr for PolicyName {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        check(text, "_.-", "the policy's name")?;
        Ok(Self(text.to_owned()))
    }
}

text_type! {
    /// Where a file lies on HAProxy's machine.
    FilePath
}

impl FromStr for FilePath {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        check(text, "/._-", "the path")?;
        if !text.starts_with('/') || text.ends_with('/') {
            return Err(BadValue::new(
                "expected the whole path of a file, such as /etc/haproxy/spoe-jwt.conf",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

text_type! {
    /// Where an agent listens, as HAProxy writes it.
    AgentAddress
}

impl FromStr for AgentAddress {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        const EXPECTED: &str = "expected unix@/path or host:port, such as unix@/run/haproxy-jwt/agent1.sock";
        if let Some(path) = text.strip_prefix("unix@") {
            path.parse::<FilePath>().map_err(|error| BadValue::new(format!("{error}; {EXPECTED}")))?;
            return Ok(Self(text.to_owned()));
        }
        let fault = || BadValue::new(EXPECTED);
        let (host, port) = text.rsplit_once(':').ok_or_else(fault)?;
        if port.parse::<u16>().ok().is_none_or(|port| port == 0) {
            return Err(fault());
        }
        let is_v6 = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
        if is_v6 || (!host.is_empty() && stranger(host, ".-").is_none()) {
            return Ok(Self(text.to_owned()));
        }
        Err(fault())
    }
}

/// A claim that becomes a header.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaimName(String);

/// A whole name `txn.tkn.payload.x` above 56 characters is not sent.
const MAX_CLAIM: usize = 56 - "txn.tkn.payload.".len();

impl FromStr for ClaimName {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        const CURE: &str = "give it another name with claim_names in a table of the file of JWT_CONFIG";
        check(text, "_.", "the claim's name").map_err(|error| BadValue::new(format!("{error}; {CURE}")))?;
        if text.len() > MAX_CLAIM {
            return Err(BadValue::new(format!(
                "the claim's name is longer than {MAX_CLAIM} characters; {CURE}"
            )));
        }
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) || text.ends_with(['.', '_']) {
            return Err(BadValue::new(format!("a header cannot be named after this claim; {CURE}")));
        }
        Ok(Self(text.to_owned()))
    }
}

impl ClaimName {
    /// The variable that holds it.
    pub fn variable(&self) -> String {
        format!("txn.tkn.payload.{}", self.0)
    }

    /// The header's name: `x-user-id` is the subject's, as in the recipe.
    pub fn header(&self) -> String {
        if self.0 == "sub" {
            return "x-user-id".to_owned();
        }
        let words: Vec<_> = self.0.split(['.', '_']).filter(|word| !word.is_empty()).collect();
        format!("x-user-{}", words.join("-").to_ascii_lowercase())
    }
}

impl fmt::Display for ClaimName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A release branch of HAProxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u16, pub u16);

/// The oldest that the lines work with.
const OLDEST: Version = Version(2, 6);

impl FromStr for Version {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let version = Self::read(text)
            .ok_or_else(|| BadValue::new("expected a version of HAProxy, such as 2.6 or 3.2.4"))?;
        if version < OLDEST {
            return Err(BadValue::new("HAProxy before 2.6 cannot be used; install 2.6 or newer"));
        }
        Ok(version)
    }
}

impl Version {
    /// The branch of any version, however old.
    pub fn read(text: &str) -> Option<Self> {
        let (major, rest) = text.split_once('.')?;
        // 3.5-dev5 is of the branch 3.5, as is 3.5.1.
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let minor = rest.get(..end).filter(|minor| is_number(minor) && is_number(major))?;
        Some(Self(major.parse().ok()?, minor.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: FromStr<Err = BadValue>>(values: &[&str]) {
        for value in values {
            assert!(value.parse::<T>().is_err(), "{value:?}");
        }
    }

    #[test]
    fn no_value_can_leave_its_place_in_a_line() {
        const EVIL: [&str; 12] =
            ["", " ", "a b", "a\nhttp-request allow", "a\"", "a'", "a\\", "a#", "${A}", "a{", "%[path]", "ä"];
        refused::<ProxyName>(&EVIL);
        refused::<PolicyName>(&EVIL);
        refused::<FilePath>(&EVIL.map(|text| format!("/{text}")).each_ref().map(String::as_str)[2..]);
        refused::<AgentAddress>(&EVIL);
        refused::<AgentAddress>(&EVIL.map(|text| format!("unix@/{text}")).each_ref().map(String::as_str));
        refused::<AgentAddress>(&EVIL.map(|text| format!("{text}:1")).each_ref().map(String::as_str));
        refused::<ClaimName>(&EVIL);
        refused::<Version>(&EVIL);
    }

    #[test]
    fn refuses_what_is_no_such_value_and_says_what_is() {
        refused::<ProxyName>(&["jwt-agents"]);
        refused::<PolicyName>(&["a,b", "a(b", "a/b"]);
        refused::<FilePath>(&["spoe.conf", "/etc/"]);
        refused::<AgentAddress>(&["unix@run/a.sock", "a", "a:0", "a:65536", "::1:9", "[::1:9", ":1"]);
        refused::<ClaimName>(&[&"a".repeat(41), "https://x/role", ".a", "a."]);
        refused::<Version>(&["2", "2.5", "1.9", "x.y", "2-6.1"]);
        let error = "2.4".parse::<Version>().unwrap_err();
        assert_eq!(error.to_string(), "HAProxy before 2.6 cannot be used; install 2.6 or newer");
        let error = "a b".parse::<ProxyName>().unwrap_err();
        assert_eq!(error.to_string(), "the name has a ' '; it may have letters, digits and _ . : -");
    }

    #[test]
    fn accepts_what_users_have() {
        for name in ["api", "be_app.v1", "app:8080"] {
            assert_eq!(name.parse::<ProxyName>().unwrap().to_string(), name);
        }
        for address in ["unix@/run/a.sock", "127.0.0.1:12345", "agent.internal:1", "[::1]:12345"] {
            assert_eq!(address.parse::<AgentAddress>().unwrap().to_string(), address);
        }
        for (text, version) in
            [("2.6", Version(2, 6)), ("3.2.26-1+deb13u1", Version(3, 2)), ("3.5-dev5", Version(3, 5))]
        {
            assert_eq!(text.parse::<Version>().unwrap(), version);
        }
        for (claim, header) in [
            ("sub", "x-user-id"),
            ("email", "x-user-email"),
            ("preferred_username", "x-user-preferred-username"),
            ("realm_access.roles", "x-user-realm-access-roles"),
        ] {
            assert_eq!(claim.parse::<ClaimName>().unwrap().header(), header);
        }
    }
}
