//! A connection over a unix socket that wakes us when something came, and not each time HAProxy took our answer.
//!
//! Linux tells the writer of a unix socket that there is room whenever its peer has read, even if there always was. A
//! stream that is registered for both directions, as tokio's is, so wakes twice for each exchange. This one is
//! registered for reading alone; only while there is no room does a second descriptor wait for it.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

/// What one read takes at most. Its memory is cleared before, so that more would cost each read for the sake of few.
const READ_LIMIT: usize = 8 * 1024;

/// An accepted connection.
#[derive(Debug)]
pub struct UnixStream {
    socket: AsyncFd<net::UnixStream>,
    /// Waits for room, from when there was none until there is.
    room: Option<AsyncFd<net::UnixStream>>,
}

impl UnixStream {
    /// Takes over what was accepted.
    ///
    /// # Errors
    ///
    /// As the system says.
    pub fn new(accepted: tokio::net::UnixStream) -> io::Result<Self> {
        let socket = register(accepted.into_std()?, Interest::READABLE)?;
        Ok(Self { socket, room: None })
    }
}

#[expect(
    deprecated,
    reason = "its successor is unsafe, for types that may change their descriptor; a socket keeps its own"
)]
fn register(socket: net::UnixStream, interest: Interest) -> io::Result<AsyncFd<net::UnixStream>> {
    AsyncFd::with_interest(socket, interest)
}

impl AsyncRead for UnixStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wanted = out.remaining().min(READ_LIMIT);
        if wanted == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            let mut ready = ready!(self.socket.poll_read_ready(cx))?;
            let free = out.initialize_unfilled_to(wanted);
            if let Ok(read) = ready.try_io(|socket| socket.get_ref().read(free)) {
                let read = read?;
                if read < wanted && read > 0 {
                    // There is no more, and the next to come will say so (epoll(7)): a read that finds nothing is saved.
                    ready.clear_ready();
                }
                out.advance(read);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for UnixStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            if let Some(room) = &self.room {
                ready!(room.poll_write_ready(cx))?.clear_ready();
            }
            match self.socket.get_ref().write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.room.is_none() {
                        let writer = self.socket.get_ref().try_clone()?;
                        self.room = Some(register(writer, Interest::WRITABLE)?);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => {
                    self.room = None;
                    return Poll::Ready(written);
                }
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket.get_ref().shutdown(Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, split};

    /// More than both socket buffers hold, and no multiple of what is read at once.
    const MANY: usize = 3 * 1024 * 1024 + 17;

    fn pair() -> (UnixStream, tokio::net::UnixStream) {
        let (accepted, peer) = tokio::net::UnixStream::pair().unwrap();
        (UnixStream::new(accepted).unwrap(), peer)
    }

    #[tokio::test]
    async fn everything_arrives_in_both_directions_though_it_is_read_late() {
        let (ours, theirs) = pair();
        let bytes: Vec<u8> = (0_u8..=250).cycle().take(MANY).collect();
        let (mut our_reader, mut our_writer) = split(ours);
        let (mut their_reader, mut their_writer) = split(theirs);
        let (mut here, mut there) = (Vec::new(), Vec::new());
        let (sent, answered, read, taken) = tokio::join!(
            async {
                our_writer.write_all(&bytes).await?;
                our_writer.shutdown().await
            },
            async {
                their_writer.write_all(&bytes).await?;
                their_writer.shutdown().await
            },
            our_reader.read_to_end(&mut here),
            their_reader.read_to_end(&mut there),
        );
        sent.unwrap();
        answered.unwrap();
        assert_eq!((read.unwrap(), taken.unwrap()), (MANY, MANY));
        assert!(here == bytes && there == bytes);
    }

    #[tokio::test]
    async fn after_there_was_no_room_it_goes_on_without_waiting_for_any() {
        let (mut ours, mut theirs) = pair();
        let mut written = 0;
        while let Some(more) = futures_util::FutureExt::now_or_never(ours.write(&[7; 4096])) {
            written += more.unwrap();
        }
        assert!(ours.room.is_some());
        let mut taken = vec![0; written];
        let (read, more) = tokio::join!(theirs.read_exact(&mut taken), ours.write(&[8]));
        assert_eq!((read.unwrap(), more.unwrap()), (written, 1));
        assert!(ours.room.is_none());
        assert_eq!(theirs.read_u8().await.unwrap(), 8);
    }

    #[tokio::test]
    async fn a_peer_that_has_gone_is_an_end_to_readers_and_an_error_to_writers() {
        let (mut ours, theirs) = pair();
        drop(theirs);
        assert_eq!(ours.read(&mut [0; 16]).await.unwrap(), 0);
        assert!(ours.write(b"x").await.is_err());
    }
}
