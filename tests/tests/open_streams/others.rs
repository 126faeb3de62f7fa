//! Other programs that ask a HAProxy for its streams.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use integration_tests::socket::{Address, Connection};
use integration_tests::wait::DEADLINE;

/// Between two questions of one: a list takes longer.
const PAUSE: Duration = Duration::from_millis(2);

/// Other programs that ask HAProxy for a stream all the time, each over a connection that is as old as this.
pub(super) struct Others {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Others {
    pub(super) fn start(socket: PathBuf, count: usize) -> Self {
        let (socket, is_over) = (Address::Unix(socket), Arc::new(AtomicBool::new(false)));
        let threads = (0..count).map(|_| {
            let mut connection = socket.connect(DEADLINE).unwrap();
            ask_on(&mut connection, "prompt");
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    ask_on(&mut connection, "show sess 0x1");
                    thread::sleep(PAUSE);
                }
            })
        });
        Self { threads: threads.collect(), is_over }
    }

    pub(super) fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// Gives one command, and reads up to the prompt behind its answer.
fn ask_on(connection: &mut Connection, command: &str) {
    connection.write_all(format!("{command}\n").as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\n> ") {
        let mut some = [0; 256];
        let read = connection.read(&mut some).unwrap();
        assert!(read > 0, "HAProxy has closed the connection");
        answer.extend(&some[..read]);
    }
}
