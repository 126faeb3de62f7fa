//! A key URL that can be rotated, taken down and made to lie.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::http::read_head;
use crate::socket::{Address, Connection};

/// What the URL answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// 200 with this body, whatever it is.
    Body(String),
    /// 200 with the body of the path that is asked for, 404 elsewhere.
    Pages(BTreeMap<String, String>),
    /// This status without a body.
    Status(u16),
    /// Nothing: the connection is closed.
    Close,
    /// Nothing: the connection stays open.
    Hang,
    /// The head at once, this body a byte at a time.
    Drip(String),
}

/// The pause between two bytes that drip.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug)]
struct State {
    answer: Answer,
    fetches: usize,
    /// Connections that must not be closed, since that would be an answer.
    held: Vec<Connection>,
}

/// A server of keys over HTTP.
#[derive(Debug)]
pub struct KeyServer {
    address: Address,
    state: Arc<Mutex<State>>,
}

impl KeyServer {
    /// Starts it on a free port; it lives as long as the process.
    ///
    /// # Panics
    ///
    /// There is no free port.
    pub fn start(answer: Answer) -> Self {
        Self::start_at(&Address::Tcp(([127, 0, 0, 1], 0).into()), answer)
    }

    /// The same at an address, where there was none until now.
    ///
    /// # Panics
    ///
    /// Something else listens there.
    pub fn start_at(address: &Address, answer: Answer) -> Self {
        let listener = address.listen().unwrap();
        let address = listener.address().unwrap();
        let state = Arc::new(Mutex::new(State { answer, fetches: 0, held: Vec::new() }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            while let Ok(connection) = listener.accept() {
                let state = Arc::clone(&shared);
                thread::spawn(move || {
                    let _closed = serve(connection, &state);
                });
            }
        });
        Self { address, state }
    }

    /// Starts an OpenID issuer with these keys, and returns its name. One document is both of those that discovery asks for.
    ///
    /// # Panics
    ///
    /// There is no free port, or `jwks` is no JSON object.
    pub fn issuer(jwks: &str) -> String {
        let server = Self::start(Answer::Close);
        let url = server.url();
        let issuer = url.trim_end_matches("/jwks.json").to_owned();
        let mut document: serde_json::Value = serde_json::from_str(jwks).unwrap();
        document["issuer"] = issuer.as_str().into();
        document["jwks_uri"] = url.into();
        server.set(Answer::Body(document.to_string()));
        issuer
    }

    pub fn url(&self) -> String {
        format!("http://{}/jwks.json", self.address)
    }

    /// What all its URLs begin with.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes the answer from now on.
    pub fn set(&self, answer: Answer) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).answer = answer;
    }

    /// How often it was asked.
    pub fn fetches(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).fetches
    }
}

fn serve(connection: Connection, state: &Mutex<State>) -> io::Result<()> {
    let mut stream = BufReader::new(connection);
    while let Some((line, _)) = read_head(&mut stream)? {
        let path = line.split(' ').nth(1).unwrap_or_default();
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.fetches += 1;
        let (status, body, drips) = match state.answer.clone() {
            Answer::Body(body) => (200, body, false),
            Answer::Pages(mut pages) => match pages.remove(path) {
                Some(body) => (200, body, false),
                None => (404, String::new(), false),
            },
            Answer::Drip(body) => (200, body, true),
            Answer::Status(status) => (status, String::new(), false),
            Answer::Close => return Ok(()),
            Answer::Hang => {
                state.held.push(stream.into_inner());
                return Ok(());
            }
        };
        drop(state);
        let head = format!(
            "HTTP/1.1 {status} Keys\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if drips {
            stream.get_mut().write_all(head.as_bytes())?;
            for byte in body.as_bytes() {
                stream.get_mut().write_all(&[*byte])?;
                thread::sleep(PAUSE);
            }
        } else {
            stream.get_mut().write_all(format!("{head}{body}").as_bytes())?;
        }
    }
    Ok(())
}
