//! SIGINT, SIGTERM and SIGHUP, as something that a plain thread can wait for.

use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;
use std::{cell::Cell, io};

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Error;

/// The signals that end the demo.
pub(super) struct Signals {
    receiver: Receiver<()>,
    came: Cell<bool>,
}

impl Signals {
    /// Catches them from now on.
    pub(super) fn install() -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().enable_io().build().map_err(Error::Signals)?;
        let guard = runtime.enter();
        let [mut interrupt, mut terminate, mut hangup] =
            catch([SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()])
                .map_err(Error::Signals)?;
        drop(guard);
        let (sender, receiver) = channel();
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
            });
            // Nothing listens once the demo is over.
            let _over = sender.send(());
        });
        Ok(Self { receiver, came: Cell::new(false) })
    }

    /// Waits for one, no longer than `patience`.
    pub(super) fn wait(&self, patience: Duration) {
        if self.receiver.recv_timeout(patience).is_ok() {
            self.came.set(true);
        }
    }

    /// Whether one has come.
    pub(super) fn came(&self) -> bool {
        self.wait(Duration::ZERO);
        self.came.get()
    }
}

fn catch<const N: usize>(kinds: [SignalKind; N]) -> io::Result<[Signal; N]> {
    let caught: Vec<Signal> = kinds.into_iter().map(signal).collect::<io::Result<_>>()?;
    caught.try_into().map_err(|_| io::Error::other("not every signal can be caught"))
}
