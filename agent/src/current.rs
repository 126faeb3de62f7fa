//! The responder in use, which a reload replaces whole.
//!
//! A request is decided by the one that it came to, so that no verdict mixes two configurations.

use std::sync::Arc;

use arc_swap::ArcSwap;
use keys::KeysView;

use crate::responder::{Received, Responder};
use crate::spoa::frame::{Fault, Ids, Notify};
use crate::spoa::respond::Respond;
use crate::verifier::Question;

/// Shared by all connections.
#[derive(Debug)]
pub struct Current(ArcSwap<Responder>);

/// A question, with the responder that decides it.
pub struct Pending {
    responder: Arc<Responder>,
    question: Question<'static>,
}

impl Current {
    /// With the first responder.
    pub fn new(responder: Responder) -> Self {
        Self(ArcSwap::from_pointee(responder))
    }

    /// Asks this one from now on, with its own kept verdicts.
    pub fn replace(&self, responder: Responder) {
        self.0.store(Arc::new(responder));
    }

    /// What operators see of the keys in use.
    pub fn keys_view(&self) -> KeysView {
        self.0.load().keys_view()
    }
}

impl Respond for Current {
    type Received = Received;
    type Question = Pending;

    fn receive(&self) -> Received {
        self.0.load().receive()
    }

    fn answer_at_once(
        &self,
        notify: &Notify<'_>,
        received: &Received,
        max: u32,
        out: &mut Vec<u8>,
    ) -> Option<Pending> {
        let responder = self.0.load();
        let question = responder.answer_at_once(notify, received, max, out)?;
        Some(Pending { responder: Arc::clone(&responder), question })
    }

    async fn decide(self: Arc<Self>, ids: Ids, pending: Pending, received: Received, max: u32) -> Vec<u8> {
        pending.responder.decide(ids, pending.question, received, max).await
    }

    fn answer_health_check(&self) -> bool {
        self.0.load().answer_health_check()
    }

    fn count_fault(&self, fault: &Fault) {
        self.0.load().count_fault(fault);
    }
}
