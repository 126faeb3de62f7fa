//! HAProxy's open streams, over its runtime API: which are still open, and the end of exactly those that are named.
//!
//! A stream is named by the process that has it and by its number there. HAProxy ends what is at a place in its memory
//! ([`list`]), so the number at that place is compared right before ([`process`]). Where streams are is known from lists
//! ([`places`]), and that one is not there from lists that are whole ([`turn`]).
//!
//! After a reload the former process goes on with its streams, and no socket leads to it any more: the connections to it are kept
//! until its last client has gone.
//!
//! Each process is told of ends over one connection and asked for long lists over another one ([`lister`]), each by a task of its own,
//! one thing at a time ([`followed`]): a process that hangs holds up no other, and a list no end.

mod connection;
mod followed;
mod info;
mod list;
mod lister;
mod places;
mod process;
mod tally;
mod turn;

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::task::{Id, JoinSet};

use crate::request::Stream;
use connection::Fault;
use followed::{Followed, share_out};
use info::State;
use lister::Lister;
use places::{Haste, Listing};
use process::{Ends, Process};
use tally::Tallies;

/// For how long it is known that no socket leads to a process, after all were tried.
const TRIED: Duration = Duration::from_secs(1);
/// Processes that have ended and are remembered.
const MAX_ENDED: usize = 64;
/// Where a list only tells what is gone, the next one comes after so many times as long as the last one took.
const REST: u32 = 10;

/// What became of a stream that was to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// HAProxy has taken the command to end it. A later list still has it where its client has closed its half of the connection, or
    /// takes no more of what is on its way.
    Ended,
    /// It had ended before: its process lists it no more, or has ended itself.
    Gone,
    /// No socket leads to its process.
    Unreachable,
}

/// What came of something that was asked.
#[derive(Debug, Default)]
pub struct Heard {
    /// Streams that were to end, and what became of them.
    pub ended: Vec<(Stream, End)>,
    /// Streams that were looked for, and are there no more.
    pub closed: Vec<Stream>,
    /// Streams that were looked for, and are there, by a list that began then.
    pub open: Vec<(Stream, Instant)>,
}

/// The runtime API of all processes that have streams.
#[derive(Debug)]
pub struct Runtime {
    sockets: Vec<Socket>,
    followed: Vec<Followed>,
    /// How many have been followed.
    count: u64,
    asking: JoinSet<Answer>,
    /// Whom each task asks.
    asked: HashMap<Id, Asked>,
    ends: Tallies,
    looks: Tallies,
    /// What needs not be asked.
    known: Heard,
    /// When all sockets were tried that lead to no process we know.
    tried: Option<Instant>,
    /// The last processes that have ended, and until when they may have been there.
    ended: VecDeque<(u32, Instant)>,
}

#[derive(Debug)]
struct Socket {
    path: PathBuf,
    /// Why it cannot be used, as it was told last.
    shown: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum Asked {
    Process(u64),
    /// Which process it leads to.
    Socket(usize),
}

#[derive(Debug)]
enum Answer {
    Connected(usize, Result<Followed, Fault>),
    Kept(u64, Process, Result<State, Fault>),
    Held(u64, Lister, Result<(), Fault>),
    Ended(u64, Process, Vec<Stream>, Ends, Result<(), Fault>),
    Listed(u64, Lister, Vec<Stream>, Instant, Result<Listing, Fault>),
}

impl Runtime {
    /// Nothing is opened yet. Each socket is a stats socket of level admin; several may be of one HAProxy.
    pub fn new(sockets: Vec<PathBuf>) -> Self {
        Self {
            sockets: sockets.into_iter().map(|path| Socket { path, shown: None }).collect(),
            followed: Vec::new(),
            count: 0,
            asking: JoinSet::new(),
            asked: HashMap::new(),
            ends: Tallies::default(),
            looks: Tallies::default(),
            known: Heard::default(),
            tried: None,
            ended: VecDeque::new(),
        }
    }

    /// Has HAProxy end these streams and no others. Those of which it cannot be told yet, as their process is asked something
    /// already or is yet to be found, get no answer: they are to be named again, at the latest when [`answer`](Self::answer) has
    /// told something.
    pub fn end(&mut self, streams: &[Stream]) {
        let (shares, strays) = share_out(&self.followed, streams, |followed| followed.process.is_some());
        for (key, its) in shares {
            let Some(process) = self.find(key).and_then(|followed| followed.process.take()) else { continue };
            its.iter().for_each(|stream| self.ends.ask(*stream));
            self.ask(key, async move {
                let (process, ends, result) = process.end(&its).await;
                Answer::Ended(key, process, its, ends, result)
            });
        }
        let is_missing = (0..self.sockets.len()).any(|socket| !self.is_used(socket));
        let tried = self.tried.filter(|tried| !self.is_connecting() && tried.elapsed() < TRIED);
        // What was tried before a stream was told of says nothing of its process.
        let is_certain = |stream: &Stream| !is_missing || tried.is_some_and(|tried| stream.since <= tried);
        let mut is_sought = false;
        for stream in strays {
            match (self.is_gone(&stream), is_certain(&stream)) {
                (true, _) => self.known.ended.push((stream, End::Gone)),
                (false, true) => self.known.ended.push((stream, End::Unreachable)),
                (false, false) => is_sought = true,
            }
        }
        if is_sought {
            self.connect();
        }
    }

    /// Looks which of these are still open, as far as no list of their process is under way.
    ///
    /// HAProxy lists all of its streams for it, at 20 to 40 us of its time for each.
    pub fn look(&mut self, streams: &[Stream]) {
        let (shares, strays) = share_out(&self.followed, streams, |followed| followed.lister.is_some());
        for (key, its) in shares {
            self.list(key, its);
        }
        let gone: Vec<_> = strays.into_iter().filter(|stream| self.is_gone(stream)).collect();
        self.known.closed.extend(gone);
    }

    /// Keeps the connections to each process that lives, so that it can be reached after a reload. To be called each second.
    pub fn keep(&mut self) {
        let keys: Vec<u64> = self.followed.iter().map(|followed| followed.key).collect();
        for key in keys {
            let Some(followed) = self.find(key) else { continue };
            let (process, lister) = (followed.process.take(), followed.lister.take());
            if let Some(process) = process {
                self.ask(key, async move {
                    let (process, asked) = process.ask().await;
                    Answer::Kept(key, process, asked)
                });
            }
            if let Some(lister) = lister {
                self.ask(key, async move {
                    let (lister, asked) = lister.ask().await;
                    Answer::Held(key, lister, asked)
                });
            }
        }
        self.connect();
    }

    /// Whether there is something for [`answer`](Self::answer) to tell, now or later.
    pub fn is_waiting(&self) -> bool {
        !self.asking.is_empty() || !self.known.is_empty()
    }

    /// What came of something that was asked; nothing at once where nothing is asked. May be broken off at any time.
    pub async fn answer(&mut self) -> Heard {
        if !self.known.is_empty() {
            return mem::take(&mut self.known);
        }
        match self.asking.join_next_with_id().await {
            None => Heard::default(),
            Some(Ok((task, answer))) => {
                self.asked.remove(&task);
                self.take(answer)
            }
            Some(Err(error)) => {
                tracing::error!(%error, "a task that asks HAProxy about open streams has failed; its connection is closed");
                if let Some(Asked::Process(key)) = self.asked.remove(&error.id()) {
                    self.followed.retain(|followed| followed.key != key);
                }
                // What it was asked for, and all that is under way, is to be asked anew.
                (self.ends, self.looks) = Default::default();
                Heard::default()
            }
        }
    }

    fn take(&mut self, answer: Answer) -> Heard {
        let mut heard = Heard::default();
        match answer {
            Answer::Connected(socket, connected) => self.connected(socket, connected),
            Answer::Kept(key, process, Ok(state)) => {
                if let Some(followed) = self.find(key) {
                    followed.state = state;
                }
                self.give_back(key, process);
            }
            Answer::Kept(key, process, Err(fault)) => self.lose(key, &fault, process.has_ended(&fault)),
            Answer::Held(key, lister, Ok(())) => {
                if let Some(followed) = self.find(key) {
                    followed.lister = Some(lister);
                }
            }
            Answer::Held(key, lister, Err(fault)) => self.lose(key, &fault, lister.has_ended(&fault)),
            Answer::Ended(key, process, its, ends, result) => {
                heard.ended = self.ends.hear_ends(its, &ends);
                match result {
                    Ok(()) => self.give_back(key, process),
                    Err(fault) => self.lose(key, &fault, process.has_ended(&fault)),
                }
                if let Some(haste) = ends.list {
                    self.seek(key, haste);
                }
            }
            Answer::Listed(key, lister, its, began, listed) => {
                (heard.closed, heard.open) = self.looks.hear_list(its, listed.as_ref().ok());
                match listed {
                    Ok(listing) => {
                        if let Some(followed) = self.find(key) {
                            followed.rest = Instant::now().checked_add(began.elapsed().saturating_mul(REST));
                            followed.lister = Some(lister);
                            followed.learn(listing);
                        }
                    }
                    Err(fault) => self.lose(key, &fault, lister.has_ended(&fault)),
                }
            }
        }
        heard
    }

    fn ask(&mut self, key: u64, asking: impl Future<Output = Answer> + Send + 'static) {
        let task = self.asking.spawn(asking).id();
        self.asked.insert(task, Asked::Process(key));
    }

    /// Asks for a list that shows streams which have to end.
    fn seek(&mut self, key: u64, haste: Haste) {
        let is_time = match haste {
            Haste::Now => true,
            Haste::Calm => self.find(key).is_some_and(|followed| followed.is_rested(Instant::now())),
        };
        if is_time {
            self.list(key, Vec::new());
        }
    }

    /// Asks for the list with numbers, to see which of these are open.
    fn list(&mut self, key: u64, its: Vec<Stream>) {
        let Some(lister) = self.find(key).and_then(|followed| followed.lister.take()) else { return };
        its.iter().for_each(|stream| self.looks.ask(*stream));
        let began = Instant::now();
        self.ask(key, async move {
            let (lister, listed) = lister.list().await;
            Answer::Listed(key, lister, its, began, listed)
        });
    }

    /// Connects where no connection leads to a process that serves.
    fn connect(&mut self) {
        for (socket, Socket { path, .. }) in self.sockets.iter().enumerate() {
            if self.is_used(socket) || self.is_tried(socket) {
                continue;
            }
            let path = path.clone();
            self.count = self.count.saturating_add(1);
            let key = self.count;
            let task = self
                .asking
                .spawn(async move { Answer::Connected(socket, Followed::connect(&path, socket, key).await) });
            self.asked.insert(task.id(), Asked::Socket(socket));
        }
    }

    fn connected(&mut self, socket: usize, connected: Result<Followed, Fault>) {
        if !self.is_connecting() {
            self.tried = Some(Instant::now());
        }
        let Some(Socket { path, shown }) = self.sockets.get_mut(socket) else { return };
        match connected {
            Ok(followed) => {
                *shown = None;
                tracing::info!(socket = %path.display(), process = followed.id, "open streams of HAProxy can be ended");
                self.followed.push(followed);
            }
            Err(fault) => {
                let why = fault.to_string();
                if shown.as_ref() != Some(&why) {
                    tracing::warn!(socket = %path.display(), why, "open streams of HAProxy cannot be ended");
                    *shown = Some(why);
                }
            }
        }
    }

    /// A process that was asked something is followed on, unless it has left.
    fn give_back(&mut self, key: u64, process: Process) {
        match self.find(key) {
            Some(followed) if followed.state == State::HasLeft => self.forget(key),
            Some(followed) => followed.give_back(process),
            // Its other connection has failed.
            None => {}
        }
    }

    /// A connection to a process has failed: it is of no more use, nor is the other one.
    fn lose(&mut self, key: u64, fault: &Fault, has_ended: bool) {
        let Some(id) = self.find(key).map(|followed| followed.id) else { return };
        if has_ended {
            tracing::info!(process = id, "HAProxy's process has ended, and its open streams with it");
            self.forget(key);
        } else {
            let why = fault.to_string();
            self.followed.retain(|followed| followed.key != key);
            tracing::warn!(
                process = id,
                why,
                "the connection to HAProxy's process is lost; its open streams cannot be ended until there is another"
            );
        }
    }

    /// A process has ended.
    fn forget(&mut self, key: u64) {
        for followed in self.followed.extract_if(.., |followed| followed.key == key) {
            if self.ended.len() >= MAX_ENDED {
                self.ended.pop_front();
            }
            self.ended.push_back((followed.id, Instant::now()));
        }
    }

    fn find(&mut self, key: u64) -> Option<&mut Followed> {
        self.followed.iter_mut().find(|followed| followed.key == key)
    }

    /// Whether the process of a stream that none has any more was seen to end, or another one has its id now. Of several HAProxys
    /// that may be another one's process.
    fn is_gone(&self, stream: &Stream) -> bool {
        let is_one_of_all =
            self.sockets.len() == 1 || (0..self.sockets.len()).all(|socket| self.is_used(socket));
        let was_seen =
            |(process, until): &(u32, Instant)| *process == stream.process && stream.since <= *until;
        let is_followed = || self.followed.iter().any(|followed| followed.id == stream.process);
        is_one_of_all && (self.ended.iter().any(was_seen) || is_followed())
    }

    /// Whether there is a connection to the process that this socket leads to.
    fn is_used(&self, socket: usize) -> bool {
        self.followed.iter().any(|followed| followed.socket == socket && followed.state == State::Serves)
    }

    fn is_tried(&self, socket: usize) -> bool {
        self.asked.values().any(|asked| matches!(asked, Asked::Socket(tried) if *tried == socket))
    }

    fn is_connecting(&self) -> bool {
        self.asked.values().any(|asked| matches!(asked, Asked::Socket(_)))
    }
}

impl Heard {
    fn is_empty(&self) -> bool {
        self.ended.is_empty() && self.closed.is_empty() && self.open.is_empty()
    }
}
