//! A client that reads decisions of agents as they come.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::time::Instant;

use serde_json::Value;

use crate::http::{Request, read_head};
use crate::socket::{Address, Connection};
use crate::wait::DEADLINE;

/// The stream of `GET /v1/decisions`.
#[derive(Debug)]
pub struct Decisions(BufReader<Connection>);

impl Decisions {
    /// Asks for the `last` ones and those that come.
    ///
    /// # Errors
    ///
    /// The status, if it is another one than 200.
    ///
    /// # Panics
    ///
    /// There is no answer.
    pub fn open(address: &Address, last: u32, bearer: Option<&str>) -> Result<Self, u16> {
        // By HTTP/1.0 a stream has no frames of its own.
        let request = Request::line(&format!("GET /v1/decisions?last={last} HTTP/1.0"));
        let request = bearer.into_iter().fold(request, Request::bearer);
        let mut stream = BufReader::new(address.connect(DEADLINE).unwrap());
        stream.get_mut().write_all(&request.to_bytes()).unwrap();
        let (line, _) = read_head(&mut stream).unwrap().unwrap();
        match line.split(' ').nth(1).unwrap().parse().unwrap() {
            200 => Ok(Self(stream)),
            status => Err(status),
        }
    }

    /// Reads until a line is as wanted.
    ///
    /// # Panics
    ///
    /// None is, or the stream ends.
    pub fn until(&mut self, what: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + DEADLINE;
        while Instant::now() < end {
            let line = self.line().unwrap_or_else(|| panic!("the stream has ended without {what}"));
            let line: Value = serde_json::from_str(&line).unwrap();
            if is_wanted(&line) {
                return line;
            }
        }
        panic!("waited {DEADLINE:?} in vain: {what}")
    }

    /// What is left, to its end.
    pub fn rest(mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).unwrap();
        rest
    }

    /// The next line; absent at the end.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.0.read_line(&mut line).unwrap() > 0).then_some(line)
    }
}
