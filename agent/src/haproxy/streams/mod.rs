//! HAProxy's open streams, over its runtime API: which are still open, and the end of exactly those that are named.
//!
//! A stream is named by the process that has it and by its number there. HAProxy ends what is at a place in its memory
//! ([`list`]), so the number at that place is compared right before ([`process`]).
//!
//! After a reload the former process goes on with its streams, and no socket leads to it any more: the connection to it is kept
//! until its last client has gone.

mod info;
mod list;
mod process;

use std::collections::{HashMap, HashSet, VecDeque};
use std::mem;
use std::path::PathBuf;
use std::time::Instant;

use futures_util::future::join_all;

use crate::request::Stream;
use info::State;
use process::{Fault, Name, Process};

/// How often it is tried to reach a process: its connection may have been closed as nothing was asked for long.
const ATTEMPTS: usize = 2;
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

/// The runtime API of all processes that have streams.
///
/// What it is asked is to be awaited to the end: where that is broken off, the connections that were in use are closed, and a former
/// process cannot be reached again.
#[derive(Debug)]
pub struct Runtime {
    sockets: Vec<Socket>,
    processes: Vec<Process>,
    /// The last processes that have ended, and until when they may have been there.
    ended: VecDeque<(u32, Instant)>,
}

#[derive(Debug)]
struct Socket {
    path: PathBuf,
    /// Why it cannot be used, as it was told last.
    shown: Option<String>,
}

/// Where a stream may be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whereabouts {
    Reachable,
    Gone,
    Unknown,
}

impl Runtime {
    /// Nothing is opened yet. Each socket is a stats socket of level admin; several may be of one HAProxy.
    pub fn new(sockets: Vec<PathBuf>) -> Self {
        let sockets = sockets.into_iter().map(|path| Socket { path, shown: None }).collect();
        Self { sockets, processes: Vec::new(), ended: VecDeque::new() }
    }

    /// Ends these streams and no others; what became of each, in their order. Processes are told side by side.
    pub async fn end(&mut self, streams: &[Stream]) -> Vec<End> {
        let mut ends = HashMap::new();
        for _ in 0..ATTEMPTS {
            let left: Vec<Stream> =
                streams.iter().filter(|stream| !ends.contains_key(*stream)).copied().collect();
            if left.is_empty() {
                break;
            }
            let shares = self.share_out(&left).await;
            let told = shares.into_iter().map(|(process, its)| async move {
                let told = process.end(&its).await;
                (its, told)
            });
            let mut unanswered = HashSet::new();
            for (its, (process, its_ends, ended)) in join_all(told).await {
                for stream in its {
                    match its_ends.get(&Name::from(&stream)) {
                        Some(End::Gone) => {
                            ends.entry(stream).or_insert(End::Gone);
                        }
                        Some(end) => {
                            ends.insert(stream, *end);
                        }
                        None => {
                            unanswered.insert(stream);
                        }
                    }
                }
                self.give_back(process, ended);
            }
            // It may be another process that has it.
            ends.retain(|stream, end| *end != End::Gone || !unanswered.contains(stream));
        }
        let otherwise = |stream| match self.whereabouts(stream) {
            Whereabouts::Gone => End::Gone,
            Whereabouts::Reachable | Whereabouts::Unknown => End::Unreachable,
        };
        streams.iter().map(|stream| ends.get(stream).copied().unwrap_or_else(|| otherwise(stream))).collect()
    }

    /// Whether each of these is still open, in their order. One whose process cannot be reached is, unless that has ended.
    ///
    /// HAProxy lists all of its streams for it, at 15 to 30 us of its time for each.
    pub async fn open(&mut self, streams: &[Stream]) -> Vec<bool> {
        let mut closed = HashSet::new();
        let mut open = HashSet::new();
        let shares = self.share_out(streams).await;
        let looked = shares.into_iter().map(|(process, its)| async move {
            let looked = process.look(&its).await;
            (its, looked)
        });
        for (its, (process, looked)) in join_all(looked).await {
            let answer = |stream: &Stream| looked.as_ref().ok()?.get(&Name::from(stream)).copied();
            for stream in its {
                let is_closed = answer(&stream) == Some(false);
                if is_closed { &mut closed } else { &mut open }.insert(stream);
            }
            self.give_back(process, looked);
        }
        let is_gone = |stream| self.whereabouts(stream) == Whereabouts::Gone;
        let is_open = |stream| open.contains(stream) || !closed.contains(stream);
        streams.iter().map(|stream| is_open(stream) && !is_gone(stream)).collect()
    }

    /// Keeps a connection to each process that lives, so that it can be reached after a reload. To be called each second.
    pub async fn keep(&mut self) {
        let asked = mem::take(&mut self.processes).into_iter().map(Process::ask);
        for (process, answer) in join_all(asked).await {
            self.give_back(process, answer);
        }
        self.connect().await;
    }

    /// Connects where no connection leads to a process that serves.
    async fn connect(&mut self) {
        let missing = self.sockets.iter().enumerate().filter(|(socket, _)| !self.is_used(*socket));
        let tried = missing.map(|(socket, Socket { path, .. })| async move {
            (socket, Process::connect(path, socket).await)
        });
        let tried = join_all(tried).await;
        for (socket, connected) in tried {
            let Some(Socket { path, shown }) = self.sockets.get_mut(socket) else { continue };
            match connected {
                Ok(process) => {
                    *shown = None;
                    tracing::info!(socket = %path.display(), process = process.id, "open streams of HAProxy can be ended");
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
    }

    /// The processes that may have these streams, each with its own of them. They are to be given back.
    async fn share_out(&mut self, streams: &[Stream]) -> Vec<(Process, Vec<Stream>)> {
        if streams.iter().any(|stream| self.whereabouts(stream) == Whereabouts::Unknown) {
            self.keep().await;
        }
        let mut shares = Vec::new();
        for process in mem::take(&mut self.processes) {
            let its: Vec<_> = streams.iter().filter(|stream| process.has(stream)).copied().collect();
            if its.is_empty() {
                self.processes.push(process);
            } else {
                shares.push((process, its));
            }
        }
        shares
    }

    /// A process that was asked something is kept, unless it has failed or has left.
    fn give_back<T>(&mut self, process: Process, asked: Result<T, Fault>) {
        match asked {
            Ok(_) if process.state == State::HasLeft => self.forget(process.id),
            Ok(_) => self.processes.push(process),
            Err(fault) if process.has_ended(&fault) => {
                tracing::info!(
                    process = process.id,
                    "HAProxy's process has ended, and its open streams with it"
                );
                self.forget(process.id);
            }
            Err(fault) => {
                let why = fault.to_string();
                tracing::warn!(
                    process = process.id,
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

    fn whereabouts(&self, stream: &Stream) -> Whereabouts {
        if self.processes.iter().any(|process| process.has(stream)) {
            return Whereabouts::Reachable;
        }
        // Its process was seen to end, or another one has its id now. Of several HAProxys that may be another one's process.
        let is_one_of_all =
            self.sockets.len() == 1 || (0..self.sockets.len()).all(|socket| self.is_used(socket));
        let was_seen =
            |(process, until): &(u32, Instant)| *process == stream.process && stream.since <= *until;
        let is_followed = || self.processes.iter().any(|process| process.id == stream.process);
        if is_one_of_all && (self.ended.iter().any(was_seen) || is_followed()) {
            Whereabouts::Gone
        } else {
            Whereabouts::Unknown
        }
    }

    /// Whether there is a connection to the process that this socket leads to.
    fn is_used(&self, socket: usize) -> bool {
        self.processes.iter().any(|process| process.socket == socket && process.state == State::Serves)
    }
}
