//! A peer that does not read our answers, or slowly.

use std::future::Ready;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpStream, UnixStream};
use tracing::Span;

use super::super::*;
use super::peer::{AGENT_HELLO, Peer, hello, notify};
use crate::listen::{Address, Listener, Peer as Who, Stream};
use crate::spoa::frame::Notify;

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_left_in_a_fraction_of_a_second_though_it_goes_on_to_ask() {
    let unread = Arc::new(AtomicUsize::new(0));
    let mut peer = Peer::asking(Arc::new(Verbose(Arc::clone(&unread))));
    peer.send(&hello(false, "2.0", 16380)).await;
    assert_eq!(peer.answer().await.unwrap().kind, AGENT_HELLO);
    let begun = Instant::now();
    let asked = async {
        for id in 0.. {
            if peer.stream.write_all(&notify(id, "")).await.is_err() {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), asked).await.expect("the connection ends");
    assert_eq!(begun.elapsed(), UNREAD_TIMEOUT, "and no farewell is waited for");
    peer.serving.await.unwrap();
    assert_eq!(unread.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn who_reads_slowly_is_served() {
    let mut peer = Peer::asking(Arc::new(Verbose(Arc::default())));
    peer.send(&hello(false, "2.0", 16380)).await;
    assert_eq!(peer.answer().await.unwrap().kind, AGENT_HELLO);
    let (reader, mut writer) = tokio::io::split(peer.stream);
    let all: Vec<u8> = (0..400).flat_map(|id| notify(id, "")).collect();
    let asking = tokio::spawn(async move { writer.write_all(&all).await });
    let mut reader = reader.take(400 * Verbose::LEN);
    let (mut read, mut chunk) = (0, vec![0; 64 * 1024]);
    while read < 400 * Verbose::LEN {
        tokio::time::sleep(UNREAD_TIMEOUT - Duration::from_millis(1)).await;
        let more = reader.read(&mut chunk).await.unwrap();
        assert!(more > 0, "it was ended after {read} bytes");
        read += u64::try_from(more).unwrap();
    }
    asking.await.unwrap().unwrap();
}

/// Gives answers of many bytes to everything, and counts those whose answers were not read.
struct Verbose(Arc<AtomicUsize>);

impl Verbose {
    /// Bytes of one answer: more than 200 of them are more than a connection holds.
    const LEN: u64 = 8_000;
}

impl Respond for Verbose {
    type Request<'a> = ();

    fn answer(
        &self,
        _: &Notify<()>,
        _: u32,
        _: &mut DecidingTime,
        out: &mut Vec<u8>,
    ) -> Option<impl Future<Output = Vec<u8>> + Send + 'static + use<>> {
        out.resize(usize::try_from(Self::LEN).unwrap(), 0);
        None::<Ready<Vec<u8>>>
    }

    fn answer_health_check(&self) -> bool {
        true
    }

    fn count_fault(&self, fault: &Fault) {
        assert_eq!(*fault, Fault::Unread);
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn who_does_not_read_is_left_over_any_socket_and_the_system_tells_who_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    for address in [Address::Tcp("127.0.0.1:0".to_owned()), Address::Unix(path.clone())] {
        let listener = Listener::bind(&address).await.unwrap();
        let (mut peer, expected): (Box<dyn Stream>, Who) = match &listener {
            Listener::Tcp(tcp) => {
                let peer = TcpStream::connect(tcp.local_addr().unwrap()).await.unwrap();
                let expected = Who::Tcp(peer.local_addr().unwrap());
                (Box::new(peer), expected)
            }
            Listener::Unix(..) => {
                let process = i32::try_from(std::process::id()).unwrap();
                (Box::new(UnixStream::connect(&path).await.unwrap()), Who::Unix(Some(process)))
            }
        };
        let (stream, who) = listener.accept().await.unwrap();
        assert_eq!(who, expected);
        let unread = Arc::new(AtomicUsize::new(0));
        let verbose = Arc::new(Verbose(Arc::clone(&unread)));
        let serving = tokio::spawn(serve(stream, verbose, Leave::new(), Span::none()));
        let asking = async {
            peer.write_all(&hello(false, "2.0", 16380)).await?;
            for id in 0.. {
                peer.write_all(&notify(id, "")).await?;
            }
            std::io::Result::Ok(())
        };
        timeout(Duration::from_secs(60), asking).await.expect("the connection ends").unwrap_err();
        serving.await.unwrap();
        assert_eq!(unread.load(Ordering::Relaxed), 1, "{address}");
    }
}
