//! The arguments of the message `certificate`: which certificate the client showed when it connected.
//!
//! HAProxy sends the SHA-256 of the certificate of its own TLS connection, which nothing in a request can change. Where
//! another server ends TLS before it, that server's header `Client-Cert` (RFC 9440 section 2) is sent instead: a client could
//! write one too, so that it counts by a setting alone.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jose::{Reject, Thumbprint};
use spop::TypedData;

use super::Count;
use crate::spoa::messages::Value;

/// How the agent is told of a client's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CertificateForm {
    /// By the SHA-256 of its DER: `cert=ssl_c_der,sha2(256)`.
    #[default]
    Tls,
    /// By the header that another server has made of it: `cert=req.fhdr(client-cert) cert_count=req.fhdr_cnt(client-cert)`.
    Rfc9440,
}

impl CertificateForm {
    /// What a setting may say.
    pub const WORDS: &'static [(&'static str, Self)] = &[("tls", Self::Tls), ("rfc9440", Self::Rfc9440)];
}

/// What HAProxy sends of the certificate.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Certificate<'a> {
    sent: Sent<'a>,
    count: Count,
}

#[derive(Clone, Default, PartialEq, Eq)]
enum Sent<'a> {
    /// Not sent.
    #[default]
    Absent,
    /// Sent as NULL, or empty: the client showed none.
    Empty,
    /// Its SHA-256.
    Hash(Thumbprint),
    /// A header.
    Header(Cow<'a, str>),
    /// Anything else, or sent twice.
    Unreadable,
}

impl<'a> From<Value<'a>> for Sent<'a> {
    fn from(value: Value<'a>) -> Self {
        match value {
            Value::Other(TypedData::Null) => Self::Empty,
            Value::Other(TypedData::Binary(bytes)) if bytes.is_empty() => Self::Empty,
            Value::Other(TypedData::Binary(bytes)) => {
                Thumbprint::from_bytes(&bytes).map_or(Self::Unreadable, Self::Hash)
            }
            Value::Text(text) if text.is_empty() => Self::Empty,
            Value::Text(text) => Self::Header(text),
            Value::Other(_) => Self::Unreadable,
        }
    }
}

impl<'a> Certificate<'a> {
    /// That of this connection.
    #[cfg(test)]
    pub(crate) fn of_hash(hash: Thumbprint) -> Self {
        Self { sent: Sent::Hash(hash), count: Count::Absent }
    }

    pub(super) fn set(&mut self, name: &[u8], value: Value<'a>) {
        match name {
            // Which of two counts would depend on the reader: neither does.
            b"cert" if self.sent == Sent::Absent => self.sent = value.into(),
            b"cert" => self.sent = Sent::Unreadable,
            b"cert_count" => self.count.set(value),
            _ => {}
        }
    }

    /// The thumbprint of the certificate that was shown, if one was.
    ///
    /// # Errors
    ///
    /// [`Reject::Argument`] for what cannot be read, or is of the other form; [`Reject::DuplicateHeader`] for two headers.
    pub fn thumbprint(&self, form: CertificateForm) -> Result<Option<Thumbprint>, Reject> {
        match (form, &self.sent) {
            (CertificateForm::Tls, Sent::Absent | Sent::Empty) => Ok(None),
            (CertificateForm::Tls, Sent::Hash(hash)) => Ok(Some(*hash)),
            (CertificateForm::Rfc9440, Sent::Absent | Sent::Empty | Sent::Header(_)) => self.of_header(),
            (CertificateForm::Tls, Sent::Header(_) | Sent::Unreadable)
            | (CertificateForm::Rfc9440, Sent::Hash(_) | Sent::Unreadable) => Err(Reject::Argument),
        }
    }

    /// Of several headers HAProxy sends the last, and of one that it did not count there may be several.
    fn of_header(&self) -> Result<Option<Thumbprint>, Reject> {
        match (&self.sent, self.count) {
            (Sent::Header(text), Count::Number(1)) => {
                of_byte_sequence(text).map(Some).ok_or(Reject::Argument)
            }
            (Sent::Absent | Sent::Empty, Count::Absent | Count::Null | Count::Number(0)) => Ok(None),
            (_, Count::Number(count)) if count > 1 => Err(Reject::DuplicateHeader),
            (_, Count::Absent | Count::Null | Count::Number(_) | Count::Unreadable) => Err(Reject::Argument),
        }
    }
}

/// A Byte Sequence without parameters (RFC 8941 section 3.3.5): the DER of one certificate as base64, in colons.
fn of_byte_sequence(text: &str) -> Option<Thumbprint> {
    let base64 = text.trim_matches(' ').strip_prefix(':')?.strip_suffix(':')?;
    let der = STANDARD.decode(base64).ok().filter(|der| !der.is_empty())?;
    Some(Thumbprint::of(&der))
}

#[cfg(test)]
mod tests {
    use super::*;
    use CertificateForm::{Rfc9440, Tls};

    fn of(arguments: Vec<(&str, Value<'static>)>) -> Certificate<'static> {
        let mut certificate = Certificate::default();
        for (name, value) in arguments {
            certificate.set(name.as_bytes(), value);
        }
        certificate
    }

    fn text(text: &'static str) -> Value<'static> {
        Value::Text(text.into())
    }

    fn bytes(bytes: &[u8]) -> Value<'static> {
        Value::Other(TypedData::Binary(bytes.to_vec()))
    }

    #[test]
    fn the_hash_of_the_connection_s_certificate_is_32_bytes_or_none_was_shown() {
        let hash = Thumbprint::of(b"der");
        let sent = |value| of(vec![("cert", value)]);
        for (what, certificate, expected) in [
            ("nothing", of(vec![]), Ok(None)),
            ("NULL", sent(Value::Other(TypedData::Null)), Ok(None)),
            ("empty", sent(bytes(b"")), Ok(None)),
            ("an empty text", sent(text("")), Ok(None)),
            ("a hash", sent(bytes(hash.as_bytes())), Ok(Some(hash))),
            ("a SHA-1", sent(bytes(&[1; 20])), Err(Reject::Argument)),
            ("DER", sent(bytes(&[0x30; 700])), Err(Reject::Argument)),
            // Where HAProxy makes a text of bytes, it ends at the first NUL.
            ("a text", sent(text("abcdefghijklmnopqrstuvwxyz012345")), Err(Reject::Argument)),
            ("a number", sent(Value::Other(TypedData::Int64(1))), Err(Reject::Argument)),
            ("a header", sent(text(":ZGVy:")), Err(Reject::Argument)),
            (
                "two hashes",
                of(vec![("cert", bytes(hash.as_bytes())), ("cert", bytes(hash.as_bytes()))]),
                Err(Reject::Argument),
            ),
            (
                "none and a hash",
                of(vec![("cert", Value::Other(TypedData::Null)), ("cert", bytes(hash.as_bytes()))]),
                Err(Reject::Argument),
            ),
        ] {
            assert_eq!(certificate.thumbprint(Tls), expected, "{what}");
        }
    }

    #[test]
    fn a_header_counts_once_counted_whole_and_by_the_setting_alone() {
        let count = |count: i64| Value::Other(TypedData::Int64(count));
        let sent = |value, number| of(vec![("cert", text(value)), ("cert_count", count(number))]);
        let hash = Ok(Some(Thumbprint::of(b"der")));
        for (what, certificate, expected) in [
            ("one", sent(":ZGVy:", 1), hash),
            ("one with spaces around", sent(" :ZGVy: ", 1), hash),
            ("none", sent("", 0), Ok(None)),
            ("nothing", of(vec![]), Ok(None)),
            ("nothing to count in", of(vec![("cert_count", Value::Other(TypedData::Null))]), Ok(None)),
            ("two", sent(":ZGVy:", 2), Err(Reject::DuplicateHeader)),
            ("two, the last of which is empty", sent("", 2), Err(Reject::DuplicateHeader)),
            ("one that was not counted", of(vec![("cert", text(":ZGVy:"))]), Err(Reject::Argument)),
            ("one of nothing", sent("", 1), Err(Reject::Argument)),
            ("no colons", sent("ZGVy", 1), Err(Reject::Argument)),
            ("one colon", sent(":", 1), Err(Reject::Argument)),
            ("no bytes", sent("::", 1), Err(Reject::Argument)),
            ("a list", sent(":ZGVy:, :ZGVy:", 1), Err(Reject::Argument)),
            ("a parameter", sent(":ZGVy:;a=1", 1), Err(Reject::Argument)),
            ("base64url", sent(":-_8:", 1), Err(Reject::Argument)),
            ("no padding", sent(":ZGU:", 1), Err(Reject::Argument)),
            ("stray bits", sent(":ZGVyZB==:", 1), Err(Reject::Argument)),
            ("PEM", sent("-----BEGIN CERTIFICATE----- ZGVy", 1), Err(Reject::Argument)),
            ("a count below zero", sent(":ZGVy:", -1), Err(Reject::Argument)),
            ("a hash", of(vec![("cert", bytes(&[1; 32]))]), Err(Reject::Argument)),
        ] {
            assert_eq!(certificate.thumbprint(Rfc9440), expected, "{what}");
        }
    }
}
