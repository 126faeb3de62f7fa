//! What a setting is where it is not given.

use std::borrow::Cow;

/// A setting that was asked for by name: what it is in the configuration at hand.
pub type LookUp<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a setting is where it is not given.
#[derive(Debug, Clone)]
pub enum Default {
    /// Nothing; the text says what that means, if the meaning of the setting does not.
    Unset(Cow<'static, str>),
    /// Nothing: it must be given.
    Required,
    /// What the setting of that name is.
    As(&'static str),
    /// This value.
    Value(Cow<'static, str>),
    /// What other settings make it.
    Derived {
        /// In words.
        told: &'static str,
        /// The value, if there is one.
        of: fn(LookUp<'_>) -> Option<String>,
    },
}

impl Default {
    /// Nothing, and what that means.
    pub fn unset(told: impl Into<Cow<'static, str>>) -> Self {
        Self::Unset(told.into())
    }

    /// As documents say it; empty where there is nothing to say.
    pub fn in_words(&self) -> Cow<'_, str> {
        match self {
            Self::Unset(told) => Cow::Borrowed(told),
            Self::Derived { told, .. } => Cow::Borrowed(told),
            Self::Required => Cow::Borrowed("required"),
            Self::As(name) => format!("as `{name}`").into(),
            Self::Value(value) => format!("`{value}`").into(),
        }
    }

    /// The value in a configuration.
    pub fn value(&self, look_up: LookUp<'_>) -> Option<String> {
        match self {
            Self::Unset(_) | Self::Required => None,
            Self::As(name) => look_up(name),
            Self::Value(value) => Some(value.clone().into_owned()),
            Self::Derived { of, .. } => of(look_up),
        }
    }
}

impl From<&'static str> for Default {
    fn from(value: &'static str) -> Self {
        Self::Value(value.into())
    }
}

impl From<String> for Default {
    fn from(value: String) -> Self {
        Self::Value(value.into())
    }
}
