//! A connection to the master that is made when it is needed, and made anew when it has failed.

use std::sync::Arc;
use std::time::Duration;

use redis::{RedisError, ServerErrorKind};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::condition::Watch;
use super::locate::Node;
use super::settings::RedisSettings;
use crate::store::StoreError;

/// One connection, shared by all who ask through it.
pub(crate) struct Link {
    settings: RedisSettings,
    answer_limit: Duration,
    watch: Arc<Watch>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    node: Option<Node>,
    /// When the last attempt failed, and why.
    failure: Option<(Instant, String)>,
}

impl Link {
    pub(super) fn new(settings: RedisSettings, answer_limit: Duration, watch: Arc<Watch>) -> Self {
        Self { settings, answer_limit, watch, state: Mutex::default() }
    }

    /// The master. Requests that wait for another's attempt share its failure, so that a dead Redis is tried once and
    /// not by each in turn.
    pub(crate) async fn node(&self) -> Result<Node, StoreError> {
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        if let Some(node) = &state.node {
            return Ok(node.clone());
        }
        if let Some((at, why)) = &state.failure
            && *at > asked
        {
            return Err(StoreError::NoMaster { last: why.clone() });
        }
        match Node::find(&self.settings, self.answer_limit).await {
            Ok(node) => {
                // Before anything is read: what has ended is judged by the master's clock.
                self.watch.look(&node).await;
                state.failure = None;
                Ok(state.node.insert(node).clone())
            }
            Err(error) => {
                state.failure = Some((Instant::now(), error.to_string()));
                Err(error)
            }
        }
    }

    /// Gives up this connection, unless it has been replaced already.
    pub(crate) async fn give_up(&self, failed: &Node) {
        let mut state = self.state.lock().await;
        if state.node.as_ref().is_some_and(|node| node.is_connected_as(failed)) {
            state.node = None;
        }
    }

    /// Whether this is the server that is asked.
    pub(crate) async fn is_at(&self, node: &Node) -> bool {
        self.state.lock().await.node.as_ref().is_none_or(|own| own.is_at(node))
    }
}

/// Where else to ask, this once: the slot is moving between two nodes of a cluster (Redis Cluster specification, "ASK
/// redirection"). Signs of life are refused there too meanwhile, so that no session vouches for such a slot.
///
/// Of a transaction nothing was done then: it is refused whole if one of its commands is.
pub(super) fn asked_away(error: &RedisError) -> Option<(String, u16)> {
    let errors = error.clone().into_server_errors()?;
    let (_, ask) = errors.iter().find(|(_, error)| error.kind() == Some(ServerErrorKind::Ask))?;
    let (_slot, address) = ask.details()?.split_once(' ')?;
    let (host, port) = address.rsplit_once(':')?;
    Some((host.to_owned(), port.parse().ok()?))
}

/// Whether keys of a slot lie on two nodes of a cluster, since it moves. Nothing was done then.
pub(super) fn slot_moves(error: &RedisError) -> bool {
    use ServerErrorKind::{Ask, TryAgain};
    let errors = error.clone().into_server_errors();
    errors.is_some_and(|errors| errors.iter().any(|(_, error)| matches!(error.kind(), Some(Ask | TryAgain))))
}

/// Whether something else than rules stands under the key.
pub(super) fn is_of_another_type(error: &RedisError) -> bool {
    let errors = error.clone().into_server_errors();
    errors.is_some_and(|errors| errors.iter().any(|(_, error)| error.code() == "WRONGTYPE"))
}

/// Whether the master refused because it is not the one, or not ready: then nothing was done.
pub(super) fn is_misdirected(error: &RedisError) -> bool {
    use ServerErrorKind::{Ask, BusyLoading, ClusterDown, ExecAbort, MasterDown, Moved, ReadOnly, TryAgain};
    let redis::ErrorKind::Server(kind) = error.kind() else { return false };
    matches!(kind, Ask | BusyLoading | ClusterDown | ExecAbort | MasterDown | Moved | ReadOnly | TryAgain)
}
