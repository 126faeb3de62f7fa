//! Clients of a TLS listener that have certificates of their own making: curl and openssl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use aws_lc_rs::digest::{SHA256, digest};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::keys::key;
use crate::scan::note_header;
use crate::token::token;

/// A client, which signs its certificate itself.
#[derive(Debug)]
pub struct TlsClient {
    pub cert: PathBuf,
    pub key: PathBuf,
    pub der: Vec<u8>,
    /// Its public key, with the certificate (RFC 7517 section 4.7).
    pub jwk: Value,
}

impl TlsClient {
    /// With `<name>.pem` and `<name>.key` in the folder.
    ///
    /// # Panics
    ///
    /// The folder is gone.
    pub fn new(folder: &Path, name: &str) -> Self {
        let pair = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&pair).unwrap();
        let path = |end: &str| folder.join(format!("{name}.{end}"));
        let der = certificate.der().to_vec();
        // SEC 1 section 2.3.3: 0x04, then both coordinates.
        let (x, y) = pair.public_key_raw()[1..].split_at(32);
        let [x, y] = [x, y].map(|number| BASE64_URL_SAFE_NO_PAD.encode(number));
        let jwk = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": name, "x5c": [BASE64_STANDARD.encode(&der)]});
        let client = Self { cert: path("pem"), key: path("key"), der, jwk };
        fs::write(&client.cert, certificate.pem()).unwrap();
        fs::write(&client.key, pair.serialize_pem()).unwrap();
        client
    }

    /// What a token that is bound to its certificate holds (RFC 8705 section 3.1).
    pub fn thumbprint(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, &self.der))
    }

    /// A token that is bound to its certificate.
    ///
    /// # Panics
    ///
    /// `more` is no object.
    pub fn token(&self, more: Value) -> String {
        let mut claims = json!({"cnf": {"x5t#S256": self.thumbprint()}});
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        token(key("ES256"), claims)
    }

    /// Has curl show its certificate.
    pub fn show(&self, curl: &mut Command) {
        curl.arg("--cert").arg(&self.cert).arg("--key").arg(&self.key);
    }
}

/// What came back: the status, and the head of the answer with what follows.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
}

impl Answer {
    /// # Panics
    ///
    /// It is no answer.
    pub fn read(text: &str) -> Self {
        let status = text.split_whitespace().nth(1).and_then(|status| status.parse().ok());
        Self { status: status.unwrap_or_else(|| panic!("no answer: {text}")), head: text.to_owned() }
    }

    /// The value of the first header of this name; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        let values = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = values.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        values.next().map_or("", |(_, value)| value.trim())
    }
}

/// curl at the listener that [`tls_listener::add`](crate::tls_listener::add) has made in this folder.
pub fn curl(folder: &Path, client: Option<&TlsClient>, headers: &[(&str, &str)], more: &[&str]) -> Answer {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--include", "--unix-socket"]);
    curl.arg(folder.join("tls.sock")).arg("--cacert").arg(folder.join("ca.pem"));
    if let Some(client) = client {
        client.show(&mut curl);
    }
    for (name, value) in headers {
        note_header(name, value.as_bytes());
        curl.args(["--header", &format!("{name}: {value}")]);
    }
    answer(curl.args(more).arg("https://localhost/api"))
}

/// What curl prints with `--include`.
///
/// # Panics
///
/// It fails; with what it said.
pub fn answer(curl: &mut Command) -> Answer {
    let output = curl.output().unwrap();
    assert!(output.status.success(), "{curl:?}: {}", String::from_utf8_lossy(&output.stderr));
    Answer::read(&String::from_utf8_lossy(&output.stdout))
}
