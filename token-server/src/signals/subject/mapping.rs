//! Which tokens are a subject's, as far as rules can say it.
//!
//! A rule that says less than was told would revoke more than was told, so a subject is mapped exactly or it is said that it
//! is not. What a sender says of another issuer's tokens is not mapped at all.
//!
//! An `email` is compared letter for letter, as rules compare every text: `Anna@example.com` and `anna@example.com` are two. It counts
//! only where a token says itself that the address was verified (`email_verified` is `true`), since any user of many providers may
//! give any address as his own.

use jose::{EVERYBODY, MAX_GROUP_BYTES};
use serde_json::{Value, json};

use super::identifier::{Format, Identifier};
use super::{Member, Simple, Subject};
use crate::signals::told::{Group, Which};

/// Of whose tokens a sender may speak, and by which words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Voice<'a> {
    /// All names of the one issuer.
    pub(crate) issuers: &'a [String],
    /// Whether tokens may be found by their `email` (`TOKEN_SERVER__SIGNALS__EMAIL`).
    pub(crate) email: bool,
    /// The claim that names a token's tenant, if it is known.
    pub(crate) tenant_claim: Option<&'a str>,
}

/// Which tokens are a subject's.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Mapping {
    /// These, and no others.
    Exact(Vec<Place>),
    /// Those of the subject cannot be told from others.
    Inexact {
        /// Tokens among which they are. Empty: not even that is known.
        near: Vec<Place>,
        /// What cannot be mapped.
        because: Unmapped,
    },
    /// Another issuer's, of which the sender may not speak.
    Foreign,
}

/// Tokens in one group of rules.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place {
    /// Where a rule for them stands.
    pub(crate) group: Group,
    /// Claims that they have, beside their issuer.
    pub(crate) and: Vec<(String, Value)>,
    /// Whether there is an end to them, so that a rule needs no time.
    name: Name,
}

/// What ends by itself, and has a name.
#[derive(Debug, Clone, PartialEq)]
enum Name {
    /// Nothing: later tokens may belong to it.
    None,
    /// A session.
    Session(String),
    /// One token.
    Token(String),
}

/// Why a subject cannot be mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unmapped {
    /// Tokens may not be found by their `email`.
    #[error("a subject of the format email needs TOKEN_SERVER__SIGNALS__EMAIL=true")]
    EmailIsOff,
    /// No claim of a token is known to say this.
    #[error("no claim of a token is known to hold a subject of the format {}", .0.as_str())]
    Format(Format),
    /// No claim of a token is known to say this.
    #[error("no claim of a token is known to hold what a complex subject says of its {}", .0.as_str())]
    Member(Member),
    /// No token of such a subject is ever accepted.
    #[error("no group of rules can have the name of the subject")]
    Unnameable,
}

impl Place {
    /// The tokens of it that were issued until `at`, or all where no later one can belong to it.
    pub(crate) fn which(self, at: i64) -> Which {
        let Self { mut and, name, .. } = self;
        match name {
            Name::Session(sid) if and.is_empty() => Which::Session(sid),
            Name::Session(sid) => {
                and.push(("sid".to_owned(), json!(sid)));
                Which::IssuedUntil { at, and }
            }
            Name::Token(jti) => {
                and.push(("jti".to_owned(), json!(jti)));
                Which::Token(and)
            }
            Name::None => Which::IssuedUntil { at, and },
        }
    }

    fn of_subject(sub: &str) -> Result<Self, Unmapped> {
        if sub.is_empty() || sub.len() > MAX_GROUP_BYTES || sub == EVERYBODY {
            return Err(Unmapped::Unnameable);
        }
        Ok(Self { group: Group::Subject(sub.to_owned()), and: Vec::new(), name: Name::None })
    }

    fn of_everybody(and: Vec<(String, Value)>, name: Name) -> Self {
        Self { group: Group::Everybody, and, name }
    }

    /// The tokens that are of both.
    fn narrowed(mut self, other: Self) -> Self {
        if self.group == Group::Everybody {
            self.group = other.group;
        }
        self.and.extend(other.and);
        if self.name == Name::None {
            self.name = other.name;
        }
        self
    }
}

/// What an identifier is to a sender.
enum Heard {
    Place(Place),
    Unmapped(Unmapped),
    Foreign,
}

impl Subject {
    /// Which tokens are this subject's, for a sender with this voice.
    pub(crate) fn ends(&self, voice: &Voice<'_>) -> Mapping {
        match self {
            Self::Simple(simple) => simple.ends(voice),
            Self::Complex(members) => of_all(members, voice),
        }
    }
}

impl Simple {
    fn ends(&self, voice: &Voice<'_>) -> Mapping {
        let identifiers = match self {
            Self::One(identifier) => std::slice::from_ref(identifier),
            Self::Aliases(identifiers) => identifiers,
        };
        let mut places: Vec<Place> = Vec::new();
        let mut because = None;
        for identifier in identifiers {
            match voice.hears(identifier) {
                Heard::Place(place) if places.contains(&place) => {}
                Heard::Place(place) => places.push(place),
                Heard::Unmapped(unmapped) => because = because.or(Some(unmapped)),
                Heard::Foreign => {}
            }
        }
        // Who is known by his subject needs no rule that every token is held against.
        if places.iter().any(|place| place.group != Group::Everybody) {
            places.retain(|place| place.group != Group::Everybody);
        }
        match because {
            _ if !places.is_empty() => Mapping::Exact(places),
            Some(because) => Mapping::Inexact { near: Vec::new(), because },
            None => Mapping::Foreign,
        }
    }
}

/// What all members have in common; what cannot be mapped would make it fewer.
fn of_all(members: &[(Member, Simple)], voice: &Voice<'_>) -> Mapping {
    let mut common: Option<Vec<Place>> = None;
    let mut because = None;
    for (member, simple) in members {
        let mapped = match member {
            Member::User => simple.ends(voice),
            Member::Session => {
                by_opaque(*member, simple, |id| Place::of_everybody(Vec::new(), Name::Session(id.to_owned())))
            }
            Member::Tenant => match voice.tenant_claim {
                Some(claim) => by_opaque(*member, simple, |id| {
                    Place::of_everybody(vec![(claim.to_owned(), json!(id))], Name::None)
                }),
                None => Mapping::unmapped(*member),
            },
            Member::Device | Member::Application | Member::OrgUnit | Member::Group | Member::Other => {
                Mapping::unmapped(*member)
            }
        };
        let places = match mapped {
            Mapping::Exact(places) => places,
            Mapping::Inexact { because: unmapped, .. } => {
                because = because.or(Some(unmapped));
                continue;
            }
            Mapping::Foreign => return Mapping::Foreign,
        };
        common = Some(match common {
            None => places,
            Some(before) => before
                .into_iter()
                .flat_map(|place| places.iter().map(move |other| place.clone().narrowed(other.clone())))
                .collect(),
        });
    }
    let near = common.unwrap_or_default();
    match because {
        None => Mapping::Exact(near),
        Some(because) => Mapping::Inexact { near, because },
    }
}

/// A member that has a name of one kind.
fn by_opaque(member: Member, simple: &Simple, place: impl FnOnce(&str) -> Place) -> Mapping {
    match simple {
        Simple::One(Identifier::Opaque(id)) => Mapping::Exact(vec![place(id)]),
        Simple::One(_) | Simple::Aliases(_) => Mapping::unmapped(member),
    }
}

impl Mapping {
    fn unmapped(member: Member) -> Self {
        Self::Inexact { near: Vec::new(), because: Unmapped::Member(member) }
    }
}

impl Voice<'_> {
    fn hears(&self, identifier: &Identifier) -> Heard {
        let of_subject = |sub: &str| Place::of_subject(sub).map_or_else(Heard::Unmapped, Heard::Place);
        match identifier {
            Identifier::IssSub { iss, .. } | Identifier::JwtId { iss, .. } if !self.issuers.contains(iss) => {
                Heard::Foreign
            }
            Identifier::IssSub { sub, .. } => of_subject(sub),
            Identifier::Opaque(id) => of_subject(id),
            Identifier::JwtId { jti, .. } => {
                Heard::Place(Place::of_everybody(Vec::new(), Name::Token(jti.clone())))
            }
            Identifier::Email(_) if !self.email => Heard::Unmapped(Unmapped::EmailIsOff),
            Identifier::Email(email) => {
                let claims = [("email", json!(email)), ("email_verified", json!(true))];
                let claims = claims.map(|(name, value)| (name.to_owned(), value));
                Heard::Place(Place::of_everybody(claims.into(), Name::None))
            }
            Identifier::Account(_)
            | Identifier::PhoneNumber(_)
            | Identifier::Did(_)
            | Identifier::Uri(_)
            | Identifier::SamlAssertionId
            | Identifier::IpAddresses => Heard::Unmapped(Unmapped::Format(identifier.format())),
        }
    }
}
