//! The ACK of a decision: made once, then sent to each request that it answers, and counted and logged for each.

use std::collections::BTreeSet;
use std::sync::Arc;

use jose::{Claimed, Reject, ReplayKey};
use keys::refusals::RefusalLog;
use service::sample::LogLines;
use spop::{Action, TypedData, VarScope};

use super::record::Record;
use super::told::Teller;
use super::{Variables, answer};
use crate::decision::Decision;
use crate::metrics::Metrics;
use crate::spoa::frame::{Ids, encode_ack, encode_actions};

/// How decisions become ACKs.
#[derive(Debug)]
pub struct Acks {
    variables: Variables,
    claims: Option<Vec<String>>,
    refusals: RefusalLog,
    /// Absent where no token-server is told of decisions.
    teller: Option<Arc<Teller>>,
    metrics: Arc<Metrics>,
}

/// The ACK of one decision, for any number of requests.
#[derive(Debug, Default)]
pub struct Ack {
    /// Its actions, encoded.
    pub actions: Box<[u8]>,
    /// Claims that have no variable.
    pub long_names: u64,
    /// What is counted and logged of it.
    pub record: Record,
}

impl Ack {
    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        self.actions.len().saturating_add(self.record.bytes())
    }
}

/// What is told of one request alone.
#[derive(Debug, Default)]
pub struct Own {
    /// Its proof, if that was accepted.
    pub proof: Option<ReplayKey>,
    /// The nonce for the next one.
    pub nonce: Option<String>,
    /// The seconds that its token lasts, where the request may stay open.
    pub ttl: Option<i64>,
}

/// The request that an ACK answers.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// Repeated in the ACK.
    pub ids: Ids,
    /// The largest frame that HAProxy takes.
    pub max_frame_size: u32,
    /// What a log calls the request.
    pub name: Option<&'a str>,
}

impl Acks {
    /// ACKs with these variables; of the claims only `claims`, if that is given.
    pub fn new(
        variables: Variables,
        claims: Option<Vec<String>>,
        refusals: LogLines,
        teller: Option<Arc<Teller>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { variables, claims, refusals: RefusalLog::new(refusals), teller, metrics }
    }

    /// The ACK of a decision on a token that says this of itself.
    pub fn of(&self, decision: &Decision, claimed: &Claimed<'_>) -> Ack {
        let record = self.record(decision, claimed);
        let whole = answer(decision, &self.variables, self.claims.as_deref());
        Ack { actions: encode_actions(whole.actions), long_names: whole.long_names, record }
    }

    /// What is told of one request alone, encoded.
    pub fn own(&self, own: Own) -> Box<[u8]> {
        let is_sent = |name: &str| self.variables.contains(name);
        let proof = own.proof.filter(|_| is_sent("proof")).map(|proof| ("proof", proof.to_string().into()));
        let nonce = own.nonce.filter(|_| is_sent("dpop_nonce")).map(|nonce| ("dpop_nonce", nonce.into()));
        let ttl = own.ttl.filter(|_| is_sent("ttl")).map(|ttl| ("ttl", ttl.into()));
        let told: [Option<(&str, TypedData)>; 3] = [proof, nonce, ttl];
        let set = |(name, value): (&str, _)| Action::SetVar {
            scope: VarScope::Transaction,
            name: name.to_owned(),
            value,
        };
        let actions: Vec<Action> = told.into_iter().flatten().map(set).collect();
        if actions.is_empty() { Box::default() } else { encode_actions(actions) }
    }

    /// Appends an ACK to `out`, or a refusal of the same token where HAProxy cannot take the ACK whole. Before it comes what is
    /// told of this request alone, encoded.
    pub fn send(
        &self,
        own: &[u8],
        ack: &Ack,
        to: Asker<'_>,
        out: &mut Vec<u8>,
        same_token: impl FnOnce() -> Decision,
    ) {
        if ack.long_names > 0 {
            self.metrics.long_names.inc_by(ack.long_names);
        }
        if encode_ack(to.ids, &[own, &ack.actions], to.max_frame_size, out) {
            ack.record.note(to.name, &self.refusals, self.teller.as_deref());
        } else {
            self.refuse_too_large(&same_token().refused(Reject::AnswerSize), to, out);
        }
    }

    fn refuse_too_large(&self, refused: &Decision, to: Asker<'_>, out: &mut Vec<u8>) {
        // The second holds `reason` and `valid` alone, which fit the smallest frame of the protocol.
        for variables in [&self.variables, &Variables::Only(BTreeSet::new())] {
            let actions = encode_actions(answer(refused, variables, None).actions);
            if encode_ack(to.ids, &[&actions], to.max_frame_size, out) {
                break;
            }
        }
        let record = self.record(refused, &Claimed::default());
        record.note(to.name, &self.refusals, self.teller.as_deref());
    }

    fn record(&self, decision: &Decision, claimed: &Claimed<'_>) -> Record {
        Record::new(decision, claimed, &self.metrics, &self.refusals, self.teller.as_deref())
    }
}

#[cfg(test)]
mod tests;
