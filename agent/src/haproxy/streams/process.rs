//! One process of HAProxy, over a connection that is kept: whether it is still there, which of its streams are open, and the end of
//! some of them.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use tokio::time::sleep;

use super::End;
use super::info::{Info, State};
use super::list::{self, Listed, Pointer};
use crate::haproxy::runtime::{Level, Runtime as Api, RuntimeError};
use crate::request::Stream;

/// The most streams that are looked at one by one where that is not needed: a list of all is then cheaper.
const MAX_CANDIDATES: usize = 256;
/// HAProxy closes a connection on which nothing was asked for 10 seconds (`stats timeout`). One that ends sooner was ended by the
/// end of its process.
const SILENCE: Duration = Duration::from_secs(5);
/// When it is looked whether streams have ended of which HAProxy says so.
const SETTLING: [Duration; 3] =
    [Duration::from_millis(5), Duration::from_millis(45), Duration::from_millis(250)];

/// HAProxy's answers about a stream that is not there.
const ABSENT: [&str; 2] = ["Session not found", "No such session"];

/// Why no streams of a process can be ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The socket does not answer as HAProxy's.
    #[error("{}{}", .0, .0.cure())]
    Runtime(#[from] RuntimeError),
    /// The socket is for less.
    #[error("the stats socket does not allow to end streams: it needs `level admin` in haproxy.cfg")]
    Denied,
    /// `show info` has no process.
    #[error("it does not tell its process")]
    NoProcess,
    /// An answer that we do not know.
    #[error("HAProxy's answer to `{command}` is none that is known: {answer}")]
    Unknown {
        /// What was asked.
        command: String,
        /// The beginning of what it said.
        answer: String,
    },
}

/// Which process it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity {
    /// Its id.
    pub id: u32,
    /// The place of its socket among all.
    pub socket: usize,
    /// What it said last.
    pub state: State,
    /// It began at this moment or up to two seconds later.
    began: Option<Instant>,
}

impl Identity {
    /// Whether a stream is one of this process, and not of an earlier one with the same id.
    pub(super) fn has(&self, stream: &Stream) -> bool {
        stream.process == self.id && self.began.is_none_or(|began| stream.since >= began)
    }
}

/// A process that can be told to end streams.
#[derive(Debug)]
pub(super) struct Process {
    /// Which it is.
    pub who: Identity,
    heard: Instant,
    api: Api,
    /// Where the streams are that the last look at all of them was for.
    places: HashMap<Name, Place>,
    /// Whether it was logged that a stream has another client than its message said.
    has_warned: bool,
}

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

/// Where a stream is.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// In the list, which HAProxy goes through from its beginning for each command.
    order: usize,
    pointer: Pointer,
}

/// What a look at all streams found.
#[derive(Debug, Default)]
struct Found {
    places: HashMap<Name, Place>,
    /// Numbers that were looked for, and are there with another client.
    others: HashSet<u64>,
}

/// What became of streams that are being ended.
#[derive(Debug, Default)]
struct Ending {
    ends: HashMap<Name, End>,
    /// HAProxy was told to end these.
    told: Vec<(Pointer, Name)>,
}

impl Process {
    /// Connects to the process that a socket leads to now.
    pub(super) async fn connect(path: &Path, socket: usize) -> Result<Self, Fault> {
        let mut api = Api::open(path).await?;
        if api.level != Level::Admin {
            return Err(Fault::Denied);
        }
        let info = api.ask("show info\n").await?;
        let Info { process: id, state, age } =
            Info::read(&info, SystemTime::now()).ok_or(Fault::NoProcess)?;
        let heard = Instant::now();
        let began = age.and_then(|age| heard.checked_sub(age));
        let who = Identity { id, socket, state, began };
        Ok(Self { who, heard, api, places: HashMap::new(), has_warned: false })
    }

    /// Whether what failed means that the process has ended, with all its streams.
    pub(super) fn has_ended(&self, fault: &Fault) -> bool {
        match fault {
            Fault::Runtime(error) => error.is_end() && self.heard.elapsed() < SILENCE,
            Fault::Denied | Fault::NoProcess | Fault::Unknown { .. } => false,
        }
    }

    /// Asks how it is, which keeps the connection open.
    pub(super) async fn ask(mut self) -> (Self, Result<(), Fault>) {
        let asked = match self.api.ask("show info\n").await {
            Ok(info) => Info::read(&info, SystemTime::now()).ok_or(Fault::NoProcess),
            Err(error) => Err(error.into()),
        };
        let asked = asked.map(|info| {
            self.heard = Instant::now();
            self.who.state = info.state;
        });
        (self, asked)
    }

    /// Looks at all streams: whether each of these is open. Nothing is said of one whose number has another client.
    pub(super) async fn look(mut self, streams: &[Stream]) -> (Self, Result<HashMap<Name, bool>, Fault>) {
        let names: HashSet<Name> = streams.iter().map(Name::from).collect();
        let looked = self.find(&names).await.map(|Found { places, others }| {
            self.places = places;
            let known = names.iter().filter(|name| !others.contains(&name.number));
            known.map(|name| (*name, self.places.contains_key(name))).collect()
        });
        (self, looked)
    }

    /// Ends these streams, and says what became of each. Nothing is said of one whose number has another client, nor of those
    /// that it did not come to.
    pub(super) async fn end(mut self, streams: &[Stream]) -> (Self, HashMap<Name, End>, Result<(), Fault>) {
        let mut ending = Ending::default();
        let ended = self.end_all(streams, &mut ending).await;
        (self, ending.ends, ended)
    }

    /// Those that were seen at the last look are ended where they were; for younger ones there is first the list of those with the
    /// same client, which is short, then the long one, which has all numbers.
    async fn end_all(&mut self, streams: &[Stream], ending: &mut Ending) -> Result<(), Fault> {
        let mut names: HashSet<Name> = streams.iter().map(Name::from).collect();
        let places = names.iter().filter_map(|name| Some((*name, *self.places.get(name)?))).collect();
        self.end_at(places, ending).await?;
        names.retain(|name| !ending.ends.contains_key(name));
        if !names.is_empty() {
            for pointer in self.of_clients(&names).await? {
                if let Some(name) = self.name(pointer).await?.filter(|name| names.remove(name)) {
                    self.shut(pointer, name, ending).await?;
                }
            }
        }
        if !names.is_empty() {
            let Found { places, others } = self.find(&names).await?;
            self.end_at(places.into_iter().collect(), ending).await?;
            names.retain(|name| !others.contains(&name.number));
            for name in names {
                ending.ends.entry(name).or_insert(End::Gone);
            }
        }
        self.settle(ending).await
    }

    /// Ends each of these where it is. One that is there no more is gone: a stream keeps its place.
    async fn end_at(&mut self, mut places: Vec<(Name, Place)>, ending: &mut Ending) -> Result<(), Fault> {
        places.sort_unstable_by_key(|(_, place)| place.order);
        for (name, Place { pointer, .. }) in places {
            if self.name(pointer).await? == Some(name) {
                self.shut(pointer, name, ending).await?;
            } else {
                ending.ends.insert(name, End::Gone);
            }
        }
        Ok(())
    }

    /// Has HAProxy end what is at this place, where this name has just been seen.
    async fn shut(&mut self, pointer: Pointer, name: Name, ending: &mut Ending) -> Result<(), Fault> {
        let command = format!("shutdown session {pointer}");
        let answer = self.command(&command).await?;
        let end = if is_absent(&answer) {
            End::Gone
        } else if answer.trim_matches(['>', ' ', '\n']).is_empty() {
            ending.told.push((pointer, name));
            End::Ended
        } else {
            return Err(unknown(command, &answer));
        };
        ending.ends.insert(name, end);
        Ok(())
    }

    /// Waits a moment for streams that HAProxy was told to end, and says which it still has.
    async fn settle(&mut self, ending: &mut Ending) -> Result<(), Fault> {
        for pause in SETTLING {
            if ending.told.is_empty() {
                return Ok(());
            }
            sleep(pause).await;
            let told = mem::take(&mut ending.told);
            if told.len() > MAX_CANDIDATES {
                let there = self.find(&told.iter().map(|(_, name)| *name).collect()).await?.places;
                ending.told = told.into_iter().filter(|(_, name)| there.contains_key(name)).collect();
                continue;
            }
            for (pointer, name) in told {
                if self.name(pointer).await? == Some(name) {
                    ending.told.push((pointer, name));
                }
            }
        }
        ending.ends.extend(ending.told.iter().map(|(_, name)| (*name, End::Remains)));
        Ok(())
    }

    /// The stream that is at this place now.
    async fn name(&mut self, pointer: Pointer) -> Result<Option<Name>, Fault> {
        let command = format!("show sess {pointer}");
        let answer = self.command(&command).await?;
        match answer.lines().find_map(list::long) {
            Some(listed) if listed.pointer == pointer => Ok(Some(listed.into())),
            None if is_absent(&answer) => Ok(None),
            Some(_) | None => Err(unknown(command, &answer)),
        }
    }

    /// Where streams of the same clients are; none if they are too many to look at each.
    async fn of_clients(&mut self, names: &HashSet<Name>) -> Result<Vec<Pointer>, Fault> {
        let clients: HashSet<_> = names.iter().map(|name| name.client).collect();
        let mut found = Vec::new();
        let each = |line: &str| {
            if let Some((pointer, client)) = list::short(line)
                && clients.contains(&client)
                && found.len() <= MAX_CANDIDATES
            {
                found.push(pointer);
            }
        };
        self.api.read("show sess\n", each).await?;
        self.heard = Instant::now();
        Ok(if found.len() > MAX_CANDIDATES { Vec::new() } else { found })
    }

    /// Where these streams are, by a list of all.
    async fn find(&mut self, names: &HashSet<Name>) -> Result<Found, Fault> {
        let numbers: HashSet<u64> = names.iter().map(|name| name.number).collect();
        let mut found = Found::default();
        let mut order = 0_usize;
        let each = |line: &str| {
            if let Some(listed) = list::long(line) {
                order = order.saturating_add(1);
                let name = Name::from(listed);
                if names.contains(&name) {
                    found.places.insert(name, Place { order, pointer: listed.pointer });
                } else if numbers.contains(&name.number) {
                    found.others.insert(name.number);
                }
            }
        };
        let command = "show sess all";
        self.api.read(&format!("{command}\n"), each).await?;
        self.heard = Instant::now();
        if order == 0 {
            // Not even our own connection, which is a stream as well.
            return Err(unknown(command.to_owned(), "no stream is told"));
        }
        if !found.others.is_empty() && !mem::replace(&mut self.has_warned, true) {
            tracing::warn!(
                process = self.who.id,
                "an open stream has another client than its message said, and is not ended: the message `stream` needs src=fc_src \
                 src_port=fc_src_port, or another HAProxy has the same process id"
            );
        }
        Ok(found)
    }

    async fn command(&mut self, command: &str) -> Result<String, Fault> {
        let answer = self.api.ask(&format!("{command}\n")).await?;
        self.heard = Instant::now();
        Ok(answer)
    }
}

fn is_absent(answer: &str) -> bool {
    ABSENT.iter().any(|text| answer.contains(text))
}

fn unknown(command: String, answer: &str) -> Fault {
    let line = answer.lines().map(|line| line.trim_start_matches(['>', ' '])).find(|line| !line.is_empty());
    Fault::Unknown { command, answer: line.unwrap_or_default().chars().take(100).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_answer_is_told_by_its_first_line() {
        let fault = unknown("show sess 0x1".to_owned(), "\n> Permission denied\n\n");
        assert_eq!(
            fault.to_string(),
            "HAProxy's answer to `show sess 0x1` is none that is known: Permission denied"
        );
    }
}
