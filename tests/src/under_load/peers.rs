//! Peers of an agent that are not HAProxy: silent, slow, or absurd.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::socket::{Address, Connection};

/// How long an agent may take to accept, or to close what it does not like.
const PATIENCE: Duration = Duration::from_millis(500);

/// The pause of a slow peer between two bytes.
const PAUSE: Duration = Duration::from_millis(20);

/// Slow, or absurd, peers at a time.
const MANY: usize = 8;

/// Lengths of a frame: none, less than a header, more than the greatest frame, all that there is.
const LENGTHS: [u32; 6] = [0, 1, 6, 16_385, 1 << 31, u32::MAX];

/// Connections that are kept, or made anew, until this is dropped.
#[derive(Debug)]
pub struct Peers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    _kept: Vec<Connection>,
}

impl Peers {
    /// As many connections as the agent takes, up to `count`, on which nothing is said.
    pub fn silent(agent: &Address, count: usize) -> Self {
        let kept = (0..count).map_while(|_| agent.connect(PATIENCE).ok()).collect();
        Self { stop: Arc::default(), threads: Vec::new(), _kept: kept }
    }

    /// A frame that takes minutes to arrive.
    pub fn slow(agent: &Address) -> Self {
        // A HELLO of HAProxy, as far as its length and type.
        let mut frame = 16_000_u32.to_be_bytes().to_vec();
        frame.extend([1, 0, 0, 0, 1, 0, 0]);
        frame.resize(16_004, 0);
        Self::start(agent, move |agent, stop| {
            let Ok(mut connection) = agent.connect(PATIENCE) else { return };
            for byte in &frame {
                if stop.load(Ordering::Relaxed) || connection.write_all(&[*byte]).is_err() {
                    return;
                }
                thread::sleep(PAUSE);
            }
        })
    }

    /// Frames whose length cannot be right, followed by what looks like one.
    pub fn absurd(agent: &Address) -> Self {
        Self::start(agent, |agent, _| {
            for length in LENGTHS {
                let Ok(mut connection) = agent.connect(PATIENCE) else { return };
                let mut bytes = length.to_be_bytes().to_vec();
                bytes.extend([3, 0, 0, 0, 1, 0, 0]);
                bytes.resize(1_024, 0xff);
                // The agent may have closed already.
                let _closed = connection.write_all(&bytes);
                let _closed = connection.read(&mut [0; 256]);
            }
        })
    }

    /// Lets many do this again and again.
    fn start(agent: &Address, act: impl Fn(&Address, &AtomicBool) + Send + Sync + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let act = Arc::new(act);
        let peer = || {
            let (agent, stop, act) = (agent.clone(), Arc::clone(&stop), Arc::clone(&act));
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    act(&agent, &stop);
                    thread::sleep(PAUSE);
                }
            })
        };
        let threads = (0..MANY).map(|_| peer()).collect();
        Self { stop, threads, _kept: Vec::new() }
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for peer in self.threads.drain(..) {
            let _panicked = peer.join();
        }
    }
}
