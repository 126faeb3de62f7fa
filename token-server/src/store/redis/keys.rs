//! The names that this program uses in Redis. All begin with the prefix.
//!
//! ```text
//! jwt-rules:<group>            sorted set: member = rule JSON, score = expireAt in seconds, 0 = never (ms-users' own)
//! jwt-rules-changed            channel: groups that a token-server wrote to
//! jwt-audit                    stream: who changed which rule, when and why, one entry for each change
//! token-server:store-id        string: the random name of this store
//! token-server:notes:<group>   hash: rule JSON -> what is known of the rule; lives as long as the rule
//! token-server:shadows         hash: ["group","rule JSON"] -> the same of every rule that is only tried
//! token-server:shadows-changed channel: the hash of rules on trial was written
//! token-server:beat:<server>   channel, and a sorted set that lives within one transaction: signs of life
//! ```

/// The names under one prefix.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    pub(super) fn rules(&self, group: &str) -> String {
        format!("{}jwt-rules:{group}", self.prefix)
    }

    /// The group whose rules a key holds.
    pub(super) fn group<'a>(&self, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(self.prefix.as_str())?.strip_prefix("jwt-rules:")
    }

    /// A glob that all keys of rules match.
    pub(super) fn all_rules(&self) -> String {
        self.escaped() + "jwt-rules:*"
    }

    pub(crate) fn changed(&self) -> String {
        format!("{}jwt-rules-changed", self.prefix)
    }

    pub(super) fn store_id(&self) -> String {
        format!("{}token-server:store-id", self.prefix)
    }

    pub(super) fn notes(&self, group: &str) -> String {
        format!("{}token-server:notes:{group}", self.prefix)
    }

    /// The group whose notes a key holds.
    pub(super) fn noted_group<'a>(&self, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(self.prefix.as_str())?.strip_prefix("token-server:notes:")
    }

    /// A glob that all keys of notes match.
    pub(super) fn all_notes(&self) -> String {
        self.escaped() + "token-server:notes:*"
    }

    pub(super) fn audit(&self) -> String {
        format!("{}jwt-audit", self.prefix)
    }

    pub(super) fn shadows(&self) -> String {
        format!("{}token-server:shadows", self.prefix)
    }

    pub(crate) fn shadows_changed(&self) -> String {
        format!("{}token-server:shadows-changed", self.prefix)
    }

    pub(crate) fn beat(&self, server: &str) -> String {
        format!("{}token-server:beat:{server}", self.prefix)
    }

    /// A glob for the notifications about all keys of rules.
    pub(crate) fn rules_notified(&self, database: i64) -> String {
        format!("__keyspace@{database}__:{}", self.all_rules())
    }

    /// The channel of notifications about the key of beats.
    pub(crate) fn beat_notified(&self, database: i64, server: &str) -> String {
        format!("__keyspace@{database}__:{}", self.beat(server))
    }

    /// The group that a notification's channel is about.
    pub(crate) fn notified_group<'a>(&self, channel: &'a str) -> Option<&'a str> {
        self.group(channel.strip_prefix("__keyspace@")?.split_once("__:")?.1)
    }

    /// Whether a part in braces alone decides about the slot (Redis Cluster specification, "Hash tags").
    pub(super) fn have_a_hash_tag(&self) -> bool {
        let tag = self.prefix.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
        tag.is_some_and(|(tag, _)| !tag.is_empty())
    }

    fn escaped(&self) -> String {
        let mut escaped = String::new();
        for character in self.prefix.chars() {
            if matches!(character, '*' | '?' | '[' | ']' | '\\') {
                escaped.push('\\');
            }
            escaped.push(character);
        }
        escaped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_ms_users() {
        let keys = Keys::new("{ms-users}");
        assert_eq!(keys.rules("g"), "{ms-users}jwt-rules:g");
        assert_eq!(keys.group("{ms-users}jwt-rules:anna:x"), Some("anna:x"));
        assert_eq!(keys.group("{ms-users}jwt-rules-changed"), None);
        assert_eq!(keys.group("jwt-rules:g"), None);
        assert_eq!(keys.noted_group(&keys.notes("anna:x")), Some("anna:x"));
        assert_eq!(keys.noted_group(&keys.shadows()), None);
        assert_eq!(keys.notified_group("__keyspace@3__:{ms-users}jwt-rules:a__:b"), Some("a__:b"));
        assert_eq!(keys.notified_group("{ms-users}jwt-rules:a"), None);
        assert_eq!(Keys::new("a*[b]?").all_rules(), r"a\*\[b\]\?jwt-rules:*");
    }
}
