//! What tells this agent from others, for people who look at several: its host, and where it listens.

use std::fs;
use std::path::Path;

use crate::listen::Address;

/// Characters of a name.
const MAX_CHARS: usize = 64;
/// What Linux calls its host, also inside of a container.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// Such as `edge1:12345`, or `edge1:agent1` for `unix@/run/haproxy-jwt/agent1.sock`. Of several addresses the first one counts.
pub fn name(listen: &[Address]) -> String {
    let host = fs::read_to_string(HOST_NAME).unwrap_or_default();
    let place = match listen.first() {
        Some(Address::Tcp(address)) => address.rsplit(':').next().unwrap_or_default().to_owned(),
        Some(Address::Unix(path)) => stem(path),
        None => String::new(),
    };
    format!("{}:{place}", host.trim()).chars().take(MAX_CHARS).map(visible).collect()
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// It stands in a comment of a header (RFC 9110 section 5.6.5).
fn visible(letter: char) -> char {
    if letter.is_ascii_graphic() && !matches!(letter, '(' | ')' | '\\') { letter } else { '_' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_of_one_host_have_names_of_their_own() {
        let of = |address: Address| name(&[address, Address::fallback()]);
        let port = of(Address::Tcp("127.0.0.1:12346".to_owned()));
        let socket = of(Address::Unix("/run/haproxy-jwt/agent(1) \u{e9}.sock".into()));
        assert!(port.ends_with(":12346") && !port.starts_with(':'), "{port}");
        assert!(socket.ends_with(":agent_1___"), "{socket}");
        assert!(of(Address::Tcp("x".repeat(100))).len() <= MAX_CHARS);
    }
}
