//! A web server of documents: every host of a configuration can be it, each as a first folder of its paths.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write};
use std::sync::Arc;
use std::thread;

use crate::http::{header, read_head};
use crate::socket::{Address, Connection, Listener};

/// What is served under a path.
#[derive(Debug, Clone)]
pub struct Document {
    pub body: String,
    /// Only a request with this bearer token gets it.
    pub bearer: Option<String>,
}

/// A server that has no documents yet.
#[derive(Debug)]
pub struct Documents {
    listener: Listener,
    origin: String,
}

impl Documents {
    /// Listens on a free port.
    ///
    /// # Panics
    ///
    /// There is none.
    pub fn listen() -> Self {
        let listener = Address::Tcp(([127, 0, 0, 1], 0).into()).listen().unwrap();
        let origin = format!("http://{}", listener.address().unwrap());
        Self { listener, origin }
    }

    /// A text in which every `https://host/path` is `http://127.0.0.1:port/host/path`, where the same document is.
    pub fn moved(&self, text: &str) -> String {
        text.replace("https://", &format!("{}/", self.origin))
    }

    /// Serves documents, by their URLs; it lives as long as the process.
    pub fn serve(self, documents: BTreeMap<String, Document>) {
        let documents = Arc::new(documents);
        thread::spawn(move || {
            while let Ok(connection) = self.listener.accept() {
                let (documents, origin) = (Arc::clone(&documents), self.origin.clone());
                thread::spawn(move || {
                    let _closed = answer(connection, &origin, &documents);
                });
            }
        });
    }
}

fn answer(connection: Connection, origin: &str, documents: &BTreeMap<String, Document>) -> io::Result<()> {
    let mut stream = BufReader::new(connection);
    while let Some((line, headers)) = read_head(&mut stream)? {
        let path = line.split(' ').nth(1).unwrap_or_default();
        let shown = header(&headers, "authorization");
        let (status, body) = match documents.get(&format!("{origin}{path}")) {
            None => (404, ""),
            Some(Document { bearer: Some(bearer), .. }) if shown != Some(&format!("Bearer {bearer}")) => {
                (401, "")
            }
            Some(document) => (200, document.body.as_str()),
        };
        let head = format!(
            "HTTP/1.1 {status} Document\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.get_mut().write_all(format!("{head}{body}").as_bytes())?;
    }
    Ok(())
}
