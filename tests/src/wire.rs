//! A wire between a client and a TCP server that can be cut: what is connected ends, and connects anew.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A wire to one server. Its threads end with the process.
#[derive(Debug)]
pub struct Wire {
    /// The port on this machine that leads to the server.
    pub port: u16,
    connected: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    /// # Panics
    ///
    /// No port is free.
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connected = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&connected);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A server that does not answer is one that hangs up.
                connect(client, server, &all).ok();
            }
        });
        Self { port, connected }
    }

    /// Ends every connection.
    pub fn cut(&self) {
        for stream in self.connected.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // The one that has ended already is cut.
            stream.shutdown(Shutdown::Both).ok();
        }
    }
}

fn connect(client: TcpStream, server: SocketAddr, all: &Mutex<Vec<TcpStream>>) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let kept = [client.try_clone()?, server.try_clone()?];
    all.lock().unwrap_or_else(PoisonError::into_inner).extend(kept);
    for (mut from, mut to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
        thread::spawn(move || {
            io::copy(&mut from, &mut to).ok();
            to.shutdown(Shutdown::Both).ok();
            from.shutdown(Shutdown::Both).ok();
        });
    }
    Ok(())
}
