//! Where streams are in the memory of a process, as lists have shown it. A stream keeps its place until it ends, and the place is
//! used again then: a place says where to look, and never what is there. No I/O and no clock.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Instant;

use super::list::{self, Listed, Pointer};
use crate::request::Stream;

/// The most places of one client that are looked at one by one: the list with numbers is cheaper then.
const MAX_CANDIDATES: usize = 256;

/// What names a stream in a process, as far as we know which process it is: several that run in containers may have one id, and
/// their numbers are the same soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Name {
    number: u64,
    client: Option<SocketAddr>,
}

impl From<&Stream> for Name {
    fn from(stream: &Stream) -> Self {
        Self { number: stream.number, client: stream.client.map(list::plain) }
    }
}

impl From<Listed> for Name {
    fn from(listed: Listed) -> Self {
        Self { number: listed.number, client: listed.client }
    }
}

/// The list with numbers: streams that were open when it began and when their turn came.
#[derive(Debug)]
pub(super) struct Listing {
    pub began: Instant,
    /// Whether it has all of them, so that others are not there.
    pub is_whole: bool,
    places: HashMap<Name, Pointer>,
    numbers: HashSet<u64>,
}

/// Whether a list has a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// It has.
    Open,
    /// It has its number, with another client.
    Other,
    /// It has not.
    Absent,
    /// It has not, and may have been cut off.
    Unknown,
}

impl Listing {
    /// One that is asked for now, and of which is not known yet whether it is whole.
    pub(super) fn begin(began: Instant) -> Self {
        Self { began, is_whole: false, places: HashMap::new(), numbers: HashSet::new() }
    }

    /// It has one more stream.
    pub(super) fn add(&mut self, listed: Listed) {
        self.places.insert(listed.into(), listed.pointer);
        self.numbers.insert(listed.number);
    }

    /// Whether it has none.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// What it says of a stream that was known when it began.
    pub(super) fn shown(&self, name: &Name) -> Shown {
        if self.places.contains_key(name) {
            Shown::Open
        } else if self.numbers.contains(&name.number) {
            Shown::Other
        } else if self.is_whole {
            Shown::Absent
        } else {
            Shown::Unknown
        }
    }
}

/// How soon the list with numbers is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Haste {
    /// To tell whether a stream is gone of which no place is known.
    Calm,
    /// To end a stream.
    Now,
}

/// What to do about a stream that has to end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// It is at one of these places, or gone.
    Look(Vec<Pointer>),
    /// Ask for the short list, which has clients alone.
    Short,
    /// Wait for the list with numbers.
    Long(Haste),
    /// It is there no more.
    Gone,
    /// Its number is there with another client.
    Other,
}

/// The list of clients.
#[derive(Debug)]
struct Short {
    began: Instant,
    /// Whether it has all streams.
    is_whole: bool,
    /// Where each client has streams.
    places: HashMap<Option<SocketAddr>, Vec<Pointer>>,
}

/// What is known of places.
#[derive(Debug, Default)]
pub(super) struct Places {
    long: Option<Listing>,
    short: Option<Short>,
    /// Those that were looked for where they should be, and were not there.
    missed: HashSet<Name>,
}

impl Places {
    /// Takes a list with numbers.
    pub(super) fn take_long(&mut self, listing: Listing) {
        self.long = Some(listing);
        self.missed.clear();
    }

    /// Takes a short list, which began then, and may have been cut off.
    pub(super) fn take_short(
        &mut self,
        began: Instant,
        is_whole: bool,
        streams: impl IntoIterator<Item = (Pointer, Option<SocketAddr>)>,
    ) {
        let mut places: HashMap<_, Vec<_>> = HashMap::new();
        for (pointer, client) in streams {
            places.entry(client).or_default().push(pointer);
        }
        self.short = Some(Short { began, is_whole, places });
        self.missed.clear();
    }

    /// A stream is at none of the places where it was looked for.
    pub(super) fn miss(&mut self, name: Name) {
        self.missed.insert(name);
    }

    /// What to do about a stream that was told of `since` then.
    pub(super) fn plan(&self, name: &Name, since: Instant) -> Plan {
        let was_missed = self.missed.contains(name);
        let long = self.long.as_ref().map(|long| (long, long.shown(name)));
        if let Some((long, Shown::Open)) = long {
            let place = long.places.get(name).filter(|_| !was_missed);
            return place.map_or(Plan::Gone, |place| Plan::Look(vec![*place]));
        }
        // What was listed before says nothing of it.
        match long.filter(|(long, _)| long.began >= since) {
            Some((_, Shown::Other)) => return Plan::Other,
            Some((_, Shown::Open | Shown::Absent)) => return Plan::Gone,
            Some((_, Shown::Unknown)) | None => {}
        }
        let Some(short) = self.short.as_ref().filter(|short| short.began >= since) else {
            return Plan::Short;
        };
        match short.places.get(&name.client) {
            Some(places) if places.len() > MAX_CANDIDATES => Plan::Long(Haste::Now),
            Some(places) if !was_missed => Plan::Look(places.clone()),
            Some(_) | None if !short.is_whole => Plan::Short,
            Some(_) | None => Plan::Long(Haste::Calm),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn name(number: u64, client: &str) -> Name {
        Name { number, client: client.parse().ok() }
    }

    fn pointer(at: u64) -> Pointer {
        let line = format!("{at:#x}: proto=tcpv4 src=192.0.2.7:5 fe=web");
        list::short(&line).unwrap().0
    }

    fn listing(began: Instant, streams: &[(Name, u64)]) -> Listing {
        let mut listing = Listing { is_whole: true, ..Listing::begin(began) };
        for (Name { number, client }, at) in streams {
            listing.add(Listed { pointer: pointer(*at), number: *number, client: *client });
        }
        listing
    }

    const ANN: &str = "192.0.2.7:5";
    const BOB: &str = "192.0.2.8:6";

    #[test]
    fn a_stream_that_no_list_can_have_shown_is_looked_for_by_the_short_one() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let mut places = Places::default();
        assert_eq!(places.plan(&name(1, ANN), start), Plan::Short);
        places.take_short(start, true, [(pointer(7), ANN.parse().ok()), (pointer(8), ANN.parse().ok())]);
        places.take_long(listing(start, &[(name(2, BOB), 9)]));
        assert_eq!(places.plan(&name(1, ANN), later), Plan::Short, "both lists are older than it is");
        places.take_short(later, true, [(pointer(7), ANN.parse().ok()), (pointer(8), ANN.parse().ok())]);
        assert_eq!(places.plan(&name(1, ANN), later), Plan::Look(vec![pointer(7), pointer(8)]));
        assert_eq!(
            places.plan(&name(2, BOB), start),
            Plan::Look(vec![pointer(9)]),
            "its place is known still"
        );
    }

    #[test]
    fn nothing_is_gone_because_of_an_address() {
        let start = Instant::now();
        let mut places = Places::default();
        places.take_short(start, true, [(pointer(7), ANN.parse().ok())]);
        assert_eq!(places.plan(&name(1, BOB), start), Plan::Long(Haste::Calm), "its client is not listed");
        places.miss(name(1, ANN));
        assert_eq!(
            places.plan(&name(1, ANN), start),
            Plan::Long(Haste::Calm),
            "another one of its client is"
        );
        places.take_long(listing(start, &[(name(1, ANN), 7)]));
        for (what, stream, expected) in [
            ("where the list has it", name(1, ANN), Plan::Look(vec![pointer(7)])),
            ("its number, of another client", name(1, BOB), Plan::Other),
            ("no such number", name(2, ANN), Plan::Gone),
        ] {
            assert_eq!(places.plan(&stream, start), expected, "{what}");
        }
    }

    #[test]
    fn a_stream_that_is_not_where_the_list_with_numbers_had_it_is_gone() {
        let start = Instant::now();
        let mut places = Places::default();
        places.take_long(listing(start, &[(name(1, ANN), 7)]));
        places.miss(name(1, ANN));
        assert_eq!(places.plan(&name(1, ANN), start), Plan::Gone);
    }

    #[test]
    fn a_list_that_may_be_cut_off_says_where_streams_are_and_of_none_that_it_is_gone() {
        let start = Instant::now();
        let mut places = Places::default();
        places.take_short(start, true, [(pointer(7), ANN.parse().ok())]);
        places.take_long(Listing { is_whole: false, ..listing(start, &[(name(2, BOB), 9)]) });
        assert_eq!(places.plan(&name(1, BOB), start), Plan::Long(Haste::Calm), "its client is not listed");
        places.take_short(start, false, [(pointer(7), ANN.parse().ok())]);
        for (what, stream, expected) in [
            ("where the list has it", name(2, BOB), Plan::Look(vec![pointer(9)])),
            ("where its client is", name(1, ANN), Plan::Look(vec![pointer(7)])),
            ("its client may be in the rest of the list", name(1, BOB), Plan::Short),
            ("its number, of another client", name(2, ANN), Plan::Other),
        ] {
            assert_eq!(places.plan(&stream, start), expected, "{what}");
        }
        places.miss(name(1, ANN));
        assert_eq!(
            places.plan(&name(1, ANN), start),
            Plan::Short,
            "another one of its client is where it was looked for"
        );
    }

    #[test]
    fn among_very_many_of_one_client_the_list_with_numbers_finds_it() {
        let start = Instant::now();
        for (count, is_crowd) in [(MAX_CANDIDATES, false), (MAX_CANDIDATES + 1, true)] {
            let mut places = Places::default();
            places.take_short(start, true, (0..count).map(|at| (pointer(at as u64), None)));
            let plan = places.plan(&name(1, "unix:1"), start);
            assert_eq!(plan == Plan::Long(Haste::Now), is_crowd, "{count}");
        }
    }
}
