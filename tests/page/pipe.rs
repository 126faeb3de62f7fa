//! The Chrome DevTools Protocol over a pair of pipes (`--remote-debugging-pipe`): JSON messages, each ended by a zero byte. No
//! port is open to others, and no library stands between.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use integration_tests::wait::DEADLINE;
use serde_json::{Value, json};

/// What both ends say.
pub(crate) struct Pipe {
    input: RefCell<ChildStdin>,
    output: Receiver<Value>,
    next: Cell<u64>,
    /// Events that no test has looked at yet.
    events: RefCell<VecDeque<Value>>,
}

impl Pipe {
    pub(crate) fn new(input: ChildStdin, output: ChildStdout) -> Self {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            let messages = BufReader::new(output).split(0).map_while(Result::ok);
            for message in messages.filter_map(|message| serde_json::from_slice(&message).ok()) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        Self { input: RefCell::new(input), output: receiver, next: Cell::new(1), events: RefCell::default() }
    }

    /// Calls a method, of a session where one is named, and waits for what it returns.
    pub(crate) fn call(
        &self,
        session: Option<&str>,
        method: &str,
        parameters: &Value,
    ) -> Result<Value, Value> {
        let id = self.next.replace(self.next.get() + 1);
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.input.borrow_mut().write_all(&bytes).unwrap_or_else(|error| panic!("{method}: {error}"));
        loop {
            let mut message = match self.output.recv_timeout(DEADLINE) {
                Ok(message) => message,
                Err(error) => panic!("the browser does not answer {method}: {error}"),
            };
            if message["id"] == id {
                return match message.get("error") {
                    None => Ok(message["result"].take()),
                    Some(error) => Err(error.clone()),
                };
            }
            self.events.borrow_mut().push_back(message);
        }
    }

    /// The events of a session so far, which are not told again.
    pub(crate) fn events(&self, session: &str) -> Vec<Value> {
        loop {
            match self.output.recv_timeout(Duration::ZERO) {
                Ok(message) => self.events.borrow_mut().push_back(message),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        let mut events = self.events.borrow_mut();
        let (own, others): (VecDeque<_>, VecDeque<_>) =
            events.drain(..).partition(|event: &Value| event["sessionId"] == session);
        *events = others;
        own.into()
    }
}
