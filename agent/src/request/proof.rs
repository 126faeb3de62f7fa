//! The arguments of the message `proof`: the proof that a client sent beside its token (RFC 9449 section 4.1), and the request
//! that it must be for.

use std::borrow::Cow;

use jose::{Reject, ShownProof};
use spop::TypedData;

use super::{Count, Text};
use crate::spoa::messages::Value;

/// What HAProxy sends of a proof.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SentProof<'a> {
    proof: Text<'a>,
    count: Count,
    method: Text<'a>,
    tls: Tls,
    host: Text<'a>,
    path: Text<'a>,
    request_id: Text<'a>,
}

/// Whether the client's connection is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Tls {
    /// Not sent.
    #[default]
    Absent,
    /// What was sent.
    Known(bool),
    /// Sent as something else, or twice.
    Unreadable,
}

impl<'a> SentProof<'a> {
    /// One proof, of one request over TLS to `api.example`.
    #[cfg(test)]
    pub(crate) fn of(proof: String, request_id: Option<&'a str>) -> Self {
        Self {
            proof: Text::Given(proof.into()),
            count: Count::Number(1),
            method: Text::Given("GET".into()),
            tls: Tls::Known(true),
            host: Text::Given("api.example".into()),
            path: Text::Given("/a".into()),
            request_id: request_id.map_or(Text::Absent, |name| Text::Given(name.into())),
        }
    }

    pub(super) fn set(&mut self, name: &[u8], value: Value<'a>) {
        match name {
            b"dpop" => self.proof.set(value),
            b"dpop_count" => self.count.set(value),
            b"method" => self.method.set(value),
            b"tls" => {
                self.tls = match (self.tls, value) {
                    (Tls::Absent, Value::Other(TypedData::Bool(is_tls))) => Tls::Known(is_tls),
                    (Tls::Absent | Tls::Known(_) | Tls::Unreadable, _) => Tls::Unreadable,
                }
            }
            b"host" => self.host.set(value),
            b"path" => self.path.set(value),
            b"request_id" => self.request_id.set(value),
            _ => {}
        }
    }

    /// The one proof.
    ///
    /// # Errors
    ///
    /// [`Reject::Binding`] where there is none, [`Reject::Proof`] for two (RFC 9449 section 4.3, check 1), and
    /// [`Reject::Argument`] for what cannot be read or is not sent.
    pub fn one(&self) -> Result<ShownProof<'_>, Reject> {
        match self.count {
            Count::Number(1) => {}
            Count::Number(0) => return Err(Reject::Binding),
            Count::Number(_) => return Err(Reject::Proof),
            // Of several headers HAProxy sends the last, and of one that it did not count there may be several.
            Count::Absent | Count::Null | Count::Unreadable => return Err(Reject::Argument),
        }
        let place = match (self.tls, sent(&self.host)?) {
            (Tls::Unreadable, _) => return Err(Reject::Argument),
            (Tls::Known(is_tls), Some(host)) => Some((is_tls, host)),
            (Tls::Known(_) | Tls::Absent, _) => None,
        };
        Ok(ShownProof {
            proof: sent(&self.proof)?.unwrap_or_default(),
            method: sent(&self.method)?.ok_or(Reject::Argument)?,
            place,
            path: sent(&self.path)?.ok_or(Reject::Argument)?,
            request_id: sent(&self.request_id)?.filter(|name| !name.is_empty()),
        })
    }
}

/// What HAProxy sends, where it does: what the client left out is empty, and its own fault.
fn sent<'a>(text: &'a Text<'_>) -> Result<Option<Cow<'a, str>>, Reject> {
    match text {
        Text::Absent => Ok(None),
        Text::Empty => Ok(Some(Cow::default())),
        Text::Given(text) => Ok(Some(Cow::Borrowed(text))),
        Text::Unreadable => Err(Reject::Argument),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &'static str) -> Value<'static> {
        Value::Text(text.into())
    }

    fn count(count: i64) -> Value<'static> {
        Value::Other(TypedData::Int64(count))
    }

    /// A whole message, with this argument instead of its own.
    fn whole_but(changed: &str, value: Option<Value<'static>>) -> SentProof<'static> {
        let mut sent = SentProof::default();
        let whole = [
            ("dpop", text("a.b.c")),
            ("dpop_count", count(1)),
            ("method", text("GET")),
            ("tls", Value::Other(TypedData::Bool(true))),
            ("host", text("api.example")),
            ("path", text("/a")),
            ("request_id", text("r")),
        ];
        for (name, value) in whole.into_iter().filter(|(name, _)| *name != changed) {
            sent.set(name.as_bytes(), value);
        }
        if let Some(value) = value {
            sent.set(changed.as_bytes(), value);
        }
        sent
    }

    #[test]
    fn a_message_is_one_proof_of_one_request() {
        let sent = whole_but("", None);
        let whole = sent.one().unwrap();
        assert_eq!(whole.place, Some((true, "api.example".into())));
        assert_eq!((&*whole.proof, &*whole.method, &*whole.path), ("a.b.c", "GET", "/a"));
        assert_eq!(whole.request_id.as_deref(), Some("r"));
        assert_eq!(whole_but("tls", None).one().unwrap().place, None);
        assert_eq!(whole_but("host", None).one().unwrap().place, None);
        for nothing in [text(""), Value::Other(TypedData::Null)] {
            let hostless = whole_but("host", Some(nothing));
            let place = hostless.one().unwrap().place;
            assert_eq!(place, Some((true, Cow::default())), "its client named no host");
        }
        assert_eq!(whole_but("request_id", Some(text(""))).one().unwrap().request_id, None);
        assert_eq!(whole_but("request_id", None).one().unwrap().request_id, None);
        assert!(!format!("{whole:?}").contains("a.b.c"));
    }

    #[test]
    fn two_proofs_none_and_what_is_not_counted_prove_nothing() {
        for (name, value, expected) in [
            ("dpop_count", Some(count(2)), Reject::Proof),
            ("dpop_count", Some(count(0)), Reject::Binding),
            ("dpop_count", Some(count(-1)), Reject::Argument),
            ("dpop_count", Some(Value::Other(TypedData::Null)), Reject::Argument),
            ("dpop_count", None, Reject::Argument),
            ("dpop", Some(Value::Other(TypedData::Binary(vec![1]))), Reject::Argument),
            ("method", None, Reject::Argument),
            ("path", None, Reject::Argument),
            ("path", Some(count(1)), Reject::Argument),
            ("tls", Some(text("1")), Reject::Argument),
            ("tls", Some(count(1)), Reject::Argument),
        ] {
            assert_eq!(whole_but(name, value).one().err(), Some(expected), "{name}");
        }
        for (name, read) in [("dpop", "proof"), ("method", "method"), ("path", "path")] {
            let sent = whole_but(name, Some(text("")));
            let empty = sent.one().unwrap();
            let part = [("proof", &empty.proof), ("method", &empty.method), ("path", &empty.path)];
            assert!(part.iter().any(|(part, value)| *part == read && value.is_empty()), "{name}");
        }
        let mut twice = whole_but("", None);
        twice.set(b"dpop", text("d.e.f"));
        assert_eq!(twice.one().err(), Some(Reject::Argument));
        let mut twice = whole_but("", None);
        twice.set(b"tls", Value::Other(TypedData::Bool(true)));
        assert_eq!(twice.one().err(), Some(Reject::Argument));
    }
}
