//! Whether a peer has begun to speak HTTP/2: a client begins with 24 fixed bytes (RFC 9113 section 3.4).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of the preface. hyper ends a connection that begins with others.
const PREFACE: usize = 24;

/// A stream that counts what was read from it.
pub(super) struct Counted<S> {
    stream: S,
    read: Arc<AtomicUsize>,
}

/// Tells of a [`Counted`] stream.
pub(super) struct Preface(Arc<AtomicUsize>);

impl Preface {
    /// Of this stream, from now on.
    pub(super) fn of<S>(stream: S) -> (Counted<S>, Self) {
        let read = Arc::new(AtomicUsize::new(0));
        (Counted { stream, read: Arc::clone(&read) }, Self(read))
    }

    /// Whether all of it has come.
    pub(super) fn has_come(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= PREFACE
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.read.fetch_add(buffer.filled().len().saturating_sub(before), Ordering::Relaxed);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
