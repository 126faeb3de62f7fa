//! What is done again and again while the server runs: rules are kept at hand, the store is watched, ended rules are removed.

use std::sync::Arc;
use std::time::Duration;

use service::readiness::Cause;
use service::shutdown::Shutdown;
use tokio::time::MissedTickBehavior;

use crate::api::App;
use crate::config::Audit;
use crate::payload::seconds;
use crate::store::Fault;

/// How often rules that have ended are removed. They decide nothing in the meantime.
const PURGE_INTERVAL: Duration = Duration::from_secs(60);

/// The time after which a removal is tried again that failed.
const PURGE_RETRY: Duration = Duration::from_secs(5);

/// How often everybody's rules are looked after.
const WARM_INTERVAL: Duration = Duration::from_millis(250);

/// Keeps everybody's rules at hand, and the server not ready while they are not known.
pub(super) async fn keep_warm(app: Arc<App>, shutdown: Shutdown) {
    let mut ticks = tokio::time::interval(WARM_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        warm(&app).await;
    }
}

pub(super) async fn warm(app: &App) {
    watch_store(app).await;
    app.revocations().try_store().await;
    if app.revocations().store_id().is_some() && app.revocations().warm().await {
        app.readiness.clear(Cause::Rules);
    } else {
        app.readiness.block(Cause::Rules, "the store cannot be read");
    }
}

/// Shows what is known of the store beside its rules, and is not ready while it must not be relied on.
async fn watch_store(app: &App) {
    let ahead = app.revocations().store_now().map(|stores| seconds(app.now()).saturating_sub(stores));
    if let Some(seconds) = app.metrics.show_clock(ahead) {
        tracing::warn!(
            seconds,
            "this server's clock is ahead of the clock of Redis, or behind if negative: rules end by the one that is \
             behind; correct the clocks"
        );
    }
    let condition = match app.revocations().examine().await {
        Ok(condition) => condition,
        // That it cannot be read is seen where it is read.
        Err(_) => return,
    };
    let fault = condition.fault.as_ref();
    app.metrics.show_store(fault.map(Fault::cause), condition.emptied);
    match fault {
        None => app.readiness.clear(Cause::Store),
        Some(fault) => {
            let told = fault.to_string();
            if app.readiness.block(Cause::Store, told.as_str()) != Some(told) {
                tracing::error!(%fault, "the store must not be relied on; not ready");
            }
        }
    }
}

pub(super) async fn purge(app: Arc<App>, audit: Audit, shutdown: Shutdown) {
    let mut ticks = tokio::time::interval(PURGE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        app.recent().forget_old(app.now());
        let purged = app.revocations().purge(seconds(app.now())).await;
        // After the rules: a note goes when its rule has gone.
        if let Err(error) = app.annotations().purge(seconds(app.now())).await {
            tracing::error!(%error, "notes on rules that have ended could not be removed");
        }
        match app.revocations().trim_trail(audit.keep, audit.max, app.now()).await {
            Ok(0) => {}
            Ok(entries) => tracing::info!(entries, "old entries of the audit trail were removed"),
            Err(error) => tracing::error!(%error, "old entries of the audit trail could not be removed"),
        }
        match &purged {
            Ok(0) => continue,
            Ok(rules) => tracing::info!(rules, "rules that have ended were removed"),
            Err(error) => {
                tracing::error!(%error, "rules that have ended could not be removed");
                ticks.reset_after(PURGE_RETRY);
            }
        }
        app.metrics.count_write(&purged);
    }
}
