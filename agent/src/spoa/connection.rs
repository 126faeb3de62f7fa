//! One connection of HAProxy, from HELLO to DISCONNECT.
//!
//! The loop takes every frame at hand, starts a decision for each NOTIFY, and writes all ACKs that are ready with one
//! call. Decisions that need no waiting are made here, for a moment; all others are tasks. ACKs leave in the order in
//! which decisions end, which pipelining allows. Nothing here waits for one request while another could go on, and
//! nothing grows without bound: a peer that sends faster than we decide is not read.

use std::future::pending;
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use futures_util::FutureExt;
use spop::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{Instrument, Span};

use super::answers::Answers;
use super::frame::{Fault, Frame, decode, encode_disconnect, encode_hello};
use super::hello::negotiate;
use super::leave::{Leave, Turn};
use super::respond::{DecidingTime, Respond};

/// How long a peer may take for its HELLO, and after a health check's answer for its farewell.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a frame may stay incomplete without any progress.
const STALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long answers may wait for room without any progress: three times the shipped `timeout processing`, after which
/// HAProxy has given up on all of them. A HAProxy that was not answered for a while, since its agents were stopped and went
/// on, may stop to read a connection and still send requests over it; each of them would wait for its timeout.
pub const UNREAD_TIMEOUT: Duration = Duration::from_millis(300);
/// How long the last bytes of a connection may take.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a connection that is to end goes on reading, for HAProxy to come to a pause.
const PAUSE_LIMIT: Duration = Duration::from_millis(10);
/// Free space that each read is offered: HAProxy's default buffer.
const READ_CHUNK_BYTES: usize = 16 * 1024;

/// How a connection ended without a fault.
enum End {
    /// HAProxy closed it.
    Closed,
    /// HAProxy sent its DISCONNECT.
    Disconnected,
    /// It was our turn to end, and every request that had arrived is answered.
    Left(Turn),
}

/// It is our turn to end.
struct Leaving {
    turn: Turn,
    /// Until then we go on reading.
    until: Instant,
}

/// Why a connection ended otherwise.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Serves one connection until either side ends it; `leave` asks us to. What is logged of the connection is logged in `span`,
/// which is not entered for each request: that would cost more than many a decision.
pub async fn serve<S, R>(stream: S, responder: Arc<R>, leave: Leave, span: Span)
where
    S: AsyncRead + AsyncWrite + Unpin,
    R: Respond,
{
    let (reader, writer) = split(stream);
    let mut connection = Connection {
        reader,
        writer,
        input: BytesMut::with_capacity(READ_CHUNK_BYTES),
        answers: Answers::new(responder, span.clone()),
    };
    let end = match connection.hello(&leave).await {
        Ok(None) => connection.requests(&leave).await,
        Ok(Some(end)) => Ok(end),
        Err(broken) => Err(broken),
    };
    connection.farewell(end).instrument(span).await;
}

struct Connection<S, R> {
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    input: BytesMut,
    answers: Answers<R>,
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Respond> Connection<S, R> {
    /// The handshake; `Some` when the connection is over with it.
    async fn hello(&mut self, leave: &Leave) -> Result<Option<End>, Broken> {
        let deadline = Instant::now() + HELLO_TIMEOUT;
        let hello = loop {
            match decode::<()>(&self.input, self.answers.max_frame_size)? {
                Some((Frame::Hello(hello), used)) => {
                    self.input.advance(used);
                    break hello;
                }
                Some((Frame::Disconnect { .. }, _)) => return Ok(Some(End::Disconnected)),
                Some((Frame::Notify(_), _)) => return Err(Fault::OutOfOrder.into()),
                None => {}
            }
            self.input.reserve(READ_CHUNK_BYTES);
            tokio::select! {
                read = self.reader.read_buf(&mut self.input) => {
                    if read? == 0 {
                        return Ok(Some(End::Closed));
                    }
                }
                turn = leave.turn() => return Ok(Some(End::Left(turn))),
                () = sleep_until(deadline) => return Err(Fault::Timeout.into()),
            }
        };
        let session = negotiate(&hello)?;
        if session.health_check && !self.answers.responder.answer_health_check() {
            return Err(Fault::NotReady.into());
        }
        self.answers.max_frame_size = session.max_frame_size;
        self.answers.scratch.clear();
        encode_hello(&hello, session.max_frame_size, &mut self.answers.scratch);
        self.answers.output.extend_from_slice(&self.answers.scratch);
        if session.health_check {
            self.flush().await?;
            return Ok(Some(End::Closed));
        }
        Ok(None)
    }

    async fn requests(&mut self, leave: &Leave) -> Result<End, Broken> {
        let mut stalled_since: Option<Instant> = None;
        let mut unread_since: Option<Instant> = None;
        let mut leaving: Option<Leaving> = None;
        let mut turn = pin!(leave.turn());
        loop {
            let mut progress = false;
            let mut deciding = DecidingTime::default();
            while self.answers.has_room() {
                let used = match decode::<R::Request<'_>>(&self.input, self.answers.max_frame_size)? {
                    Some((Frame::Notify(notify), used)) => {
                        self.answers.start(&notify, &mut deciding);
                        used
                    }
                    Some((Frame::Disconnect { status, message }, _)) => {
                        self.answers
                            .span
                            .in_scope(|| tracing::debug!(status, message, "HAProxy disconnects"));
                        return Ok(End::Disconnected);
                    }
                    Some((Frame::Hello(_), _)) => return Err(Fault::OutOfOrder.into()),
                    None => break,
                };
                self.input.advance(used);
                progress = true;
            }
            // Then whole frames may be left in the input, and nothing more may come that would have them read.
            let was_full = !self.answers.has_room();
            while let Some(ack) = self.answers.tasks.try_join_next() {
                self.answers.acknowledge(ack);
            }
            if self.writes_on()? {
                (stalled_since, unread_since) = (None, None);
            }
            if was_full && self.answers.has_room() {
                continue;
            }
            let in_time = leaving.as_ref().is_none_or(|leaving| Instant::now() < leaving.until);
            if self.answers.tasks.is_empty()
                && self.answers.output.is_empty()
                && let Some(mine) = leaving.take()
            {
                if !in_time || !self.reads_on()? {
                    return Ok(End::Left(mine.turn));
                }
                leaving = Some(mine);
                continue;
            }
            let reading = in_time && self.answers.has_room();
            if self.input.is_empty() {
                stalled_since = None;
            } else if progress || stalled_since.is_none() {
                stalled_since = Some(Instant::now());
            }
            // Half a frame is no work: the rest may never come.
            leave.note(!self.answers.is_idle(), progress);
            if self.answers.output.is_empty() {
                unread_since = None;
            } else {
                unread_since.get_or_insert_with(Instant::now);
            }
            // While decisions are waited for, whole frames may lie in the input.
            let stalled = stalled_since.filter(|_| self.answers.tasks.is_empty());
            let ends = [
                stalled.map(|since| (since + STALL_TIMEOUT, Fault::Timeout)),
                unread_since.map(|since| (since + UNREAD_TIMEOUT, Fault::Unread)),
            ];
            let ends = ends.into_iter().flatten().min_by_key(|(at, _)| *at);
            self.input.reserve(READ_CHUNK_BYTES);
            tokio::select! {
                read = self.reader.read_buf(&mut self.input), if reading => {
                    if read? == 0 {
                        return Ok(End::Closed);
                    }
                }
                written = self.writer.write(&self.answers.output), if !self.answers.output.is_empty() => {
                    let written = written?;
                    if written == 0 {
                        return Ok(End::Closed);
                    }
                    self.answers.output.advance(written);
                    (stalled_since, unread_since) = (None, None);
                }
                Some(ack) = self.answers.tasks.join_next(), if !self.answers.tasks.is_empty() => {
                    self.answers.acknowledge(ack);
                }
                turn = &mut turn, if leaving.is_none() => {
                    leaving = Some(Leaving { turn, until: Instant::now() + PAUSE_LIMIT });
                }
                fault = at_the_end(ends) => return Err(fault.into()),
            }
        }
    }

    /// Takes what HAProxy has sent and we have not read; `false` if there is nothing more.
    fn reads_on(&mut self) -> Result<bool, Broken> {
        self.input.reserve(READ_CHUNK_BYTES);
        match self.reader.read_buf(&mut self.input).now_or_never() {
            None | Some(Ok(0)) => Ok(false),
            Some(Ok(_)) => Ok(true),
            Some(Err(error)) => Err(error.into()),
        }
    }

    /// Sends what can be sent without waiting; `true` if that was something.
    fn writes_on(&mut self) -> Result<bool, Broken> {
        if self.answers.output.is_empty() {
            return Ok(false);
        }
        match self.writer.write(&self.answers.output).now_or_never() {
            // That nothing more can be written is told where one waits for it.
            None | Some(Ok(0)) => Ok(false),
            Some(Ok(written)) => {
                self.answers.output.advance(written);
                Ok(true)
            }
            Some(Err(error)) => Err(error.into()),
        }
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        match timeout(FAREWELL_TIMEOUT, self.writer.write_all(&self.answers.output)).await {
            Ok(written) => written?,
            Err(_) => return Err(Fault::Timeout.into()),
        }
        self.answers.output.clear();
        Ok(())
    }

    /// Says goodbye as the protocol wants it: AGENT-DISCONNECT with the cause, unless HAProxy has gone.
    async fn farewell(mut self, end: Result<End, Broken>) {
        let mut turn = None;
        let (status, message) = match end {
            Ok(End::Closed) => return,
            Ok(End::Disconnected) => (StatusCode::None, "normal".to_owned()),
            Ok(End::Left(mine)) => {
                turn = Some(mine);
                (StatusCode::None, "normal".to_owned())
            }
            // No last frame could be sent, and every moment costs requests: HAProxy hears of the end at once.
            Err(Broken::Fault(fault @ Fault::Unread)) => return self.answers.responder.count_fault(&fault),
            // What was sent was not taken in time; see [`UNREAD_TIMEOUT`].
            Err(Broken::Io(error)) if error.kind() == ErrorKind::TimedOut => {
                return self.answers.responder.count_fault(&Fault::Unread);
            }
            Err(Broken::Io(error)) => {
                tracing::debug!(%error, "connection lost");
                return;
            }
            Err(Broken::Fault(fault)) => {
                self.answers.responder.count_fault(&fault);
                (fault.status(), fault.to_string())
            }
        };
        self.answers.scratch.clear();
        encode_disconnect(status, &message, &mut self.answers.scratch);
        self.answers.output.extend_from_slice(&self.answers.scratch);
        let goodbye = async {
            self.writer.write_all(&self.answers.output).await?;
            self.writer.shutdown().await?;
            // Closing with unread input would reset the connection and take our last frame with it.
            while self.reader.read_buf(&mut self.input).await? > 0 {
                self.input.clear();
            }
            std::io::Result::Ok(())
        };
        if let Ok(Err(error)) = timeout(FAREWELL_TIMEOUT, goodbye).await {
            tracing::debug!(%error, "the farewell was not heard");
        }
        if let Some(turn) = turn {
            turn.pass_on().await;
        }
    }
}

/// Waits until a connection has to be ended, for ever where there is no reason to, and gives that.
async fn at_the_end(ends: Option<(Instant, Fault)>) -> Fault {
    match ends {
        Some((at, fault)) => {
            sleep_until(at).await;
            fault
        }
        None => pending().await,
    }
}

#[cfg(test)]
pub(crate) mod tests;
