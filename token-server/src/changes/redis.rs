//! Changes as Redis tells them: the channel of our own writers, and keyspace notifications where they are on.
//!
//! Both come over one connection, in the order in which the master did the work. A sign of life that is sent through
//! the master twice a second and comes back here therefore proves that everything before it has come as well.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use redis::Msg;
use service::shutdown::Shutdown;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::annotations::Annotations;
use crate::continuity::{MAX_SILENCE, Source};
use crate::revocations::Revocations;
use crate::store::redis::{Node, RedisStore};
use crate::store::{StoreError, random_name};

/// The time between two signs of life.
const BEAT: Duration = Duration::from_millis(500);

/// Signs of life between two looks at what may be changed on a running master.
const BEATS_PER_LOOK: u64 = 10;

/// The time between two attempts to be heard and to hear.
const RETRY: Duration = Duration::from_millis(250);

/// Follows the changes until `shutdown`, through every loss of the connection.
pub async fn follow(
    store: Arc<RedisStore>,
    revocations: Arc<Revocations>,
    annotations: Arc<Annotations>,
    shutdown: Shutdown,
) {
    let follow = async {
        loop {
            let (node, error) = match store.master().await {
                Err(error) => (None, Unheard::from(error)),
                Ok(node) => {
                    let Err(error) = listen(&node, &store, &revocations, &annotations).await;
                    (Some(node), error)
                }
            };
            tracing::warn!(%error, "changes in Redis are not heard; rules are read again");
            revocations.lost(Source::OwnChannel);
            revocations.lost(Source::Keyspace);
            // Reads may have no reason to find out for a long time that this master is gone.
            if let Some(node) = node {
                store.leave(&node).await;
            }
            sleep(RETRY).await;
        }
    };
    tokio::select! {
        () = follow => {}
        () = shutdown.cancelled() => {}
    }
}

/// Why nothing is heard any more.
#[derive(Debug, thiserror::Error)]
enum Unheard {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("redis: {0}")]
    Redis(#[from] redis::RedisError),
    #[error("the connection ended")]
    Ended,
    #[error("no sign of life came back within {} s", MAX_SILENCE.as_secs())]
    Silence,
    #[error("the master is another server by now")]
    MasterLeft,
}

/// What was sent last, and what came back of it.
struct Beat {
    number: u64,
    sent: Instant,
    /// Notifications: the key came, and went.
    came: bool,
    went: bool,
}

/// The channels by which messages are told apart.
struct Channels {
    changed: String,
    shadows_changed: String,
    beat: String,
    beat_notified: String,
}

enum Never {}

async fn listen(
    node: &Node,
    store: &RedisStore,
    revocations: &Revocations,
    annotations: &Annotations,
) -> Result<Never, Unheard> {
    let server = random_name()?;
    let channels = Channels {
        changed: store.keys().changed(),
        shadows_changed: store.keys().shadows_changed(),
        beat: store.keys().beat(&server),
        beat_notified: store.keys().beat_notified(node.database(), &server),
    };
    let (mut sink, mut messages) = node.pubsub().await?.split();
    sink.subscribe(&[&channels.changed, &channels.shadows_changed, &channels.beat]).await?;
    let notified = [store.keys().rules_notified(node.database())];
    // A user who may not listen to notifications does without them.
    if let Err(error) = async {
        sink.psubscribe(&notified).await?;
        sink.subscribe(&channels.beat_notified).await
    }
    .await
    {
        tracing::info!(%error, "keyspace notifications may not be listened to");
    }
    revocations.joined(Source::OwnChannel, Instant::now());
    annotations.outdated();

    let mut keyspace = false;
    let mut last_heard = Instant::now();
    let mut beat = Beat { number: 0, sent: last_heard, came: false, went: false };
    let mut ticks = interval(BEAT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sending = FuturesUnordered::new();
    loop {
        tokio::select! {
            message = messages.next() => {
                let message = message.ok_or(Unheard::Ended)?;
                if message.get_channel_name() == channels.shadows_changed {
                    annotations.outdated();
                } else if let Some(heard) = take(&message, &channels, store, revocations, &mut beat) {
                    last_heard = Instant::now();
                    revocations.heard(Source::OwnChannel, heard);
                    match (keyspace, beat.came && beat.went) {
                        (true, true) => revocations.heard(Source::Keyspace, heard),
                        (false, true) => revocations.joined(Source::Keyspace, heard),
                        (true, false) => revocations.lost(Source::Keyspace),
                        (false, false) => {}
                    }
                    keyspace = beat.came && beat.went;
                }
            }
            _ = ticks.tick(), if sending.is_empty() => {
                if last_heard.elapsed() > MAX_SILENCE {
                    return Err(Unheard::Silence);
                }
                beat = Beat { number: beat.number.wrapping_add(1), sent: Instant::now(), came: false, went: false };
                sending.push(send(store, node, &server, beat.number));
            }
            Some(sent) = sending.next() => sent?,
        }
    }
}

async fn send(store: &RedisStore, node: &Node, server: &str, number: u64) -> Result<(), Unheard> {
    if store.has_left(node).await {
        return Err(Unheard::MasterLeft);
    }
    store.beat(node, server, number).await?;
    if number.is_multiple_of(BEATS_PER_LOOK) {
        store.look(node).await;
    } else {
        store.look_at_clock(node).await;
    }
    Ok(())
}

/// Follows one message. Returns when the last sign of life was sent, if this is it.
fn take(
    message: &Msg,
    channels: &Channels,
    store: &RedisStore,
    revocations: &Revocations,
    beat: &mut Beat,
) -> Option<Instant> {
    let channel = message.get_channel_name();
    let payload = String::from_utf8_lossy(message.get_payload_bytes());
    if channel == channels.changed {
        revocations.changed(&payload);
    } else if channel == channels.beat {
        return payload.parse::<u64>().is_ok_and(|number| number == beat.number).then_some(beat.sent);
    } else if channel == channels.beat_notified {
        beat.came |= payload == "zadd";
        beat.went |= payload == "del";
    } else if let Some(group) = store.keys().notified_group(channel) {
        // Every other command than this one may remove rules.
        if payload == "zadd" {
            revocations.changed(group)
        } else {
            revocations.shrank(group)
        };
    }
    None
}
