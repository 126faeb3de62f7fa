//! HAProxy's open streams, over its runtime API: which are still open, and the end of exactly those that are named.
//!
//! A stream is named by the process that has it and by its number there. HAProxy ends what is at a place in its memory
//! ([`list`]), so the number at that place is compared right before ([`process`]).
//!
//! After a reload the former process goes on with its streams, and no socket leads to it any more: the connection to it is kept
//! until its last client has gone.
//!
//! Each process is asked by a task of its own, one thing at a time: one that hangs holds up no other.

mod info;
mod list;
mod process;
mod tally;

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::task::{Id, JoinSet};

use crate::request::Stream;
use info::State;
use process::{Fault, Identity, Name, Process};
use tally::{Said, Tallies};

/// For how long it is known that no socket leads to a process, after all were tried.
const TRIED: Duration = Duration::from_secs(1);
/// Processes that have ended and are remembered.
const MAX_ENDED: usize = 64;

/// What became of a stream that was to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// HAProxy has ended it.
    Ended,
    /// It had ended before: its process lists it no more, or has ended itself.
    Gone,
    /// HAProxy was told to end it, and still has it: its client has closed its half of the connection, or takes no more of what is
    /// on its way.
    Remains,
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
}

/// The runtime API of all processes that have streams.
#[derive(Debug)]
pub struct Runtime {
    sockets: Vec<Socket>,
    /// Those that are asked nothing.
    processes: Vec<Process>,
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
    Process(Identity),
    /// Which process it leads to.
    Socket(usize),
}

#[derive(Debug)]
enum Answer {
    Connected(usize, Result<Process, Fault>),
    Kept(Process, Result<(), Fault>),
    Ended(Process, Vec<Stream>, HashMap<Name, End>, Result<(), Fault>),
    Looked(Process, Vec<Stream>, Result<HashMap<Name, bool>, Fault>),
}

impl Runtime {
    /// Nothing is opened yet. Each socket is a stats socket of level admin; several may be of one HAProxy.
    pub fn new(sockets: Vec<PathBuf>) -> Self {
        Self {
            sockets: sockets.into_iter().map(|path| Socket { path, shown: None }).collect(),
            processes: Vec::new(),
            asking: JoinSet::new(),
            asked: HashMap::new(),
            ends: Tallies::default(),
            looks: Tallies::default(),
            known: Heard::default(),
            tried: None,
            ended: VecDeque::new(),
        }
    }

    /// Has HAProxy end these streams and no others. Those of a process that is asked something already, or that is yet to be
    /// found, get no answer: they are to be named again, at the latest when [`answer`](Self::answer) has told something.
    pub fn end(&mut self, streams: &[Stream]) {
        let (shares, strays) = self.share_out(streams);
        for (process, its) in shares {
            its.iter().for_each(|stream| self.ends.ask(*stream));
            self.ask(process.who, async move {
                let (process, ends, result) = process.end(&its).await;
                Answer::Ended(process, its, ends, result)
            });
        }
        let is_missing = (0..self.sockets.len()).any(|socket| !self.is_used(socket));
        let tried = self.tried.filter(|tried| !self.is_connecting() && tried.elapsed() < TRIED);
        // What was tried before a stream was told of says nothing of its process.
        let is_certain = |stream: &Stream| !is_missing || tried.is_some_and(|tried| stream.since <= tried);
        let mut is_sought = false;
        for stream in strays {
            if self.is_gone(&stream) {
                self.known.ended.push((stream, End::Gone));
            } else if is_certain(&stream) {
                self.known.ended.push((stream, End::Unreachable));
            } else {
                is_sought = true;
            }
        }
        if is_sought {
            self.connect();
        }
    }

    /// Looks which of these are still open, as far as their process is asked nothing else.
    ///
    /// HAProxy lists all of its streams for it, at 15 to 30 us of its time for each.
    pub fn look(&mut self, streams: &[Stream]) {
        let (shares, strays) = self.share_out(streams);
        for (process, its) in shares {
            its.iter().for_each(|stream| self.looks.ask(*stream));
            self.ask(process.who, async move {
                let (process, looked) = process.look(&its).await;
                Answer::Looked(process, its, looked)
            });
        }
        let gone: Vec<_> = strays.into_iter().filter(|stream| self.is_gone(stream)).collect();
        self.known.closed.extend(gone);
    }

    /// Keeps a connection to each process that lives, so that it can be reached after a reload. To be called each second.
    pub fn keep(&mut self) {
        for process in mem::take(&mut self.processes) {
            self.ask(process.who, async move {
                let (process, asked) = process.ask().await;
                Answer::Kept(process, asked)
            });
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
                self.asked.remove(&error.id());
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
            Answer::Kept(process, result) => self.give_back(process, result),
            Answer::Ended(process, its, ends, result) => {
                for stream in its {
                    let said = match ends.get(&Name::from(&stream)) {
                        Some(End::Gone) => Said::Absent,
                        Some(end) => {
                            self.ends.forget(&stream);
                            heard.ended.push((stream, *end));
                            continue;
                        }
                        None if result.is_ok() => Said::Other,
                        None => Said::Nothing,
                    };
                    match self.ends.hear(&stream, said) {
                        Some(Said::Absent) => heard.ended.push((stream, End::Gone)),
                        Some(Said::Other) => heard.ended.push((stream, End::Unreachable)),
                        Some(Said::Nothing) | None => {}
                    }
                }
                self.give_back(process, result);
            }
            Answer::Looked(process, its, looked) => {
                for stream in its {
                    let said = match looked.as_ref().map(|looked| looked.get(&Name::from(&stream))) {
                        Ok(Some(false)) => Said::Absent,
                        Ok(Some(true) | None) => Said::Other,
                        Err(_) => Said::Nothing,
                    };
                    if self.looks.hear(&stream, said) == Some(Said::Absent) {
                        heard.closed.push(stream);
                    }
                }
                self.give_back(process, looked);
            }
        }
        heard
    }

    fn ask(&mut self, who: Identity, asking: impl Future<Output = Answer> + Send + 'static) {
        let task = self.asking.spawn(asking).id();
        self.asked.insert(task, Asked::Process(who));
    }

    /// Connects where no connection leads to a process that serves.
    fn connect(&mut self) {
        for (socket, Socket { path, .. }) in self.sockets.iter().enumerate() {
            if self.is_used(socket) || self.is_tried(socket) {
                continue;
            }
            let path = path.clone();
            let task = self
                .asking
                .spawn(async move { Answer::Connected(socket, Process::connect(&path, socket).await) });
            self.asked.insert(task.id(), Asked::Socket(socket));
        }
    }

    fn connected(&mut self, socket: usize, connected: Result<Process, Fault>) {
        if !self.is_connecting() {
            self.tried = Some(Instant::now());
        }
        let Some(Socket { path, shown }) = self.sockets.get_mut(socket) else { return };
        match connected {
            Ok(process) => {
                *shown = None;
                tracing::info!(socket = %path.display(), process = process.who.id, "open streams of HAProxy can be ended");
                self.processes.push(process);
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

    /// The processes that may have these streams and are asked nothing, each with its own of them, to be asked; and the streams that
    /// no process has, as far as we know. Those of a process that is asked something are in neither.
    fn share_out(&mut self, streams: &[Stream]) -> (Vec<(Process, Vec<Stream>)>, Vec<Stream>) {
        let mut shares: Vec<(Process, Vec<Stream>)> =
            mem::take(&mut self.processes).into_iter().map(|process| (process, Vec::new())).collect();
        let mut strays = Vec::new();
        for stream in streams.iter().filter(|stream| !self.is_asked(stream)) {
            let mut is_stray = true;
            for (_, its) in shares.iter_mut().filter(|(process, _)| process.who.has(stream)) {
                its.push(*stream);
                is_stray = false;
            }
            if is_stray {
                strays.push(*stream);
            }
        }
        let (idle, shares): (Vec<_>, Vec<_>) = shares.into_iter().partition(|(_, its)| its.is_empty());
        self.processes = idle.into_iter().map(|(process, _)| process).collect();
        (shares, strays)
    }

    /// A process that was asked something is kept, unless it has failed or has left.
    fn give_back<T>(&mut self, process: Process, asked: Result<T, Fault>) {
        let Identity { id, state, .. } = process.who;
        match asked {
            Ok(_) if state == State::HasLeft => self.forget(id),
            Ok(_) => self.processes.push(process),
            Err(fault) if process.has_ended(&fault) => {
                tracing::info!(process = id, "HAProxy's process has ended, and its open streams with it");
                self.forget(id);
            }
            Err(fault) => {
                let why = fault.to_string();
                tracing::warn!(
                    process = id,
                    why,
                    "the connection to HAProxy's process is lost; its open streams cannot be ended until there is another"
                );
            }
        }
    }

    fn forget(&mut self, process: u32) {
        if self.ended.len() >= MAX_ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back((process, Instant::now()));
    }

    /// Whether the process of a stream that none has any more was seen to end, or another one has its id now. Of several HAProxys
    /// that may be another one's process.
    fn is_gone(&self, stream: &Stream) -> bool {
        let is_one_of_all =
            self.sockets.len() == 1 || (0..self.sockets.len()).all(|socket| self.is_used(socket));
        let was_seen =
            |(process, until): &(u32, Instant)| *process == stream.process && stream.since <= *until;
        let is_followed = || self.identities().any(|who| who.id == stream.process);
        is_one_of_all && (self.ended.iter().any(was_seen) || is_followed())
    }

    /// Whether a process that may have this stream is asked something.
    fn is_asked(&self, stream: &Stream) -> bool {
        self.busy().any(|who| who.has(stream))
    }

    /// Whether there is a connection to the process that this socket leads to.
    fn is_used(&self, socket: usize) -> bool {
        self.identities().any(|who| who.socket == socket && who.state == State::Serves)
    }

    fn is_tried(&self, socket: usize) -> bool {
        self.asked.values().any(|asked| matches!(asked, Asked::Socket(tried) if *tried == socket))
    }

    fn is_connecting(&self) -> bool {
        self.asked.values().any(|asked| matches!(asked, Asked::Socket(_)))
    }

    /// All processes to which there is a connection.
    fn identities(&self) -> impl Iterator<Item = &Identity> {
        self.processes.iter().map(|process| &process.who).chain(self.busy())
    }

    fn busy(&self) -> impl Iterator<Item = &Identity> {
        self.asked.values().filter_map(|asked| match asked {
            Asked::Process(who) => Some(who),
            Asked::Socket(_) => None,
        })
    }
}

impl Heard {
    fn is_empty(&self) -> bool {
        self.ended.is_empty() && self.closed.is_empty()
    }
}
