//! The claims of subjects checked lately, so that a rule can be tried on them before it is written.
//!
//! They are personal data. They are kept in memory alone, one payload for each of a limited number of subjects, for
//! [`WINDOW`] at most; nothing is ever told of the claims but numbers; of the subjects, to operators alone, when one was last
//! seen and which have a similar name; and with a capacity of 0 none is kept.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jose::UnixTime;
use rules::{Claims, Issued, Rule, Token};

use crate::store::EVERYBODY;

/// How long a payload is kept: about the life of an access token.
pub const WINDOW: Duration = Duration::from_secs(15 * 60);

/// Bytes of the longest payload that is kept; with the capacity it bounds the memory.
const MAX_PAYLOAD_BYTES: usize = 4 * 1024;

/// A sample of subjects and their last payloads. A subject has one place, which another may take over.
pub struct Recent {
    places: Box<[Mutex<Option<Seen>>]>,
    hasher: RandomState,
}

struct Seen {
    at: UnixTime,
    subject: Box<str>,
    payload: Box<str>,
    issued: Issued,
}

/// How many similar names are told.
const SIMILAR: usize = 5;

/// Letters that two similar names differ by, at most: added, left out, exchanged, or two that changed places.
const MAX_SLIPS: usize = 2;

/// Bytes of the longest name that is compared with others: comparing costs the product of the lengths.
const MAX_COMPARED_BYTES: usize = 128;

/// What is remembered of one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// When its last token was found good; absent where it is not remembered.
    pub last_seen: Option<UnixTime>,
    /// Names that are similar, the most similar first; only where it is not remembered itself.
    pub similar: Vec<String>,
    /// How many subjects are remembered.
    pub remembered: usize,
}

/// What a rule would do to the subjects that are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preview {
    /// Subjects that the rule was held against.
    pub subjects: usize,
    /// Those of them whose last token it would revoke.
    pub hits: usize,
}

impl Recent {
    /// Room for at most this many subjects.
    pub fn new(capacity: usize) -> Self {
        Self { places: (0..capacity).map(|_| Mutex::new(None)).collect(), hasher: RandomState::new() }
    }

    /// Remembers the payload of a token that was found good.
    pub fn remember(&self, subject: &str, payload: &str, issued: Issued, at: UnixTime) {
        let Some(place) = self.place(subject) else { return };
        if payload.len() > MAX_PAYLOAD_BYTES {
            return;
        }
        match &mut *lock(place) {
            // A token that comes again and again.
            Some(seen) if *seen.payload == *payload && *seen.subject == *subject => {
                (seen.at, seen.issued) = (at, issued);
            }
            other => *other = Some(Seen { at, subject: subject.into(), payload: payload.into(), issued }),
        }
    }

    /// Holds a rule of a group against the payloads that are remembered.
    pub fn preview(&self, rule: &Rule, group: &str, now: UnixTime) -> Preview {
        let mut preview = Preview { subjects: 0, hits: 0 };
        for (claims, issued) in self.seen(now, Some(group).filter(|group| *group != EVERYBODY)) {
            preview.subjects += 1;
            preview.hits += usize::from(rule.matches(Token { claims: &claims, issued }));
        }
        preview
    }

    /// The claims that a rule names and that no token of any subject has; none where no token is remembered.
    pub fn unseen(&self, rule: &Rule, now: UnixTime) -> Vec<String> {
        let mut fields = rule.unseen_fields();
        let mut tokens = self.seen(now, None).peekable();
        if tokens.peek().is_none() {
            return Vec::new();
        }
        while fields.names().next().is_some()
            && let Some((claims, _)) = tokens.next()
        {
            fields.see(&claims);
        }
        fields.names().map(str::to_owned).collect()
    }

    /// When a subject was last seen, and if it was not, which similar ones were.
    pub fn sighting(&self, subject: &str, now: UnixTime) -> Sighting {
        let last_seen = self.place(subject).and_then(|place| {
            let seen = lock(place);
            seen.as_ref().filter(|seen| seen.is_fresh(now) && *seen.subject == *subject).map(|seen| seen.at)
        });
        let mut remembered = 0;
        let mut similar = Vec::new();
        for place in &self.places {
            let place = lock(place);
            let Some(seen) = place.as_ref().filter(|seen| seen.is_fresh(now)) else { continue };
            remembered += 1;
            if last_seen.is_none()
                && let Some(slips) = slips(subject, &seen.subject)
            {
                similar.push((slips, seen.subject.to_string()));
            }
        }
        similar.sort_unstable();
        let similar = similar.into_iter().take(SIMILAR).map(|(_, subject)| subject).collect();
        Sighting { last_seen, similar, remembered }
    }

    /// The payloads that are remembered, of this subject or of all.
    fn seen(&self, now: UnixTime, of: Option<&str>) -> impl Iterator<Item = (Claims, Issued)> {
        self.places.iter().filter_map(move |place| match &*lock(place) {
            Some(seen) if seen.is_fresh(now) && of.is_none_or(|subject| *subject == *seen.subject) => {
                Some((serde_json::from_str(&seen.payload).ok()?, seen.issued))
            }
            Some(_) | None => None,
        })
    }

    /// Forgets what is older than [`WINDOW`].
    pub fn forget_old(&self, now: UnixTime) {
        for place in &self.places {
            let mut place = lock(place);
            if place.as_ref().is_some_and(|seen| !seen.is_fresh(now)) {
                *place = None;
            }
        }
    }

    fn place(&self, subject: &str) -> Option<&Mutex<Option<Seen>>> {
        let places = u64::try_from(self.places.len()).ok()?;
        let index = self.hasher.hash_one(subject).checked_rem(places)?;
        self.places.get(usize::try_from(index).ok()?)
    }
}

impl Seen {
    fn is_fresh(&self, now: UnixTime) -> bool {
        let age = now.as_millis().saturating_sub(self.at.as_millis());
        u64::try_from(age).is_ok_and(|age| Duration::from_millis(age) < WINDOW)
    }
}

/// By how many slips of the hand two names differ, if they are similar: 0 where they differ in case or white space alone.
fn slips(wanted: &str, seen: &str) -> Option<usize> {
    let length = wanted.len();
    if length > MAX_COMPARED_BYTES || seen.len() > MAX_COMPARED_BYTES {
        return None;
    }
    let [wanted, seen] = [wanted, seen].map(|name| name.trim().to_lowercase());
    // A name of three letters has few that do not resemble it.
    let most = MAX_SLIPS.min(length / 3);
    let slips = strsim::damerau_levenshtein(&wanted, &seen);
    (slips <= most).then_some(slips)
}

impl fmt::Debug for Recent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Recent({})", self.places.len())
    }
}

fn lock(place: &Mutex<Option<Seen>>) -> MutexGuard<'_, Option<Seen>> {
    // A place is replaced whole.
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_secs(seconds)
    }

    #[test]
    fn a_rule_is_held_against_the_last_payload_of_each_subject_for_a_while() {
        let recent = Recent::new(4096);
        recent.remember("anna", r#"{"rt":"old"}"#, Issued::AsTold, at(0));
        recent.remember("anna", r#"{"rt":"x"}"#, Issued::AsTold, at(10));
        recent.remember("ben", r#"{"rt":"y"}"#, Issued::AsTold, at(20));
        recent.remember("long", &format!(r#"{{"rt":"{}"}}"#, "x".repeat(5_000)), Issued::AsTold, at(20));
        let rule = Rule::parse(r#"{"rt":"x"}"#).unwrap();
        let window = i64::try_from(WINDOW.as_secs()).unwrap();
        for (group, now, subjects, hits) in [
            ("g", 20, 2, 1),
            ("anna", 20, 1, 1),
            ("ben", 20, 1, 0),
            ("carl", 20, 0, 0),
            ("g", 10 + window, 1, 0),
            ("g", 20 + window, 0, 0),
        ] {
            let preview = recent.preview(&rule, group, at(now));
            assert_eq!((preview.subjects, preview.hits), (subjects, hits), "{group} at {now}");
        }
        recent.forget_old(at(10 + window));
        let preview = recent.preview(&rule, "g", at(20));
        assert_eq!((preview.subjects, preview.hits), (1, 0), "it is gone");
    }

    #[test]
    fn an_upper_bound_on_iat_is_held_against_a_token_that_does_not_say_when_it_was_issued() {
        let recent = Recent::new(4096);
        recent.remember("anna", "{}", Issued::Unknown, at(0));
        recent.remember("ben", r#"{"iat":9}"#, Issued::AsTold, at(0));
        recent.remember("carl", r#"{"iat":3}"#, Issued::AsTold, at(0));
        for (rule, hits) in
            [(r#"{"iat":{"lt":5}}"#, 2), (r#"{"iat":{"gt":1,"lt":5}}"#, 2), (r#"{"iat":{"gt":1}}"#, 2)]
        {
            assert_eq!(recent.preview(&Rule::parse(rule).unwrap(), "g", at(0)).hits, hits, "{rule}");
        }
    }

    #[test]
    fn a_claim_that_no_token_has_is_told_where_tokens_are_remembered() {
        let recent = Recent::new(4096);
        let rule = Rule::parse(r#"{"iatt":{"lt":5},"rt":"x","a.b":1}"#).unwrap();
        assert_eq!(recent.unseen(&rule, at(0)), Vec::<String>::new(), "none is known");
        recent.remember("ben", r#"{"iat":3,"rt":"y"}"#, Issued::AsTold, at(0));
        assert_eq!(recent.unseen(&rule, at(0)), ["a.b", "iatt"], "a token of any subject");
        recent.remember("carl", r#"{"a":{"b":2}}"#, Issued::AsTold, at(0));
        assert_eq!(recent.unseen(&rule, at(0)), ["iatt"]);
    }

    #[test]
    fn a_subject_is_told_when_it_was_last_seen_or_which_similar_ones_were() {
        let recent = Recent::new(100_000);
        for (subject, seconds) in [("anna.berg", 10), ("anna.borg", 20), ("ben", 30), ("Ö\u{1b}[31m", 30)] {
            recent.remember(subject, "{}", Issued::AsTold, at(seconds));
        }
        let window = i64::try_from(WINDOW.as_secs()).unwrap();
        for (subject, now, last_seen, similar, remembered) in [
            ("anna.berg", 40, Some(10), &[][..], 4),
            ("anna.burg", 40, None, &["anna.berg", "anna.borg"], 4),
            ("Anna.Berg ", 40, None, &["anna.berg", "anna.borg"], 4),
            ("anan.berg", 40, None, &["anna.berg", "anna.borg"], 4),
            ("anna", 40, None, &[], 4),
            ("bén", 40, None, &["ben"], 4),
            ("BEN", 40, None, &["ben"], 4),
            ("be", 40, None, &[], 4),
            ("carl", 40, None, &[], 4),
            ("", 40, None, &[], 4),
            ("anna.berg", 10 + window, None, &["anna.borg"], 3),
            ("ben", 30 + window, None, &[], 0),
        ] {
            let sighting = recent.sighting(subject, at(now));
            let expected = Sighting {
                last_seen: last_seen.map(at),
                similar: similar.iter().map(|name| (*name).to_owned()).collect(),
                remembered,
            };
            assert_eq!(sighting, expected, "{subject} at {now}");
        }
        assert_eq!(Recent::new(0).sighting("ben", at(0)).remembered, 0);
        let long = "x".repeat(MAX_COMPARED_BYTES + 1);
        recent.remember(&long, "{}", Issued::AsTold, at(30));
        assert_eq!(recent.sighting(&long[1..], at(30)).similar, Vec::<String>::new(), "too long to compare");
    }

    #[test]
    fn no_more_subjects_are_kept_than_there_is_room_for() {
        let everything = Rule::parse("{}").unwrap();
        for (capacity, kept) in [(0, 0), (1, 1)] {
            let recent = Recent::new(capacity);
            for subject in ["anna", "ben", "carl"] {
                recent.remember(subject, "{}", Issued::AsTold, at(0));
            }
            let preview = recent.preview(&everything, "g", at(0));
            assert_eq!((preview.subjects, preview.hits), (kept, kept));
        }
    }
}
