//! The responder in use, which a reload replaces whole.
//!
//! A request is decided by the one that it came to, so that no verdict mixes two configurations.

use std::sync::Arc;

use arc_swap::ArcSwap;
use keys::KeysView;

use crate::request::Request;
use crate::responder::Responder;
use crate::spoa::frame::{Fault, Notify};
use crate::spoa::respond::Respond;

/// Shared by all connections.
#[derive(Debug)]
pub struct Current(ArcSwap<Responder>);

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
    type Request<'a> = Request<'a>;

    fn answer(
        &self,
        notify: &Notify<Request<'_>>,
        max: u32,
        out: &mut Vec<u8>,
    ) -> Option<impl Future<Output = Vec<u8>> + Send + 'static + use<>> {
        let responder = self.0.load();
        let received = responder.receive();
        let question = responder.answer_at_once(notify, &received, max, out)?;
        let (responder, ids) = (Arc::clone(&responder), notify.ids);
        Some(async move { responder.decide(ids, question, received, max).await })
    }

    fn answer_health_check(&self) -> bool {
        self.0.load().answer_health_check()
    }

    fn count_fault(&self, fault: &Fault) {
        self.0.load().count_fault(fault);
    }
}
