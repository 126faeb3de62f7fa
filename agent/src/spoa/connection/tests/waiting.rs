//! Decisions that wait for something, or end in a panic.

use super::super::*;
use super::peer::{AGENT_HELLO, HAPROXY_DISCONNECT, Peer, bye, frame, hello, notify};
use crate::request::{Request, Text};
use crate::spoa::frame::{Notify, encode_ack};

/// Answers a request without a token; with one it waits until the test lets go. With the token `panic` it panics then, and with
/// `panic at once` before.
struct Patient(Arc<tokio::sync::Semaphore>);

impl Respond for Patient {
    type Request<'a> = Request<'a>;

    fn answer(
        &self,
        notify: &Notify<Request<'_>>,
        max: u32,
        _: &mut DecidingTime,
        out: &mut Vec<u8>,
    ) -> Option<impl Future<Output = Vec<u8>> + Send + 'static + use<>> {
        let ids = notify.ids;
        if notify.request.authorization == Text::Empty {
            assert!(encode_ack(ids, &[], max, out));
            return None;
        }
        let is = |token: &str| notify.request.authorization == Text::Given(token.into());
        assert!(!is("panic at once"), "asked to panic");
        let panics = is("panic");
        let permits = Arc::clone(&self.0);
        Some(async move {
            assert!(!panics, "asked to panic");
            permits.acquire().await.unwrap().forget();
            let mut ack = Vec::new();
            assert!(encode_ack(ids, &[], max, &mut ack));
            ack
        })
    }

    fn answer_health_check(&self) -> bool {
        true
    }

    fn count_fault(&self, fault: &Fault) {
        panic!("{fault}");
    }
}

/// A connection whose decisions wait for this one's permits.
async fn patient() -> (Peer, Arc<Patient>) {
    let patient = Arc::new(Patient(Arc::new(tokio::sync::Semaphore::new(0))));
    let mut peer = Peer::asking(Arc::clone(&patient));
    peer.send(&hello(false, "2.0", 16380)).await;
    assert_eq!(peer.answer().await.unwrap().kind, AGENT_HELLO);
    (peer, patient)
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_waits_holds_up_no_other() {
    let (mut peer, patient) = patient().await;
    let all: Vec<u8> = [notify(1, "waits"), notify(2, "waits"), notify(3, "")].concat();
    peer.send(&all).await;
    assert_eq!(peer.answer().await.unwrap().stream_id, 3);
    peer.send(&notify(4, "")).await;
    assert_eq!(peer.answer().await.unwrap().stream_id, 4);
    patient.0.add_permits(2);
    let mut last = [peer.answer().await.unwrap().stream_id, peer.answer().await.unwrap().stream_id];
    last.sort_unstable();
    assert_eq!(last, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_panics_costs_no_other_its_answer() {
    let (mut peer, patient) = patient().await;
    patient.0.add_permits(1);
    let all: Vec<u8> =
        [notify(1, "panic"), notify(4, "panic at once"), notify(2, "waits"), notify(3, "")].concat();
    peer.send(&all).await;
    assert_eq!(peer.answer().await.unwrap().stream_id, 2);
    assert_eq!(peer.answer().await.unwrap().stream_id, 3);
    peer.send(&frame(HAPROXY_DISCONNECT, 0, 0, &bye())).await;
    assert_eq!(peer.farewell().await, StatusCode::None);
}
