//! Subject identifiers (RFC 9493, and section 3 of Shared Signals Framework 1.0): of whom, or of what, a sender speaks.
//!
//! Read strictly: a member that is missing, of another type, empty or not of the format is a fault, since a subject that is
//! understood in part is another subject. [`mapping`] tells which tokens are a subject's. Knows no HTTP, no issuer, no store.

mod identifier;
mod mapping;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub(crate) use identifier::{Format, Identifier, SubjectFault};
#[allow(unused_imports, reason = "used by the routes of other specifications")]
pub(crate) use mapping::{Mapping, Place, Unmapped, Voice};

use identifier::{members, object};

/// Identifiers of one subject in `aliases`.
const MAX_ALIASES: usize = 16;

/// Members of a complex subject.
const MAX_MEMBERS: usize = 16;

/// Of whom, or of what, a sender speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// One principal.
    Simple(Simple),
    /// What all of these have in common: a user's session at one tenant.
    Complex(Vec<(Member, Simple)>),
}

/// One principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Simple {
    /// By one identifier.
    One(Identifier),
    /// By several, each of which is the same principal.
    Aliases(Vec<Identifier>),
}

/// What a part of a complex subject is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Member {
    /// `user`
    User,
    /// `device`
    Device,
    /// `session`
    Session,
    /// `application`
    Application,
    /// `tenant`
    Tenant,
    /// `org_unit`
    OrgUnit,
    /// `group`
    Group,
    /// Any other name, which a profile of the specification may define.
    Other,
}

impl Subject {
    /// Reads a subject identifier.
    ///
    /// # Errors
    /// It is none of a known format, letter for letter.
    pub(crate) fn parse(value: &Value) -> Result<Self, SubjectFault> {
        let object = object(value)?;
        if Format::of(object)? != Format::Complex {
            return Simple::parse(value).map(Self::Simple);
        }
        let mut parts = Vec::new();
        for (name, part) in object.iter().filter(|(name, _)| *name != "format") {
            if parts.len() == MAX_MEMBERS {
                return Err(SubjectFault::TooMany { format: Format::Complex, max: MAX_MEMBERS });
            }
            parts.push((Member::of(name), Simple::parse(part)?));
        }
        if parts.is_empty() { Err(SubjectFault::Nothing(Format::Complex)) } else { Ok(Self::Complex(parts)) }
    }
}

impl Subject {
    /// The issuers that it names.
    pub(crate) fn issuers(&self) -> Vec<&str> {
        match self {
            Self::Simple(simple) => simple.issuers().collect(),
            Self::Complex(members) => members.iter().flat_map(|(_, simple)| simple.issuers()).collect(),
        }
    }
}

impl Simple {
    fn issuers(&self) -> impl Iterator<Item = &str> {
        let identifiers = match self {
            Self::One(identifier) => std::slice::from_ref(identifier),
            Self::Aliases(identifiers) => identifiers,
        };
        identifiers.iter().filter_map(Identifier::issuer)
    }

    fn parse(value: &Value) -> Result<Self, SubjectFault> {
        let object = object(value)?;
        let format = Format::of(object)?;
        if format == Format::Complex {
            return Err(SubjectFault::Nested(format));
        }
        if format != Format::Aliases {
            return Identifier::parse(value).map(Self::One);
        }
        members(format, object, &["identifiers"])?;
        let listed = object.get("identifiers").and_then(Value::as_array);
        let listed =
            listed.ok_or(SubjectFault::Type { format, member: "identifiers", expected: "an array" })?;
        if listed.is_empty() {
            return Err(SubjectFault::Nothing(format));
        }
        if listed.len() > MAX_ALIASES {
            return Err(SubjectFault::TooMany { format, max: MAX_ALIASES });
        }
        listed.iter().map(Identifier::parse).collect::<Result<_, _>>().map(Self::Aliases)
    }
}

impl Member {
    fn of(name: &str) -> Self {
        match name {
            "user" => Self::User,
            "device" => Self::Device,
            "session" => Self::Session,
            "application" => Self::Application,
            "tenant" => Self::Tenant,
            "org_unit" => Self::OrgUnit,
            "group" => Self::Group,
            _ => Self::Other,
        }
    }

    /// The name of it; nothing of another's text.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Device => "device",
            Self::Session => "session",
            Self::Application => "application",
            Self::Tenant => "tenant",
            Self::OrgUnit => "org_unit",
            Self::Group => "group",
            Self::Other => "a member of another name",
        }
    }
}
