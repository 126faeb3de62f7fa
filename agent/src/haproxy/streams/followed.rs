//! A process of HAProxy that is followed to its end, with its two connections.

use std::path::Path;
use std::time::Instant;

use super::connection::{Connection, Fault};
use super::info::State;
use super::lister::Lister;
use super::places::Listing;
use super::process::Process;
use super::turn::Turn;
use crate::request::Stream;

/// The process.
#[derive(Debug)]
pub(super) struct Followed {
    /// What names it here: two processes may have one id.
    pub key: u64,
    /// Its id.
    pub id: u32,
    /// The place of its socket among all.
    pub socket: usize,
    /// What it said last.
    pub state: State,
    /// It began at this moment or up to two seconds later.
    began: Option<Instant>,
    /// Absent while it is asked.
    pub process: Option<Process>,
    /// Absent while it is asked.
    pub lister: Option<Lister>,
    /// A list that came while the process was asked.
    news: Option<Listing>,
    /// No list that is not urgent before.
    pub rest: Option<Instant>,
}

impl Followed {
    /// Connects twice to the process that a socket leads to now: after a reload no new way leads to it.
    pub(super) async fn connect(path: &Path, socket: usize, key: u64) -> Result<Self, Fault> {
        let turn = Turn::default();
        let (first, info) = Connection::open(path, &turn).await?;
        turn.lock().await.ends = first.itself();
        let began = info.age.and_then(|age| Instant::now().checked_sub(age));
        let (second, other) = Connection::open(path, &turn).await?;
        if info.process != other.process {
            return Err(Fault::Replaced);
        }
        let (id, state) = (info.process, info.state);
        let (process, lister) = (Some(Process::new(id, first)), Some(Lister::new(second)));
        Ok(Self { key, id, socket, state, began, process, lister, news: None, rest: None })
    }

    /// Whether a stream is one of this process, and not of an earlier one with the same id.
    pub(super) fn has(&self, stream: &Stream) -> bool {
        stream.process == self.id && self.began.is_none_or(|began| stream.since >= began)
    }

    /// Whether a list may be asked for that is not urgent.
    pub(super) fn is_rested(&self, at: Instant) -> bool {
        self.rest.is_none_or(|rest| rest <= at)
    }

    /// Takes a list.
    pub(super) fn learn(&mut self, listing: Listing) {
        match &mut self.process {
            Some(process) => process.learn(listing),
            None => self.news = Some(listing),
        }
    }

    /// Takes the process back, which was asked something.
    pub(super) fn give_back(&mut self, mut process: Process) {
        if let Some(listing) = self.news.take() {
            process.learn(listing);
        }
        self.process = Some(process);
    }
}

/// The processes that may have these streams, each with its own of them; and the streams that no process has, as far as we know.
/// Those of a process that is not idle are in neither.
pub(super) fn share_out(
    all: &[Followed],
    streams: &[Stream],
    is_idle: impl Fn(&Followed) -> bool,
) -> (Vec<(u64, Vec<Stream>)>, Vec<Stream>) {
    let mut shares: Vec<(u64, Vec<Stream>)> = all.iter().map(|followed| (followed.key, Vec::new())).collect();
    let mut strays = Vec::new();
    for stream in streams {
        let having = || all.iter().filter(|followed| followed.has(stream));
        if having().next().is_none() {
            strays.push(*stream);
        } else if having().all(&is_idle) {
            let each = all.iter().zip(&mut shares).filter(|(followed, _)| followed.has(stream));
            each.for_each(|(_, (_, its))| its.push(*stream));
        }
    }
    shares.retain(|(_, its)| !its.is_empty());
    (shares, strays)
}
