//! What HAProxy tells of its streams: lines of `show sess` and `show sess all` (management guide, section 9.3).
//!
//! The forms are those of 2.6, 3.0, 3.2 and 3.4, which begin alike:
//!
//! ```text
//! show sess       0x7f6beb07a000: proto=tcpv4 src=127.0.0.1:36110 fe=web be=app srv=s ...
//! show sess all   0x7f6beb07a000: [28/Nov/2026:17:27:12.085204] id=1 proto=tcpv4 source=127.0.0.1:36110
//!                   flags=0xc4a, conn_retries=0, ... waiting=0 epoch=0x7
//! ```
//!
//! The address is the other end of the connection, not the client that a PROXY header or `set-src` names; that of a unix socket is
//! `unix:` and a number. From 3.1 on a question to an agent is a stream as well, of no connection: `id=9 proto=?`, and nothing behind.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Where a stream is in the memory of HAProxy, which uses the place again once it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Pointer(u64);

impl fmt::Display for Pointer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:#x}", self.0)
    }
}

/// What the long list tells of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listed {
    /// Where it is.
    pub pointer: Pointer,
    /// Its number.
    pub number: u64,
    /// The other end of its connection; absent where that is a unix socket, or where it has none.
    pub client: Option<SocketAddr>,
}

/// The stream of a line of `show sess`, and the other end of its connection.
pub(super) fn short(line: &str) -> Option<(Pointer, Option<SocketAddr>)> {
    let (pointer, rest) = stream(line)?;
    Some((pointer, address(word(rest, "src=")?)))
}

/// The stream of a first line of `show sess all` or `show sess <pointer>`.
pub(super) fn long(line: &str) -> Option<Listed> {
    let (pointer, rest) = stream(line)?;
    let number = word(rest, "id=")?.parse().ok()?;
    Some(Listed { pointer, number, client: word(rest, "source=").and_then(address) })
}

/// The stream of a line of `show sess` that is a connection to a stats socket which is a unix socket.
pub(super) fn socket(line: &str) -> Option<Pointer> {
    let (pointer, rest) = stream(line)?;
    (word(rest, "src=")?.starts_with("unix:") && word(rest, "fe=")? == "GLOBAL").then_some(pointer)
}

/// The count of a line of `show sess <pointer>` that has it.
pub(super) fn epoch(line: &str) -> Option<u32> {
    let count = word(line, "epoch=")?;
    // The `#` of the C language's `%#x` leaves a zero alone.
    u32::from_str_radix(count.strip_prefix("0x").unwrap_or(count), 16).ok()
}

/// An address in one form: an IPv4 address is one also where an IPv6 socket names it.
pub(super) fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn stream(line: &str) -> Option<(Pointer, &str)> {
    let (pointer, rest) = line.trim_start_matches("> ").strip_prefix("0x")?.split_once(": ")?;
    Some((Pointer(u64::from_str_radix(pointer, 16).ok()?), rest))
}

fn word<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(' ').find_map(|word| word.strip_prefix(name))
}

/// An address and a port, where IPv6 stands without brackets.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.rsplit_once(':')?;
    Some(plain(SocketAddr::new(address.parse::<IpAddr>().ok()?, port.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_short_list_has_a_pointer_and_the_other_end() {
        let at = |address: &str| Some(address.parse().unwrap());
        for (line, expected) in [
            (
                "0x55c482f1ec60: proto=tcpv4 src=127.0.0.1:33800 fe=fe be=app srv=s ts=00 epoch=0 age=2s calls=3 rate=0",
                Some((Pointer(0x55c4_82f1_ec60), at("127.0.0.1:33800"))),
            ),
            ("> 0x1: proto=tcpv6 src=::1:59812 fe=fe be=app", Some((Pointer(1), at("[::1]:59812")))),
            ("0x1: proto=tcpv6 src=::ffff:192.0.2.7:5 fe=fe", Some((Pointer(1), at("192.0.2.7:5")))),
            ("0x1: proto=unix_stream src=unix:3 fe=fe be=app srv=s", Some((Pointer(1), None))),
            ("0x1: proto=? src= fe=fe", Some((Pointer(1), None))),
            ("0x1: [28/Nov/2026:17:27:10.109003] id=1 proto=tcpv4 source=127.0.0.1:33800", None),
            ("0x1 proto=tcpv4 src=127.0.0.1:33800", None),
            ("0xz: proto=tcpv4 src=127.0.0.1:33800", None),
            ("0x10000000000000000: proto=tcpv4 src=127.0.0.1:33800", None),
            ("  task=0x55c4830873c0 (state=0x00 nice=0)", None),
            ("", None),
        ] {
            assert_eq!(short(line), expected, "{line}");
        }
    }

    #[test]
    fn a_first_line_of_the_long_list_has_a_number_as_well() {
        let listed = |pointer, number, client: &str| {
            Some(Listed { pointer: Pointer(pointer), number, client: client.parse().ok() })
        };
        for (line, expected) in [
            (
                "0x7f94f40474a0: [28/Nov/2026:17:27:11.344486] id=8 proto=tcpv4 source=127.0.0.1:49048",
                listed(0x7f94_f404_74a0, 8, "127.0.0.1:49048"),
            ),
            (
                "> 0x1: [28/Nov/2026:17:27:11.3] id=4294967295 proto=tcpv6 source=2001:db8::7:5",
                listed(1, 4_294_967_295, "[2001:db8::7]:5"),
            ),
            ("0x1: [28/Nov/2026:17:27:11.3] id=0 proto=unix_stream source=unix:3", listed(1, 0, "")),
            ("0x1: [29/Nov/2026:03:24:22.485523] id=13887 proto=?", listed(1, 13_887, "")),
            ("  frontend=fe (id=2 mode=http), listener=? (id=1) addr=127.0.0.1:46747", None),
            ("0x1: proto=tcpv4 src=127.0.0.1:33800", None),
            ("0x1: [28/Nov/2026:17:27:11.3] id=x proto=tcpv4 source=127.0.0.1:49048", None),
            ("Session not found.", None),
        ] {
            assert_eq!(long(line), expected, "{line}");
        }
    }

    #[test]
    fn a_line_of_a_stats_socket_has_its_place() {
        for (line, expected) in [
            (
                "0x5: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0x5",
                Some(Pointer(5)),
            ),
            ("0x5: proto=tcpv4 src=127.0.0.1:1 fe=GLOBAL be=<NONE>", None),
            ("0x5: proto=unix_stream src=unix:1 fe=web be=app", None),
            ("0x5: proto=? fe=GLOBAL", None),
        ] {
            assert_eq!(socket(line), expected, "{line}");
        }
    }

    #[test]
    fn a_count_is_in_the_second_line_of_one_stream() {
        for (line, expected) in [
            ("  flags=0x8, conn_retries=0, pend_pos=(nil) waiting=0 epoch=0x1f", Some(31)),
            ("  flags=0x8, conn_retries=0, pend_pos=(nil) waiting=0 epoch=0", Some(0)),
            ("  flags=0x8, waiting=0 epoch=0xffffffff p_stc=0", Some(u32::MAX)),
            ("  flags=0x8, waiting=0 epoch=0x100000000", None),
            ("  flags=0x8, waiting=0", None),
        ] {
            assert_eq!(epoch(line), expected, "{line}");
        }
    }

    #[test]
    fn a_pointer_is_written_as_it_was_read() {
        assert_eq!(stream("0x7f00: x").unwrap().0.to_string(), "0x7f00");
    }
}
