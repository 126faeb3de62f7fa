use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::*;

fn background() -> (Background, Readiness, TaskMetrics) {
    let (readiness, metrics) = (Readiness::new(), TaskMetrics::default());
    (Background::new(Shutdown::new(), readiness.clone(), metrics.clone()), readiness, metrics)
}

/// How a task ends that nothing asks to.
async fn ends(panics: bool) {
    tokio::task::yield_now().await;
    assert!(!panics, "as the test wants");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_or_ends_unasked_is_counted_and_begun_anew_after_a_pause() {
    for panics in [true, false] {
        let (background, readiness, metrics) = background();
        let begun = Arc::new(AtomicUsize::new(0));
        let (counted, shutdown) = (Arc::clone(&begun), background.shutdown().clone());
        let start = Instant::now();
        background.keep("sweeper", move || {
            let (count, shutdown) = (counted.fetch_add(1, Ordering::SeqCst), shutdown.clone());
            async move {
                if count < 3 {
                    ends(panics).await;
                } else {
                    shutdown.cancelled().await;
                }
            }
        });
        while begun.load(Ordering::SeqCst) < 4 {
            sleep(PAUSE / 4).await;
        }
        assert!(start.elapsed() >= PAUSE * (1 + 2 + 4), "the pause grows");
        assert_eq!(metrics.of("sweeper").get(), 3, "panics: {panics}");
        assert_eq!(readiness.check(), Ok(()));
        background.shutdown().cancel();
        background.ended().await;
        assert_eq!((metrics.of("sweeper").get(), begun.load(Ordering::SeqCst)), (3, 4));
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_cannot_be_begun_anew_leaves_the_process_not_ready() {
    for panics in [true, false] {
        let (background, readiness, metrics) = background();
        background.run("listener", ends(panics)).await.unwrap();
        background.is_lost().await;
        assert_eq!(metrics.of("listener").get(), 1);
        let why = readiness.check().unwrap_err();
        assert_eq!(why, "tasks: listener ended; only a restart brings it back");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_as_it_was_asked_to_is_not_lost_and_one_that_panics_then_is_counted() {
    let (background, readiness, metrics) = background();
    let child = background.child();
    let until = |background: &Background| {
        let shutdown = background.shutdown().clone();
        async move { shutdown.cancelled().await }
    };
    let obeying = child.run("obeys", until(&child));
    let panicking = child.run("panics", {
        let asked = until(&child);
        async move {
            asked.await;
            ends(true).await;
        }
    });
    let staying = background.run("stays", until(&background));
    child.shutdown().cancel();
    obeying.await.unwrap();
    panicking.await.unwrap();
    assert!(!staying.is_finished(), "only the child's were asked");
    background.shutdown().cancel();
    background.ended().await;
    let lost = ["obeys", "panics", "stays"].map(|task| metrics.of(task).get());
    assert_eq!((lost, readiness.check()), ([0, 1, 0], Ok(())));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_in_time_is_cut_off_and_what_it_holds_is_dropped() {
    let (background, readiness, metrics) = background();
    let held = Arc::new(Notify::new());
    let hangs = |held: Arc<Notify>| async move {
        std::future::pending::<()>().await;
        drop(held);
    };
    background.run("hangs", hangs(Arc::clone(&held)));
    let again = Arc::clone(&held);
    background.keep("hangs", move || hangs(Arc::clone(&again)));
    tokio::task::yield_now().await;
    background.shutdown().cancel();
    assert_eq!(background.left(), 2);
    background.cut_off().await;
    assert_eq!((background.left(), Arc::strong_count(&held)), (0, 1));
    assert_eq!((metrics.of("hangs").get(), readiness.check()), (0, Ok(())));
}
