//! One check on its way: to the server with the least work, to another when that one fails or does not know, and to
//! another as well when it is slow; where there is no other, to the same one over another connection. The first answer that
//! decides counts.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jose::{Reason, Reject};
use revocation::lease::ServerId;
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;

use super::batch::{Answer, Question};
use super::connections::Heard;
use super::error::CallError;
use super::hedges::Hedges;
use super::server::{Server, Snapshot};
use super::standing::Rank;
use crate::metrics::Metrics;

/// How often one check is asked at most.
const MAX_ATTEMPTS: usize = 3;

/// The servers that a check can be given to, and what decides which of them.
#[derive(Debug, Clone)]
pub struct Choice {
    servers: watch::Receiver<Snapshot>,
    turn: Arc<AtomicUsize>,
    hedges: Arc<Hedges>,
    metrics: Arc<Metrics>,
}

impl Choice {
    /// Among these.
    pub fn new(servers: watch::Receiver<Snapshot>, metrics: Arc<Metrics>) -> Self {
        Self { servers, turn: Arc::default(), hedges: Arc::default(), metrics }
    }

    /// The servers, now and whenever they change.
    pub fn servers(&self) -> watch::Receiver<Snapshot> {
        self.servers.clone()
    }

    fn turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }
}

/// The attempts at one check.
pub struct Attempts<'a> {
    all: &'a Choice,
    question: Question,
    tried: Vec<ServerId>,
    /// Who was asked last, and what had been heard of it then.
    last: Option<(Arc<Server>, Heard)>,
    calls: FuturesUnordered<oneshot::Receiver<Result<Answer, CallError>>>,
}

impl<'a> Attempts<'a> {
    /// None yet; each check pays for a share of a hedge.
    pub fn new(all: &'a Choice, question: Question) -> Self {
        all.hedges.save();
        Self { all, question, tried: Vec::new(), last: None, calls: FuturesUnordered::new() }
    }

    /// Asks until a server decides or none is left; once more beside it if none has answered after `patience`. An answer that
    /// decides nothing counts where no other comes.
    ///
    /// # Errors
    ///
    /// Why the last one gave no answer.
    pub async fn run(mut self, patience: Duration) -> Result<Answer, Reject> {
        let metrics = &self.all.metrics;
        let mut impatient = pin!(sleep(patience));
        let mut is_patient = true;
        let mut failure = Reject::NoTokenServer;
        let mut undecided = None;
        if let Some(server) = self.choose(&self.tried) {
            self.ask(&server, &mut failure);
        }
        loop {
            let error = tokio::select! {
                Some(answer) = self.calls.next() => match answer {
                    Ok(Ok(answer)) if decides(&answer) => return Ok(answer),
                    Ok(Ok(answer)) => {
                        undecided = Some(answer);
                        let other = self.other(Rank::Doubtful).filter(|_| self.tried.len() < MAX_ATTEMPTS);
                        if let Some(server) = other {
                            metrics.token_server_retries.inc();
                            self.ask(&server, &mut failure);
                        }
                        continue;
                    }
                    Ok(Err(error)) => error,
                    // The server has left the set before it was asked.
                    Err(_) => CallError::Unreachable("it is no server of ours any more".to_owned()),
                },
                () = &mut impatient, if is_patient && !self.calls.is_empty() => {
                    is_patient = false;
                    if let Some(server) = self.company() && self.all.hedges.spend() {
                        metrics.token_server_hedges.inc();
                        self.renew_connections(&server);
                        self.ask(&server, &mut failure);
                    }
                    continue;
                }
                else => return undecided.ok_or(failure),
            };
            tracing::debug!(%error, "a check was not answered");
            failure = match error {
                CallError::Timeout => Reject::Timeout,
                CallError::Unreachable(_) | CallError::Status(_) | CallError::Unreadable => {
                    Reject::NoTokenServer
                }
            };
            // A kept connection breaks when its server is started anew; on a new one the same server may answer.
            let may_repeat = matches!(error, CallError::Unreachable(_)) && self.calls.is_empty();
            let next = self.choose(&self.tried).or_else(|| self.choose(&[]).filter(|_| may_repeat));
            if let Some(server) = next.filter(|_| self.tried.len() < MAX_ATTEMPTS) {
                metrics.token_server_retries.inc();
                self.ask(&server, &mut failure);
            }
        }
    }

    fn ask(&mut self, server: &Arc<Server>, failure: &mut Reject) {
        self.tried.push(server.id());
        self.last = Some((Arc::clone(server), server.heard()));
        match server.ask(self.question.clone()) {
            Some(answer) => self.calls.push(answer),
            None if server.rank().is_none() => *failure = Reject::NoTokenServer,
            None => *failure = Reject::Overloaded,
        }
    }

    /// Who is asked beside a server that is slow. The same one again where there is no other: not the server may stand still,
    /// but a connection to it.
    fn company(&self) -> Option<Arc<Server>> {
        let same = || self.last.as_ref().map(|(server, _)| Arc::clone(server));
        self.other(Rank::InService).or_else(same).filter(|server| server.rank().is_some())
    }

    /// Has a server that is asked once more reached over a connection that moves.
    fn renew_connections(&self, server: &Arc<Server>) {
        if let Some((last, heard)) = &self.last
            && Arc::ptr_eq(last, server)
        {
            server.renew_unless_heard_since(*heard);
        }
    }

    /// A server that was not asked yet, and stands no worse than this.
    fn other(&self, worst: Rank) -> Option<Arc<Server>> {
        self.choose(&self.tried).filter(|server| server.rank().is_some_and(|rank| rank <= worst))
    }

    fn choose(&self, tried: &[ServerId]) -> Option<Arc<Server>> {
        let servers = Arc::clone(&self.all.servers.borrow());
        let loads = servers.iter().map(|server| {
            let rank = server.rank().filter(|_| !tried.contains(&server.id()))?;
            Some((rank, server.outstanding()))
        });
        choose(loads, self.all.turn()).and_then(|index| servers.get(index)).cloned()
    }
}

/// Whether a server knows what it was asked. One that cannot read its rules does not, and another one may.
fn decides(answer: &Answer) -> bool {
    answer.result.verdict().map_or_else(Reject::reason, |()| Reason::Ok) != Reason::BackendUnavailable
}

/// The index of the server to ask: with the least work, those in turn that have equally little. A server that is left out
/// is asked only where no better one can be: the load that others are spared by not asking it would come to them as well.
/// One whose answers would be wrong is never asked.
fn choose(loads: impl ExactSizeIterator<Item = Option<(Rank, usize)>>, turn: usize) -> Option<usize> {
    let count = loads.len();
    loads
        .enumerate()
        .filter_map(|(index, load)| {
            let (rank, outstanding) = load.filter(|(rank, _)| *rank != Rank::Foreign)?;
            let first = turn.checked_rem(count)?;
            let place = index.saturating_add(count).saturating_sub(first).checked_rem(count)?;
            Some(((rank, outstanding, place), index))
        })
        .min()
        .map(|(_, index)| index)
}

#[cfg(test)]
mod tests;
