//! Tokens that were made for something else (RFC 8725 section 3.11).
//!
//! One key of an issuer signs many kinds of tokens: logout tokens, security events, proofs, answers about other tokens.
//! Each is a good JWT of that issuer, often with the audience of the very client, and none of them opens a door. What
//! tells them apart is the header's `typ` (RFC 7515 section 4.1.9) and, for security events whose `typ` is optional,
//! the claim `events` (RFC 8417 section 2.2).

use crate::json::{Object, string};
use crate::{Claims, Reject};

/// Subtypes of `application/` that are registered for something else than access.
const OTHER_PURPOSES: [&str; 14] = [
    "logout+jwt",
    "command+jwt",
    "secevent+jwt",
    "dpop+jwt",
    "token-introspection+jwt",
    "statuslist+jwt",
    "oauth-authz-req+jwt",
    "client-authentication+jwt",
    "entity-statement+jwt",
    "kb+jwt",
    "dc+sd-jwt",
    "vc+sd-jwt",
    "oauth-id-jag+jwt",
    // draft-parecki-oauth-global-token-revocation, by which Okta signs its requests.
    "global-token-revocation+jwt",
];

/// What a `typ` says.
enum Purpose {
    /// A type of [`OTHER_PURPOSES`].
    Other,
    /// A media type of no such meaning, such as `JWT` or `at+jwt`.
    Unspecific,
    /// No media type at all, so that it may be meant as any.
    Unreadable,
}

/// Refuses a token that was made for something else, unless its `typ` is one of `named`: the types that an operator
/// wrote down. To name one of the other purposes allows its `events` as well.
pub(crate) fn validate<'a>(
    header: &str,
    claims: &Claims,
    mut named: impl Iterator<Item = &'a String>,
) -> Result<(), Reject> {
    let header = Object::members_of(header).ok_or(Reject::Malformed)?;
    let Some(typ) = header.get("typ") else {
        return validate_events(claims);
    };
    let typ = string(typ).ok_or(Reject::Type)?;
    let mut is_named = || named.any(|name| is_same_type(name, &typ));
    match purpose(&typ) {
        Purpose::Other if is_named() => Ok(()),
        Purpose::Unreadable if is_named() => validate_events(claims),
        Purpose::Other | Purpose::Unreadable => Err(Reject::Type),
        Purpose::Unspecific => validate_events(claims),
    }
}

/// Refuses a security event, whatever its `events` are.
pub(crate) fn validate_events(claims: &Claims) -> Result<(), Reject> {
    if claims.get("events").is_none() { Ok(()) } else { Err(Reject::Type) }
}

/// Whether two texts name one media type: letter case and a leading `application/` do not count, all else does.
pub(crate) fn is_same_type(one: &str, other: &str) -> bool {
    bare(one).eq_ignore_ascii_case(bare(other))
}

/// A media type without the `application/` that may be left out.
fn bare(media_type: &str) -> &str {
    match media_type.split_at_checked("application/".len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
        Some(_) | None => media_type,
    }
}

/// Parameters are left out (RFC 2045 section 5.1): `logout+jwt; v=2` is a logout token.
fn purpose(typ: &str) -> Purpose {
    let name = typ.split_once(';').map_or(typ, |(name, _)| name.trim_end_matches([' ', '\t']));
    let (kind, subtype) = name.split_once('/').unwrap_or(("application", name));
    if !is_token(kind) || !is_token(subtype) {
        return Purpose::Unreadable;
    }
    let is_other = OTHER_PURPOSES.iter().any(|other| other.eq_ignore_ascii_case(subtype));
    if is_other && kind.eq_ignore_ascii_case("application") { Purpose::Other } else { Purpose::Unspecific }
}

/// A `token` of RFC 2045 section 5.1: no space, no control character, none of its `tspecials`.
fn is_token(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte);
    !text.is_empty() && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validated(header: &str, payload: &str, named: &[&str]) -> Result<(), Reject> {
        let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
        validate(header, &Claims::parse(payload.as_bytes()).unwrap(), named.iter())
    }

    #[test]
    fn each_type_that_is_made_for_something_else_is_refused_in_every_spelling() {
        for other in OTHER_PURPOSES {
            for typ in [
                other.to_owned(),
                other.to_uppercase(),
                format!("application/{other}"),
                format!("APPLICATION/{}", other.to_uppercase()),
                format!("{other};x=y"),
                format!("{other} ; x=\\\"1/2\\\""),
                format!("application/{other};charset=utf-8"),
                format!("\\u{:04x}{}", u32::from(other.as_bytes()[0]), &other[1..]),
            ] {
                let header = format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#);
                assert_eq!(validated(&header, "{}", &[]), Err(Reject::Type), "{header}");
                assert_eq!(validated(&header, "{}", &["at+jwt", "JWT"]), Err(Reject::Type), "{header}");
            }
        }
    }

    #[test]
    fn a_type_of_another_meaning_passes_and_what_is_no_media_type_does_not() {
        for (typ, expected) in [
            (r#""JWT""#, Ok(())),
            (r#""jwt""#, Ok(())),
            (r#""JOSE""#, Ok(())),
            (r#""at+jwt""#, Ok(())),
            (r#""application/at+jwt""#, Ok(())),
            (r#""application/at+jwt; v=1""#, Ok(())),
            (r#""example/logout+jwt""#, Ok(())),
            (r#""my-logout+jwt""#, Ok(())),
            (r#""""#, Err(Reject::Type)),
            (r#"" logout+jwt""#, Err(Reject::Type)),
            (r#""logout+jwt ""#, Err(Reject::Type)),
            (r#""logout+jwt (a comment)""#, Err(Reject::Type)),
            (r#""logout+jwt,at+jwt""#, Err(Reject::Type)),
            (r#""application/application/logout+jwt""#, Err(Reject::Type)),
            (r#""application/""#, Err(Reject::Type)),
            (r#""/logout+jwt""#, Err(Reject::Type)),
            (r#"";""#, Err(Reject::Type)),
            (r#""logout\u0000+jwt""#, Err(Reject::Type)),
            (r#""l\u00f6gout+jwt""#, Err(Reject::Type)),
            ("null", Err(Reject::Type)),
            ("7", Err(Reject::Type)),
            (r#"["logout+jwt"]"#, Err(Reject::Type)),
            (r#"{"logout+jwt":1}"#, Err(Reject::Type)),
        ] {
            assert_eq!(validated(&format!(r#"{{"typ":{typ}}}"#), "{}", &[]), expected, "{typ}");
        }
        assert_eq!(validated("{}", "{}", &[]), Ok(()));
        assert_eq!(validated(r#"{"TYP":"logout+jwt"}"#, "{}", &[]), Ok(()));
        assert_eq!(validated(r#"{"typ":"JWT","typ":"JWT"}"#, "{}", &[]), Err(Reject::Malformed));
    }

    #[test]
    fn a_security_event_is_known_by_its_events_whatever_they_are() {
        for events in
            ["{}", r#"{"http://schemas.openid.net/event/backchannel-logout":{}}"#, "null", "[]", "7"]
        {
            for header in ["{}", r#"{"typ":"JWT"}"#, r#"{"typ":"at+jwt"}"#] {
                let payload = format!(r#"{{"events":{events}}}"#);
                assert_eq!(validated(header, &payload, &[]), Err(Reject::Type), "{header} {payload}");
                assert_eq!(validated(header, &payload, &["JWT", "at+jwt"]), Err(Reject::Type), "{payload}");
            }
        }
        for payload in [r#"{"event":1}"#, r#"{"Events":{}}"#, r#"{"a":{"events":{}}}"#] {
            assert_eq!(validated("{}", payload, &[]), Ok(()), "{payload}");
        }
    }

    #[test]
    fn a_type_that_is_named_is_accepted_by_that_name_alone() {
        let event = r#"{"events":{}}"#;
        for (typ, payload, named, expected) in [
            ("secevent+jwt", event, "secevent+jwt", Ok(())),
            ("application/SECEVENT+jwt", event, "secevent+jwt", Ok(())),
            ("secevent+jwt", "{}", "application/secevent+jwt", Ok(())),
            ("secevent+jwt;v=1", event, "secevent+jwt", Err(Reject::Type)),
            ("logout+jwt", event, "secevent+jwt", Err(Reject::Type)),
            ("a b", "{}", "a b", Ok(())),
            ("a b", event, "a b", Err(Reject::Type)),
            ("a b", "{}", "at+jwt", Err(Reject::Type)),
        ] {
            let header = format!(r#"{{"typ":"{typ}"}}"#);
            assert_eq!(validated(&header, payload, &[named]), expected, "{typ} {payload} for {named}");
        }
    }

    #[test]
    fn nothing_but_application_may_be_left_out_of_a_media_type() {
        for (one, other, expected) in [
            ("at+jwt", "AT+jwt", true),
            ("application/at+jwt", "at+jwt", true),
            ("at+jwt", "Application/at+jwt", true),
            ("application/at+jwt", "application/at+jwt", true),
            // As many bytes as `application/`.
            ("applikation/at+jwt", "at+jwt", false),
            ("multipart/x/at+jwt", "at+jwt", false),
            ("text/at+jwt", "at+jwt", false),
            ("application/application/at+jwt", "at+jwt", false),
            ("at+jwt;v=1", "at+jwt", false),
            ("at+jwt", "at+jwt ", false),
        ] {
            assert_eq!(is_same_type(one, other), expected, "{one} {other}");
            assert_eq!(is_same_type(other, one), expected, "{other} {one}");
        }
    }
}
