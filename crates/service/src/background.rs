//! Tasks that run as long as the process. Each has a name, and an end that it was not asked for does not pass unnoticed:
//! it is logged and counted, and the task is begun anew. Where it cannot be, the process is not ready from then on.

#[cfg(test)]
mod tests;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

use crate::readiness::{Cause, Readiness};
use crate::shutdown::Shutdown;

/// The pause before a task is begun anew. It doubles up to [`LONGEST_PAUSE`] for one that ends each time, and is short again
/// after one that ran for longer than that.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The label of a count: which task.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByTask {
    task: &'static str,
}

/// How often each task ended unasked.
#[derive(Debug, Clone, Default)]
pub struct TaskMetrics {
    lost: Family<ByTask, Counter>,
}

impl TaskMetrics {
    /// Registers them under the prefix of `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "tasks_lost",
            "Background tasks that panicked or ended without being asked to, by task",
            metrics.lost.clone(),
        );
        metrics
    }

    fn of(&self, task: &'static str) -> Counter {
        self.lost.get_or_create(&ByTask { task }).clone()
    }
}

/// Owns the tasks of a process, and ends them. Clones are the same.
#[derive(Debug, Clone)]
pub struct Background {
    tasks: TaskTracker,
    shutdown: Shutdown,
    /// Drops the tasks where they stand.
    cut: Shutdown,
    /// A task is lost for good.
    lost: Shutdown,
    readiness: Readiness,
    metrics: Arc<TaskMetrics>,
}

impl Background {
    /// No task yet. `shutdown` asks all of them to end.
    pub fn new(shutdown: Shutdown, readiness: Readiness, metrics: TaskMetrics) -> Self {
        let (cut, lost) = (Shutdown::new(), Shutdown::new());
        Self { tasks: TaskTracker::new(), shutdown, cut, lost, readiness, metrics: Arc::new(metrics) }
    }

    /// The same owner, for tasks that may be asked to end before all others.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { shutdown: self.shutdown.child_token(), ..self.clone() }
    }

    /// Asks the tasks to end.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Runs a task that cannot be begun anew, since what it has is lost with it.
    pub fn run(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let this = self.clone();
        self.spawn(name, async move {
            if !this.ends_as_asked(name, task).await {
                this.readiness.block(Cause::Tasks, format!("{name} ended; only a restart brings it back"));
                this.lost.cancel();
            }
        })
    }

    /// Runs a task, and begins it anew whenever it ends unasked. The first time it is begun before this returns.
    pub fn keep<F>(&self, name: &'static str, mut begin: impl FnMut() -> F + Send + 'static) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (this, first) = (self.clone(), begin());
        self.spawn(name, async move {
            let (mut pause, mut begun) = (PAUSE, Instant::now());
            let mut has_ended = this.ends_as_asked(name, first).await;
            while !has_ended {
                if begun.elapsed() > LONGEST_PAUSE {
                    pause = PAUSE;
                }
                tokio::select! {
                    () = sleep(pause) => {}
                    () = this.shutdown.cancelled() => return,
                }
                (pause, begun) = (LONGEST_PAUSE.min(pause.saturating_mul(2)), Instant::now());
                has_ended = this.ends_as_asked(name, async { begin().await }).await;
            }
        })
    }

    /// Notes the end of a task that another one owns and replaces.
    pub fn note_lost(&self, name: &'static str, how: &str) {
        self.metrics.of(name).inc();
        tracing::error!(task = name, how, "a background task was lost");
    }

    /// Ends when a task is lost that cannot be begun anew.
    pub async fn is_lost(&self) {
        self.lost.cancelled().await;
    }

    /// Tasks that have not ended.
    pub fn left(&self) -> usize {
        self.tasks.len()
    }

    /// Ends when all tasks have, also those of children.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Drops all tasks where they stand.
    pub async fn cut_off(&self) {
        self.cut.cancel();
        self.ended().await;
    }

    fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        // Shown from the start, with 0.
        self.metrics.of(name);
        let cut = self.cut.clone();
        self.tasks.spawn(async move {
            // Nothing is to be said of a task that was cut off.
            cut.run_until_cancelled(task).await;
        })
    }

    /// Runs a task, and tells whether it ended as it was asked to, or need not be there any more.
    async fn ends_as_asked(&self, name: &'static str, task: impl Future<Output = ()>) -> bool {
        let ended = AssertUnwindSafe(task).catch_unwind().await;
        let is_asked = self.shutdown.is_cancelled();
        match ended {
            Ok(()) if is_asked => {}
            Ok(()) => self.note_lost(name, "it ended without being asked to"),
            Err(_) => self.note_lost(name, "it panicked"),
        }
        is_asked
    }
}
