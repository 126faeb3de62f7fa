//! One check on its way: to the server with the least work, to another when that one fails, and to another as well when
//! it is slow. The first answer counts.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jose::Reject;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::batch::Question;
use super::client::CallError;
use super::server::Server;
use super::{Answer, ServerId, TokenServer};

/// How often one check is asked at most.
const MAX_ATTEMPTS: usize = 3;

/// The attempts at one check.
pub struct Attempts<'a> {
    all: &'a TokenServer,
    question: Question,
    tried: Vec<ServerId>,
    calls: FuturesUnordered<oneshot::Receiver<Result<Answer, CallError>>>,
}

impl<'a> Attempts<'a> {
    /// None yet.
    pub fn new(all: &'a TokenServer, question: Question) -> Self {
        Self { all, question, tried: Vec::new(), calls: FuturesUnordered::new() }
    }

    /// Asks until somebody answers or nobody is left; another server as well if none has answered after `patience`.
    ///
    /// # Errors
    ///
    /// Why the last one gave no answer.
    pub async fn run(mut self, patience: Duration) -> Result<Answer, Reject> {
        let metrics = &self.all.manner.metrics;
        let mut impatient = pin!(sleep(patience));
        let mut is_patient = true;
        let mut failure = Reject::NoTokenServer;
        if let Some(server) = self.choose(&self.tried) {
            self.ask(&server, &mut failure);
        }
        loop {
            let error = tokio::select! {
                Some(answer) = self.calls.next() => match answer {
                    Ok(Ok(answer)) => return Ok(answer),
                    Ok(Err(error)) => error,
                    // The server has left the set before it was asked.
                    Err(_) => CallError::Unreachable("it is no server of ours any more".to_owned()),
                },
                () = &mut impatient, if is_patient && !self.calls.is_empty() => {
                    is_patient = false;
                    let other = self.choose(&self.tried).filter(|server| !server.is_out());
                    if let Some(server) = other && self.all.hedges.spend() {
                        metrics.token_server_hedges.inc();
                        self.ask(&server, &mut failure);
                    }
                    continue;
                }
                else => return Err(failure),
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

    fn ask(&mut self, server: &Server, failure: &mut Reject) {
        self.tried.push(server.id());
        match server.ask(self.question.clone()) {
            Some(answer) => self.calls.push(answer),
            None => *failure = Reject::Overloaded,
        }
    }

    fn choose(&self, tried: &[ServerId]) -> Option<Arc<Server>> {
        let servers = Arc::clone(&self.all.servers.borrow());
        let loads = servers
            .iter()
            .map(|server| (!tried.contains(&server.id())).then(|| (server.is_out(), server.outstanding())));
        choose(loads, self.all.turn()).and_then(|index| servers.get(index)).cloned()
    }
}

/// The index of the server to ask: with the least work, those in turn that have equally little. A server that is left out
/// is asked only where no other can be: the load that others are spared by not asking it would come to them as well.
fn choose(loads: impl ExactSizeIterator<Item = Option<(bool, usize)>>, turn: usize) -> Option<usize> {
    let count = loads.len();
    loads
        .enumerate()
        .filter_map(|(index, load)| {
            let (is_out, outstanding) = load?;
            let first = turn.checked_rem(count)?;
            let place = index.saturating_add(count).saturating_sub(first).checked_rem(count)?;
            Some(((is_out, outstanding, place), index))
        })
        .min()
        .map(|(_, index)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_with_the_least_work_is_chosen_and_one_that_is_left_out_only_as_the_last() {
        let up = |outstanding| Some((false, outstanding));
        let out = |outstanding| Some((true, outstanding));
        for (loads, turn, expected) in [
            (&[][..], 5, None),
            (&[None, None], 5, None),
            (&[up(3), up(1), up(2)], 0, Some(1)),
            (&[up(0), up(0), up(0)], 4, Some(1)),
            (&[up(0), None, up(0)], 4, Some(2)),
            (&[out(0), up(9), out(0)], 0, Some(1)),
            (&[out(2), None, out(1)], 0, Some(2)),
        ] {
            assert_eq!(choose(loads.iter().copied(), turn), expected, "{loads:?}");
        }
    }
}
