//! Tells one HAProxy what its ledger has for it, over a connection that is open as long as the process that it belongs to
//! takes new ones.

use std::time::{Duration, Instant};

use tokio::time::{sleep, sleep_until};

use super::commands::{judge_changes, misses_a_lease, process};
use super::connection::{Connection, Fault, open};
use super::ledger::{Basis, Batch, Moment};
use super::{Edge, Socket};
use crate::haproxy::runtime::{self, Runtime};
use crate::listen::Address;
use crate::metrics::ByOutcome;

/// The longest time between two looks at what there is to tell: leases are renewed, entries end.
const TICK: Duration = Duration::from_millis(100);
/// Entries are gathered for so long before they are written.
const GATHERING: Duration = Duration::from_millis(5);
/// How often it is looked whether another process has taken over the socket.
const TAKEOVER: Duration = Duration::from_millis(500);
/// The pause after a connection that failed.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest silence on a connection: HAProxy closes one on which nothing is asked (`stats timeout`, 10 s by default), and one
/// that is lost is noticed before there is something to tell.
const SILENCE: Duration = Duration::from_millis(400);

/// What ended a connection that worked.
enum Ended {
    Fault(Fault),
    /// Another process has the socket now.
    TakenOver,
}

impl Edge {
    /// Tells one HAProxy, for ever.
    pub(super) async fn tell(&self, socket: &Socket) {
        let mut shown = None;
        loop {
            let outcome = match self.open(socket).await {
                Ok((runtime, process)) => {
                    tracing::info!(socket = %socket.path.display(), process, "HAProxy is given verdicts");
                    shown = None;
                    self.count_connection("opened");
                    let ended = tokio::select! {
                        fault = self.write(socket, runtime) => Ended::Fault(fault),
                        () = taken_over(socket, process) => Ended::TakenOver,
                    };
                    socket.lock().lose();
                    ended
                }
                Err(fault) => Ended::Fault(fault),
            };
            self.show(socket);
            let Ended::Fault(fault) = outcome else {
                tracing::info!(socket = %socket.path.display(), "HAProxy has another process");
                self.count_connection("taken_over");
                continue;
            };
            self.count_connection("failed");
            let why = fault.to_string();
            if shown.as_ref() != Some(&why) {
                tracing::warn!(socket = %socket.path.display(), why, "HAProxy is given no verdicts, and asks about each request");
                shown = Some(why);
            }
            sleep(PAUSE).await;
        }
    }

    async fn open(&self, socket: &Socket) -> Result<(Runtime, u32), Fault> {
        let Connection { runtime, process, leases, .. } = open(&socket.path, &self.maps).await?;
        socket.lock().connect(leases, Moment::now().now);
        Ok((runtime, process))
    }

    /// Tells what there is to tell until that fails.
    async fn write(&self, socket: &Socket, mut runtime: Runtime) -> Fault {
        let mut was_leased = false;
        let mut told = Instant::now();
        loop {
            // Before the keys are looked at: leases are counted from a moment at which these were in use.
            let moment = Moment::now();
            let (configuration, ring) = &**self.relied_on.load();
            let keys = ring.current().version;
            let batch = {
                let mut ledger = socket.lock();
                ledger.rely_on(Basis { configuration: *configuration, keys });
                if ledger.compare_clocks(moment) {
                    tracing::warn!("the time of day was set; HAProxy is given its verdicts anew");
                }
                ledger.next(self.readiness.check().is_ok(), moment)
            };
            let is_silent = moment.at.saturating_duration_since(told) >= SILENCE;
            if !batch.is_empty() || is_silent {
                told = moment.at;
                if let Err(fault) = self.carry_out(socket, &mut runtime, &batch).await {
                    return fault;
                }
            }
            let is_leased = self.show(socket);
            if was_leased && !is_leased {
                self.metrics.edge.lapses.inc();
            }
            was_leased = is_leased;
            if socket.lock().has_more() {
                continue;
            }
            tokio::select! {
                () = socket.urgent.notified() => {}
                () = ring.changed(keys) => {}
                () = gathered(socket) => {}
                () = sleep(TICK) => {}
            }
        }
    }

    /// Has HAProxy do all of a batch; an empty one only asks whether it is still there.
    async fn carry_out(&self, socket: &Socket, runtime: &mut Runtime, batch: &Batch) -> Result<(), Fault> {
        let sent = Instant::now();
        judge_changes(&runtime.ask(&self.maps.changes(batch)).await?)?;
        if !batch.leases.is_empty() {
            let answer = runtime.ask(&self.maps.leases(batch)).await?;
            judge_changes(&answer)?;
            if misses_a_lease(&answer) {
                socket.lock().doubt();
            }
        }
        self.metrics.edge.seconds.observe(sent.elapsed().as_secs_f64());
        let count = |len| u64::try_from(len).unwrap_or(u64::MAX);
        self.metrics.edge.writes.inc_by(count(batch.adds.len()));
        let removed = [&batch.voids, &batch.replaces, &batch.deletes].map(Vec::len);
        self.metrics.edge.deletions.inc_by(count(removed.iter().sum()));
        self.metrics.edge.clears.inc_by(u64::from(batch.clear));
        Ok(())
    }

    /// Shows what HAProxy has; whether it uses any of it.
    fn show(&self, socket: &Socket) -> bool {
        let (entries, is_leased) = {
            let ledger = socket.lock();
            (ledger.entries(), ledger.is_leased(Moment::now()))
        };
        let label = socket.label();
        self.metrics.edge.entries.get_or_create(&label).set(i64::try_from(entries).unwrap_or(i64::MAX));
        self.metrics.edge.leased.get_or_create(&label).set(i64::from(is_leased));
        is_leased
    }

    fn count_connection(&self, outcome: &'static str) {
        self.metrics.edge.connections.get_or_create(&ByOutcome { outcome }).inc();
    }
}

async fn gathered(socket: &Socket) {
    socket.offered.notified().await;
    sleep(GATHERING).await;
}

/// Ends when another process than this one answers on the socket. One that does not answer is no other one.
async fn taken_over(socket: &Socket, mine: u32) {
    let address = Address::Unix(socket.path.clone());
    loop {
        sleep_until((Instant::now() + TAKEOVER).into()).await;
        let answer = runtime::ask(&address, "show info").await;
        if answer.ok().and_then(|answer| process(&answer)).is_some_and(|process| process != mine) {
            return;
        }
    }
}
