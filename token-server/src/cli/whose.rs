//! Whose rules a command is about: one subject's, or everybody's, which is no name but an option.

use super::error::CliError;
use super::percent::percent_encoded;
use crate::store::EVERYBODY;

/// Whose rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whose {
    Subject(String),
    Everybody,
}

impl Whose {
    /// Reads `GROUP RULE`, or with --everybody `RULE` alone.
    pub(super) fn with_rule(
        everybody: bool,
        first: Option<String>,
        second: Option<String>,
    ) -> Result<(Self, Option<String>), CliError> {
        let refuse = |name, why: &str| Err(CliError::Argument { name, why: why.to_owned() });
        match (everybody, first, second) {
            (true, rule, None) => Ok((Self::Everybody, rule)),
            (true, Some(_), Some(_)) | (true, None, Some(_)) => {
                refuse("--everybody", "takes no GROUP; say --everybody RULE, or GROUP RULE")
            }
            (false, Some(group), rule) => Ok((Self::subject(group)?, rule)),
            (false, None, _) => refuse("GROUP", "required: a subject, or --everybody"),
        }
    }

    /// A user who is called `g` cannot be told from everybody in the stores, so no rule is his alone.
    pub(super) fn subject(group: String) -> Result<Self, CliError> {
        if group == EVERYBODY {
            let why = "g is everybody in the stores and no subject; say --everybody".to_owned();
            return Err(CliError::Argument { name: "GROUP", why });
        }
        Ok(Self::Subject(group))
    }

    /// A group as the stores name it.
    pub(super) fn of_group(group: &str) -> Self {
        if group == EVERYBODY { Self::Everybody } else { Self::Subject(group.to_owned()) }
    }

    /// The path of the rules.
    pub(super) fn path(&self) -> String {
        match self {
            Self::Subject(subject) => format!("/v1/rules/{}", percent_encoded(subject)),
            Self::Everybody => "/v1/everybody/rules".to_owned(),
        }
    }

    /// Where rules are written whose body names their group.
    pub(super) const fn route(&self) -> &'static str {
        match self {
            Self::Subject(_) => "/v1/rules",
            Self::Everybody => "/v1/everybody/rules",
        }
    }

    /// The group as the API names it.
    pub(super) fn group(&self) -> &str {
        match self {
            Self::Subject(subject) => subject,
            Self::Everybody => EVERYBODY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_a_group_and_a_rule_or_with_everybody_a_rule_alone() {
        let of = |everybody, first: Option<&str>, second: Option<&str>| {
            Whose::with_rule(everybody, first.map(str::to_owned), second.map(str::to_owned))
                .map_err(|error| error.to_string())
        };
        let anna = || Whose::Subject("anna".to_owned());
        let rule = || Some("{}".to_owned());
        assert_eq!(of(false, Some("anna"), Some("{}")), Ok((anna(), rule())));
        assert_eq!(of(false, Some("anna"), None), Ok((anna(), None)));
        assert_eq!(of(true, Some("{}"), None), Ok((Whose::Everybody, rule())));
        assert_eq!(of(true, None, None), Ok((Whose::Everybody, None)));
        for (told, why) in [
            (of(false, Some("g"), Some("{}")), "--everybody"),
            (of(false, Some("g"), None), "--everybody"),
            (of(true, Some("anna"), Some("{}")), "takes no GROUP"),
            (of(false, None, None), "required"),
        ] {
            assert!(told.unwrap_err().contains(why), "{why}");
        }
    }
}
