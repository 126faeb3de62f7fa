//! An agent that looks at nothing: the same listeners and connection loop as `jwt-agent`, and one fixed answer.
//!
//! `make bench` takes it along as the floor of a run: what is above it is the cost of judging a token, what is below it
//! the cost of asking anybody.
//!
//! ```text
//! do_nothing unix@/path/of.sock NAME=VALUE...
//! ```
//!
//! Each `NAME=VALUE` becomes a variable; `reason=ok` and `valid=true` follow, as in a real answer.

use std::error::Error;
use std::future::ready;
use std::sync::Arc;

use jwt_agent::listen::{Address, Listener};
use jwt_agent::spoa::connection::serve;
use jwt_agent::spoa::frame::{Fault, Notify, encode_ack, encode_actions};
use jwt_agent::spoa::leave::Leave;
use jwt_agent::spoa::respond::Respond;
use mimalloc::MiMalloc;
use spop::{Action, TypedData, VarScope};

/// The agent's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The encoded actions of every ACK.
struct Fixed(Box<[u8]>);

impl Respond for Fixed {
    type Request<'a> = ();

    /// Where the answer is larger than a frame, HAProxy gets none.
    fn answer(
        &self,
        notify: &Notify<()>,
        max: u32,
        out: &mut Vec<u8>,
    ) -> Option<impl Future<Output = Vec<u8>> + Send + 'static + use<>> {
        (!encode_ack(notify.ids, &self.0, max, out)).then(|| ready(Vec::new()))
    }

    fn answer_health_check(&self) -> bool {
        true
    }

    fn count_fault(&self, fault: &Fault) {
        tracing::warn!(%fault, "connection ended");
    }
}

fn actions(variables: impl Iterator<Item = String>) -> Box<[u8]> {
    let set = |name: &str, value: TypedData| Action::SetVar {
        scope: VarScope::Transaction,
        name: name.to_owned(),
        value,
    };
    let chosen = variables.map(|variable| match variable.split_once('=') {
        Some((name, value)) => set(name, value.into()),
        None => set(&variable, true.into()),
    });
    encode_actions(chosen.chain([set("reason", "ok".into()), set("valid", true.into())]).collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("usage: do_nothing ADDRESS NAME=VALUE...")?.parse::<Address>()?;
    let responder = Arc::new(Fixed(actions(arguments)));
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = Listener::bind(&address).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(serve(stream, Arc::clone(&responder), Leave::new(), tracing::Span::none()));
        }
    })
}
