//! One identifier of a principal, in one of the formats of RFC 9493 section 3.2 and of Shared Signals Framework 1.0 section 3.4.

use serde_json::{Map, Value};

/// Bytes of a member of an identifier. A rule with some of them has to fit a store.
const MAX_TEXT: usize = 1024;

/// Addresses in `ip-addresses`.
const MAX_ADDRESSES: usize = 64;

/// Digits of a telephone number (E.164).
const MAX_DIGITS: usize = 15;

/// How a subject is identified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// `account`
    Account,
    /// `email`
    Email,
    /// `iss_sub`
    IssSub,
    /// `opaque`
    Opaque,
    /// `phone_number`
    PhoneNumber,
    /// `did`
    Did,
    /// `uri`
    Uri,
    /// `aliases`
    Aliases,
    /// `complex`
    Complex,
    /// `jwt_id`
    JwtId,
    /// `saml_assertion_id`
    SamlAssertionId,
    /// `ip-addresses`
    IpAddresses,
}

/// An identifier of a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identifier {
    /// A user's account at a provider, `acct:user@host`.
    Account(String),
    /// An electronic mail address.
    Email(String),
    /// A subject of an issuer.
    IssSub {
        /// The issuer.
        iss: String,
        /// Its subject.
        sub: String,
    },
    /// What both sides know, and no other program understands.
    Opaque(String),
    /// A telephone number.
    PhoneNumber(String),
    /// A decentralised identifier.
    Did(String),
    /// A URI.
    Uri(String),
    /// A token of an issuer.
    JwtId {
        /// The issuer.
        iss: String,
        /// The token's `jti`.
        jti: String,
    },
    /// A SAML assertion.
    SamlAssertionId,
    /// Addresses of hosts.
    IpAddresses,
}

/// Why a subject cannot be read. Quotes nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SubjectFault {
    /// It is of another type.
    #[error("a subject identifier is a JSON object")]
    NotAnObject,
    /// What it means is not told.
    #[error("the subject identifier has no text in the member `format`")]
    NoFormat,
    /// What it means is not known here.
    #[error("the subject identifier's format is not known here")]
    UnknownFormat,
    /// RFC 9493 section 3: all members that the format needs.
    #[error("a subject identifier of the format {} has the member `{member}`", .format.as_str())]
    Missing {
        /// The format.
        format: Format,
        /// What is missing.
        member: &'static str,
    },
    /// RFC 9493 section 3: no members that the format does not describe.
    #[error("the subject identifier has a member that the format {} does not describe", .0.as_str())]
    Unexpected(Format),
    /// A member of another type or form.
    #[error("the member `{member}` of a subject identifier of the format {} is {expected}", .format.as_str())]
    Type {
        /// The format.
        format: Format,
        /// Which member.
        member: &'static str,
        /// What it is to be.
        expected: &'static str,
    },
    /// RFC 9493 section 3.2.8, and simple members of complex subjects.
    #[error("a subject identifier of the format {} does not stand inside of another", .0.as_str())]
    Nested(Format),
    /// Nothing is identified.
    #[error("the subject identifier of the format {} identifies nothing", .0.as_str())]
    Nothing(Format),
    /// More than is looked at.
    #[error("the subject identifier of the format {} has more than {max} parts", .format.as_str())]
    TooMany {
        /// The format.
        format: Format,
        /// How many are looked at.
        max: usize,
    },
}

impl Format {
    pub(super) fn of(object: &Map<String, Value>) -> Result<Self, SubjectFault> {
        let format = object.get("format").and_then(Value::as_str).ok_or(SubjectFault::NoFormat)?;
        Ok(match format {
            "account" => Self::Account,
            "email" => Self::Email,
            "iss_sub" => Self::IssSub,
            "opaque" => Self::Opaque,
            "phone_number" => Self::PhoneNumber,
            "did" => Self::Did,
            "uri" => Self::Uri,
            "aliases" => Self::Aliases,
            "complex" => Self::Complex,
            "jwt_id" => Self::JwtId,
            "saml_assertion_id" => Self::SamlAssertionId,
            "ip-addresses" => Self::IpAddresses,
            _ => return Err(SubjectFault::UnknownFormat),
        })
    }

    /// Its name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Email => "email",
            Self::IssSub => "iss_sub",
            Self::Opaque => "opaque",
            Self::PhoneNumber => "phone_number",
            Self::Did => "did",
            Self::Uri => "uri",
            Self::Aliases => "aliases",
            Self::Complex => "complex",
            Self::JwtId => "jwt_id",
            Self::SamlAssertionId => "saml_assertion_id",
            Self::IpAddresses => "ip-addresses",
        }
    }
}

impl Identifier {
    pub(super) fn parse(value: &Value) -> Result<Self, SubjectFault> {
        let object = object(value)?;
        let format = Format::of(object)?;
        let text = |member| text(format, object, member);
        let one = |member, is_one: fn(&str) -> bool, expected| {
            members(format, object, &[member])?;
            let value = text(member)?;
            if is_one(&value) { Ok(value) } else { Err(SubjectFault::Type { format, member, expected }) }
        };
        match format {
            Format::Account => one("uri", is_account, "a URI of the form acct:user@host").map(Self::Account),
            Format::Email => one("email", is_address, "an address of the form user@host").map(Self::Email),
            Format::Opaque => one("id", |_| true, "a text").map(Self::Opaque),
            Format::PhoneNumber => {
                one("phone_number", is_phone_number, "a + and up to 15 digits").map(Self::PhoneNumber)
            }
            Format::Did => one("url", is_did, "a URL of the form did:method:id").map(Self::Did),
            Format::Uri => one("uri", is_uri, "a URI with a scheme").map(Self::Uri),
            Format::IssSub => {
                members(format, object, &["iss", "sub"])?;
                Ok(Self::IssSub { iss: text("iss")?, sub: text("sub")? })
            }
            Format::JwtId => {
                members(format, object, &["iss", "jti"])?;
                Ok(Self::JwtId { iss: text("iss")?, jti: text("jti")? })
            }
            Format::SamlAssertionId => {
                members(format, object, &["issuer", "assertion_id"])?;
                text("issuer").and(text("assertion_id")).map(|_| Self::SamlAssertionId)
            }
            Format::IpAddresses => addresses(object).map(|()| Self::IpAddresses),
            Format::Aliases | Format::Complex => Err(SubjectFault::Nested(format)),
        }
    }

    /// The issuer that it names.
    pub(super) fn issuer(&self) -> Option<&str> {
        match self {
            Self::IssSub { iss, .. } | Self::JwtId { iss, .. } => Some(iss),
            Self::Account(_)
            | Self::Email(_)
            | Self::Opaque(_)
            | Self::PhoneNumber(_)
            | Self::Did(_)
            | Self::Uri(_)
            | Self::SamlAssertionId
            | Self::IpAddresses => None,
        }
    }

    /// Its format.
    pub(crate) const fn format(&self) -> Format {
        match self {
            Self::Account(_) => Format::Account,
            Self::Email(_) => Format::Email,
            Self::IssSub { .. } => Format::IssSub,
            Self::Opaque(_) => Format::Opaque,
            Self::PhoneNumber(_) => Format::PhoneNumber,
            Self::Did(_) => Format::Did,
            Self::Uri(_) => Format::Uri,
            Self::JwtId { .. } => Format::JwtId,
            Self::SamlAssertionId => Format::SamlAssertionId,
            Self::IpAddresses => Format::IpAddresses,
        }
    }
}

pub(super) fn object(value: &Value) -> Result<&Map<String, Value>, SubjectFault> {
    value.as_object().ok_or(SubjectFault::NotAnObject)
}

/// Whether an object has these members beside its format, and no others.
pub(super) fn members(
    format: Format,
    object: &Map<String, Value>,
    named: &[&'static str],
) -> Result<(), SubjectFault> {
    if let Some(member) = named.iter().find(|name| !object.contains_key(**name)) {
        return Err(SubjectFault::Missing { format, member });
    }
    if object.keys().any(|name| name != "format" && !named.contains(&name.as_str())) {
        return Err(SubjectFault::Unexpected(format));
    }
    Ok(())
}

fn text(format: Format, object: &Map<String, Value>, member: &'static str) -> Result<String, SubjectFault> {
    let value = object.get(member).and_then(Value::as_str);
    let value = value.filter(|text| !text.is_empty() && text.len() <= MAX_TEXT);
    value.map(str::to_owned).ok_or(SubjectFault::Type {
        format,
        member,
        expected: "a text of 1 to 1024 bytes",
    })
}

fn addresses(object: &Map<String, Value>) -> Result<(), SubjectFault> {
    let format = Format::IpAddresses;
    members(format, object, &["ip-addresses"])?;
    let fault = SubjectFault::Type { format, member: "ip-addresses", expected: "an array of addresses" };
    let listed = object.get("ip-addresses").and_then(Value::as_array).ok_or(fault)?;
    if listed.is_empty() {
        return Err(SubjectFault::Nothing(format));
    }
    if listed.len() > MAX_ADDRESSES {
        return Err(SubjectFault::TooMany { format, max: MAX_ADDRESSES });
    }
    let is_address =
        |value: &Value| value.as_str().is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok());
    if listed.iter().all(is_address) { Ok(()) } else { Err(fault) }
}

/// `user@host`: the part before the last `@` may be quoted and hold one itself.
fn is_address(text: &str) -> bool {
    let is_plain =
        |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_control() || c.is_whitespace());
    text.rsplit_once('@').is_some_and(|(user, host)| is_plain(user) && is_plain(host))
}

fn is_account(text: &str) -> bool {
    text.split_at_checked(5)
        .is_some_and(|(scheme, rest)| scheme.eq_ignore_ascii_case("acct:") && is_address(rest))
}

fn is_phone_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (1..=MAX_DIGITS).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

fn is_did(text: &str) -> bool {
    let rest = text.strip_prefix("did:").and_then(|rest| rest.split_once(':'));
    is_uri(text) && rest.is_some_and(|(method, id)| !method.is_empty() && !id.is_empty())
}

/// A scheme (RFC 3986 section 3.1), and something without white space behind it.
fn is_uri(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        let of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(of_scheme)
            && !rest.is_empty()
            && !rest.contains(|c: char| c.is_control() || c.is_whitespace())
    })
}
