//! A name server that gives another address at each question, as those do that have more addresses than they tell.
//!
//! A mock: real ones turn the order of what they tell, or choose by chance; this one changes its answer surely, each time.
//! RFC 1035, section 4.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::port::free_port;
use crate::process::started_by;

/// The port that a resolver asks.
const PORT: u16 = 53;
/// QTYPE of a question for an IPv4 address.
const A: [u8; 2] = [0, 1];
/// How soon a thread that waits for questions sees that there will be none.
const LOOK: Duration = Duration::from_millis(50);

/// Ends when it is dropped.
#[derive(Debug)]
pub struct NameServer {
    address: Ipv4Addr,
    told: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// Tells one of `addresses` for whatever name, in turns.
    ///
    /// # Panics
    ///
    /// This process may not: port 53 takes root.
    pub fn start(addresses: Vec<Ipv4Addr>) -> Self {
        // A claimed port is a number that no other run has at the same time; 127/8 is all ours.
        let [high, low] = free_port().unwrap().to_be_bytes();
        let address = Ipv4Addr::new(127, 53, high, low);
        let socket = UdpSocket::bind((address, PORT)).unwrap();
        socket.set_read_timeout(Some(LOOK)).unwrap();
        let (told, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let thread = {
            let (told, stopped) = (Arc::clone(&told), Arc::clone(&stopped));
            thread::spawn(move || {
                let mut question = [0; 512];
                while !stopped.load(Ordering::Relaxed) {
                    let Ok((length, from)) = socket.recv_from(&mut question) else { continue };
                    let next = addresses[told.load(Ordering::Relaxed) % addresses.len()];
                    let Some((answer, is_told)) = answer(&question[..length], next) else { continue };
                    let _unheard = socket.send_to(&answer, from);
                    told.fetch_add(usize::from(is_told), Ordering::Relaxed);
                }
            })
        };
        Self { address, told, stopped, thread: Some(thread) }
    }

    /// How many addresses it has told.
    pub fn told(&self) -> usize {
        self.told.load(Ordering::Relaxed)
    }

    /// The command, run where this is the name server; `folder` holds what says so.
    ///
    /// # Panics
    ///
    /// The folder cannot be written.
    pub fn command(&self, program: &Command, folder: &Path) -> Command {
        let resolv = folder.join("resolv.conf");
        fs::write(&resolv, format!("nameserver {}\n", self.address)).unwrap();
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", r#"mount --bind "$0" /etc/resolv.conf && exec "$@""#]);
        command.arg(resolv);
        started_by(command, program)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// The answer to a question, and whether it tells the address; `None` to what is no question.
///
/// ```text
/// header, 12 bytes: id, flags, then how many questions, answers, authorities, additional records
/// question: labels, each after its length, until an empty one; type, class
/// ```
fn answer(question: &[u8], address: Ipv4Addr) -> Option<(Vec<u8>, bool)> {
    let mut end = 12;
    while *question.get(end)? > 0 {
        end += 1 + usize::from(question[end]);
    }
    end += 5;
    let is_for_address = question.get(end - 4..end - 2)? == A;
    let mut answer = question.get(..end)?.to_vec();
    // A response, recursion desired and available, no error.
    answer[2..4].copy_from_slice(&[0x81, 0x80]);
    answer[4..12].copy_from_slice(&[0, 1, 0, u8::from(is_for_address), 0, 0, 0, 0]);
    if is_for_address {
        // The name of the question, an address, IN, for no time at all, four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(address.octets());
    }
    Some((answer, is_for_address))
}
