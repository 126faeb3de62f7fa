//! The end of some streams of one process of HAProxy, over a connection that is kept.

use std::collections::HashMap;
use std::mem;
use std::time::Instant;

use tokio::time::sleep;

use super::connection::{Connection, Fault, is_absent};
use super::info::State;
use super::list::{self, Pointer};
use super::places::{Haste, Listing, Name, Places, Plan};
use super::turn::{DISTURBED, Others, is_alone, some_time};
use crate::request::Stream;

/// How often it is looked for a stream that is not shown, where others ask HAProxy for streams meanwhile.
const TRIES: usize = 3;

/// A process that can be told to end streams.
#[derive(Debug)]
pub(super) struct Process {
    id: u32,
    connection: Connection,
    places: Places,
    /// What others had asked when that was looked at last.
    others: Option<Others>,
    /// Whether it was logged that a stream has another client than its message said.
    has_warned: bool,
}

/// What is seen of a stream that is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    /// HAProxy has taken the command to end it.
    Ended,
    /// It is there no more.
    Gone,
    /// Its number is there with another client.
    Other,
    /// It is not known yet: it is to be asked for again.
    Later,
}

/// What is seen of streams that are to end.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// Of each that it came to.
    pub met: HashMap<Name, Met>,
    /// The list with numbers is needed for some.
    pub list: Option<Haste>,
}

impl Process {
    /// Over a connection to the process of this id.
    pub(super) fn new(id: u32, connection: Connection) -> Self {
        Self { id, connection, places: Places::default(), others: None, has_warned: false }
    }

    /// Whether what failed means that the process has ended, with all its streams.
    pub(super) fn has_ended(&self, fault: &Fault) -> bool {
        self.connection.has_ended(fault)
    }

    /// Asks how it is, which keeps the connection open.
    pub(super) async fn ask(mut self) -> (Self, Result<State, Fault>) {
        let asked = self.connection.info().await.map(|info| info.state);
        (self, asked)
    }

    /// Takes a list of all its streams.
    pub(super) fn learn(&mut self, listing: Listing) {
        self.places.take_long(listing);
    }

    /// Ends these streams. What is seen of each; nothing of those that it did not come to.
    pub(super) async fn end(mut self, streams: &[Stream]) -> (Self, Ends, Result<(), Fault>) {
        let mut ends = Ends::default();
        let ended = self.end_all(streams, &mut ends).await;
        (self, ends, ended)
    }

    /// Each where a list has shown it. Streams that are younger than any list are looked for by the short one, all together.
    ///
    /// It is not looked whether HAProxy still has one that it was told to end, as hardly any remains: to search for one that is not there
    /// holds up each thread of HAProxy for 0.2 us for each stream that is (1 ms with 5,000). The next list of all tells it.
    async fn end_all(&mut self, streams: &[Stream], ends: &mut Ends) -> Result<(), Fault> {
        let mut left: HashMap<Name, Instant> =
            streams.iter().map(|stream| (Name::from(stream), stream.since)).collect();
        let mut tries = TRIES;
        while !left.is_empty() {
            let (mut unlisted, mut unseen) = (HashMap::new(), HashMap::new());
            for (name, since) in left {
                match self.places.plan(&name, since) {
                    Plan::Look(places) => {
                        if self.shut(name, &places).await? {
                            ends.met.insert(name, Met::Ended);
                        } else {
                            unseen.insert(name, since);
                        }
                    }
                    Plan::Short => {
                        unlisted.insert(name, since);
                    }
                    Plan::Long(haste) => {
                        ends.list = ends.list.max(Some(haste));
                        ends.met.insert(name, Met::Later);
                    }
                    Plan::Gone => {
                        ends.met.insert(name, Met::Gone);
                    }
                    Plan::Other => {
                        self.warn();
                        ends.met.insert(name, Met::Other);
                    }
                }
            }
            let mut is_sure = true;
            if !unseen.is_empty() {
                is_sure = self.is_sure().await?;
                if is_sure {
                    unseen.keys().for_each(|name| self.places.miss(*name));
                }
            }
            if !unlisted.is_empty() {
                is_sure &= self.list().await?;
            }
            left = unseen;
            left.extend(unlisted);
            if !is_sure {
                tries = tries.saturating_sub(1);
                sleep(some_time(DISTURBED)).await;
            }
            if tries == 0 {
                ends.met.extend(left.drain().map(|(name, _)| (name, Met::Later)));
            }
        }
        Ok(())
    }

    /// Whether what was not shown since the last time is not there.
    async fn is_sure(&mut self) -> Result<bool, Fault> {
        let before = mem::replace(&mut self.others, self.connection.others().await?);
        Ok(is_alone(before, self.others))
    }

    /// Has HAProxy end the stream at one of these places, right after its name was seen there. Whether it was at one.
    async fn shut(&mut self, name: Name, places: &[Pointer]) -> Result<bool, Fault> {
        for place in places {
            if self.name(*place).await? != Some(name) {
                continue;
            }
            let command = format!("shutdown session {place}");
            let answer = self.connection.command(&command).await?;
            return if answer.trim_matches(['>', ' ', '\n']).is_empty() {
                Ok(true)
            } else if is_absent(&answer) {
                Ok(false)
            } else {
                Err(Fault::unknown(&command, &answer))
            };
        }
        Ok(false)
    }

    /// The stream that is at this place now.
    async fn name(&mut self, place: Pointer) -> Result<Option<Name>, Fault> {
        Ok(self.connection.stream(place).await?.map(Name::from))
    }

    /// Learns which clients' streams are where. Whether it is sure that these are all.
    async fn list(&mut self) -> Result<bool, Fault> {
        self.others = self.connection.others().await?;
        let began = Instant::now();
        let mut streams = Vec::new();
        self.connection.list(|line| streams.extend(list::short(line))).await?;
        let is_whole = self.is_sure().await?;
        self.places.take_short(began, is_whole, streams);
        Ok(is_whole)
    }

    fn warn(&mut self) {
        if !self.has_warned {
            tracing::warn!(
                process = self.id,
                "an open stream has another client than its message said, and is not ended: the message `stream` needs src=fc_src \
                 src_port=fc_src_port, or another HAProxy has the same process id"
            );
        }
        self.has_warned = true;
    }
}
