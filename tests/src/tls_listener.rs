//! HAProxy's own TLS in shipped files: a listener beside the plain one, which most suites speak to.

use std::fs;
use std::path::Path;

use crate::authority::{Authority, Identity};

/// The plain listener of the shipped files.
const PLAIN: &str = "    bind \"${EDGE_BIND}\"\n";

/// The file with a TLS listener at `tls.sock` of the folder, in which `ca.pem` is the authority of its certificate: the line of
/// the file itself where that has TLS, which gets a plain one beside it then; else the line of docs/BINDING.md. A file that has
/// got it already stays as it is.
///
/// # Panics
///
/// There is no such line, or the folder is gone.
pub fn add(text: &str, folder: &Path) -> String {
    let path = |name: &str| folder.join(name).display().to_string();
    if Path::new(&path("server.pem")).exists() {
        return text.to_owned();
    }
    let authority = Authority::new(folder.join("ca.pem"));
    let Identity { cert, key } = authority.issue(folder, "localhost");
    let both = fs::read_to_string(cert).unwrap() + &fs::read_to_string(key).unwrap();
    fs::write(folder.join("server.pem"), both).unwrap();
    let own = text.lines().find(|line| line.starts_with("    bind \"${EDGE_BIND}\" ssl "));
    let documented = "    bind \"${EDGE_BIND}\" ssl crt \"${SITE_PEM}\" ca-file \"${CLIENT_CA}\" verify optional \
                      ca-ignore-err all crt-ignore-err all alpn h2,http/1.1";
    let listener = own
        .unwrap_or(documented)
        .replace("${EDGE_BIND}", &format!("unix@{}", path("tls.sock")))
        .replace("${SITE_PEM}", &path("server.pem"))
        .replace("${CLIENT_CA}", &path("ca.pem"));
    let replaced = own.map_or_else(|| PLAIN.to_owned(), |line| format!("{line}\n"));
    assert_eq!(text.matches(&replaced).count(), 1, "{text}");
    text.replace(&replaced, &format!("{PLAIN}{listener}\n"))
        .replace("${DPOP_PEERS}", &format!("unix@{}", path("peers.sock")))
}
