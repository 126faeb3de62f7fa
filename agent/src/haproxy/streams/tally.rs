//! What is said of streams that more than one process may have: containers give several HAProxys one process id. A stream is gone
//! when all of them say so.

use std::collections::HashMap;
use std::time::Instant;

use super::End;
use super::places::{Listing, Name, Shown};
use super::process::{Ends, Met};
use crate::request::Stream;

/// What a process says of a stream, the more certain first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Said {
    /// It has none of this number.
    Absent,
    /// It has the number, with another client, or the stream itself.
    Other,
    /// It has not answered.
    Nothing,
}

/// The streams about which processes are asked.
#[derive(Debug, Default)]
pub(super) struct Tallies(HashMap<Stream, Tally>);

#[derive(Debug)]
struct Tally {
    left: usize,
    said: Said,
}

impl Tallies {
    /// One more process is asked about a stream.
    pub(super) fn ask(&mut self, stream: Stream) {
        let tally = self.0.entry(stream).or_insert(Tally { left: 0, said: Said::Absent });
        tally.left = tally.left.saturating_add(1);
    }

    /// One of them has said this. What all have said together, the least certain of it, when it was the last.
    fn hear(&mut self, stream: &Stream, said: Said) -> Option<Said> {
        let tally = self.0.get_mut(stream)?;
        tally.left = tally.left.saturating_sub(1);
        tally.said = tally.said.max(said);
        if tally.left > 0 { None } else { self.0.remove(stream).map(|tally| tally.said) }
    }

    /// One of them has come to these ends. What has become of each stream of which that can be told now.
    pub(super) fn hear_ends(&mut self, its: Vec<Stream>, ends: &Ends) -> Vec<(Stream, End)> {
        let mut heard = Vec::new();
        for stream in its {
            let said = match ends.met.get(&Name::from(&stream)) {
                Some(Met::Ended) => Err(End::Ended),
                Some(Met::Gone) => Ok(Said::Absent),
                Some(Met::Other) => Ok(Said::Other),
                Some(Met::Later) | None => Ok(Said::Nothing),
            };
            let end = match said {
                Err(end) => {
                    self.forget(&stream);
                    Some(end)
                }
                Ok(said) => match self.hear(&stream, said) {
                    Some(Said::Absent) => Some(End::Gone),
                    Some(Said::Other) => Some(End::Unreachable),
                    Some(Said::Nothing) | None => None,
                },
            };
            heard.extend(end.map(|end| (stream, end)));
        }
        heard
    }

    /// One of them has given this list, or none. Those of its streams that are gone, and those that it has, with when it
    /// began.
    pub(super) fn hear_list(
        &mut self,
        its: Vec<Stream>,
        listing: Option<&Listing>,
    ) -> (Vec<Stream>, Vec<(Stream, Instant)>) {
        let (mut gone, mut open) = (Vec::new(), Vec::new());
        for stream in its {
            let said = match listing.map(|listing| (listing.shown(&Name::from(&stream)), listing.began)) {
                Some((Shown::Absent, _)) => Said::Absent,
                Some((Shown::Open, began)) => {
                    open.push((stream, began));
                    Said::Other
                }
                Some((Shown::Other, _)) => Said::Other,
                Some((Shown::Unknown, _)) | None => Said::Nothing,
            };
            if self.hear(&stream, said) == Some(Said::Absent) {
                gone.push(stream);
            }
        }
        (gone, open)
    }

    /// One of them has ended the stream: what the others say counts no more.
    fn forget(&mut self, stream: &Stream) {
        self.0.remove(stream);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_gone_when_all_say_so_and_the_least_certain_word_counts() {
        use Said::{Absent, Nothing, Other};
        let stream = Stream { process: 8, number: 1, client: None, since: Instant::now() };
        for (said, expected) in [
            (&[Absent][..], Absent),
            (&[Absent, Absent], Absent),
            (&[Other, Absent], Other),
            (&[Absent, Other, Absent], Other),
            (&[Nothing, Absent], Nothing),
            (&[Other, Nothing], Nothing),
        ] {
            let mut tallies = Tallies::default();
            said.iter().for_each(|_| tallies.ask(stream));
            let mut heard: Vec<_> = said.iter().map(|said| tallies.hear(&stream, *said)).collect();
            assert_eq!(heard.pop(), Some(Some(expected)), "{said:?}");
            assert!(heard.iter().all(Option::is_none), "{said:?}");
            assert!(tallies.0.is_empty(), "{said:?}");
        }
    }

    #[test]
    fn what_is_said_of_a_stream_that_has_ended_counts_no_more() {
        let stream = Stream { process: 8, number: 1, client: None, since: Instant::now() };
        let mut tallies = Tallies::default();
        tallies.ask(stream);
        tallies.ask(stream);
        tallies.forget(&stream);
        assert_eq!(tallies.hear(&stream, Said::Absent), None);
    }
}
