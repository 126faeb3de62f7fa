//! From a good security event token to the tokens that end by it. Pure.

use std::sync::Arc;

use super::events::{self, Meaning};
use super::of_stream::{self, OfStream};
use super::set::{Set, SetFault};
use crate::config::ssf::{Action, Stream};
use crate::signals::subject::{
    Format, Identifier, Mapping, Member, Place, Simple, Subject, SubjectFault, Voice,
};
use crate::signals::told::{End, Group, Kind, Told, Weight, Which};

/// What a token of a stream asks for.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    /// Something is told of a subject.
    Told(Told),
    /// Something is told of the stream itself.
    OfStream(OfStream),
}

/// What a token of this stream asks for. `email`: whether tokens may be found by their `email`.
///
/// # Errors
/// Its event, or its subject, is not as its specification says.
pub(crate) fn asked(set: &Set, stream: &Stream, email: bool) -> Result<Asked, SetFault> {
    let at = events::timestamp(&set.holds)?;
    let kind = match events::meaning(&set.kind, &set.holds)? {
        Meaning::Verification => return of_stream::verification(set, stream.profile).map(Asked::OfStream),
        Meaning::StreamUpdated => return of_stream::updated(set, stream.profile).map(Asked::OfStream),
        Meaning::Nothing(_) | Meaning::Unknown => None,
        Meaning::Ended(kind) => Some(kind),
    };
    let action = kind.map_or(Action::Ignore, |kind| stream.events.of(&kind));
    let told = |ends, weight| {
        Asked::Told(Told {
            kind: Kind::Ssf,
            sender: Arc::clone(&stream.name),
            by: Arc::clone(&stream.issuer),
            jti: Some(set.jti.clone()),
            ends,
            weight,
        })
    };
    if action == Action::Ignore {
        return Ok(told(Vec::new(), Weight::Enforce));
    }
    let subject = match Subject::parse(set.subject.as_ref().ok_or(SetFault::NoSubject)?) {
        Ok(subject) => subject,
        Err(fault) if is_of_another_kind(&fault) => {
            return Ok(told(Vec::new(), Weight::Inexact(fault.to_string())));
        }
        Err(fault) => return Err(SetFault::Subject(fault.to_string())),
    };
    // No later than the token itself: what is issued after it was never meant.
    let at = at.unwrap_or(set.issued).min(set.issued);
    let (ends, doubt) = ends(&subject, action, stream, email, at);
    let weight = match (doubt, action) {
        (Some(why), _) => Weight::Inexact(why),
        (None, Action::Shadow) => Weight::Shadow,
        (None, Action::Revoke | Action::Session | Action::Ignore) => Weight::Enforce,
    };
    Ok(told(ends, weight))
}

/// Whether a subject may be right, and is of a kind that no token tells of.
fn is_of_another_kind(fault: &SubjectFault) -> bool {
    matches!(
        fault,
        SubjectFault::UnknownFormat
            // Senders write it with spaces, as the examples of SSF 1.0 do.
            | SubjectFault::Type { format: Format::PhoneNumber, .. }
    )
}

/// The tokens that end, and why they are not exactly those that were meant, if so.
fn ends(
    subject: &Subject,
    action: Action,
    stream: &Stream,
    email: bool,
    at: i64,
) -> (Vec<End>, Option<String>) {
    let end = |group, which| End { issuers: stream.subject_issuers.clone(), group, which, hold: stream.hold };
    if let (Action::Session, Subject::Simple(Simple::One(Identifier::Opaque(sid)))) = (action, subject) {
        return (vec![end(Group::Everybody, Which::Session(sid.clone()))], None);
    }
    let voice = Voice { issuers: &stream.speaks_of, email, tenant_claim: stream.tenant_claim.as_deref() };
    let of_places = |places: Vec<Place>| -> Vec<End> {
        places.into_iter().map(|place| end(place.group.clone(), place.which(at))).collect()
    };
    let (places, doubt) = match subject.ends(&voice) {
        Mapping::Exact(places) => (places, None),
        Mapping::Inexact { near, because } => (near, Some(because.to_string())),
        Mapping::Foreign => {
            let why = "it speaks of another issuer's subject; subject_issuer names the one whose subjects a stream tells of";
            (Vec::new(), Some(why.to_owned()))
        }
    };
    let names_a_session = match subject {
        Subject::Simple(_) => false,
        Subject::Complex(members) => members.iter().any(|(member, _)| *member == Member::Session),
    };
    let doubt = doubt.or_else(|| {
        let lacks = action == Action::Session && !names_a_session;
        lacks.then(|| "only its session may end, and it names none".to_owned())
    });
    (of_places(places), doubt)
}
