//! An agent that says what a test wants it to say, also what no agent should.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::socket::{Address, Connection};
use crate::spop::{self, Value};

/// How each NOTIFY is answered.
#[derive(Debug, Clone)]
pub enum Script {
    /// With these variables.
    Ack(Vec<(&'static str, Value)>),
    /// With these variables, the frame's last bytes missing and its length right again: HAProxy applies what is whole.
    Truncated(Vec<(&'static str, Value)>, usize),
    /// With these variables, but for a stream that HAProxy did not name.
    WrongStream(Vec<(&'static str, Value)>),
    /// With these variables, but for a frame that HAProxy did not send.
    WrongFrame(Vec<(&'static str, Value)>),
    /// With bytes that are no frame.
    Garbage,
    /// With nothing.
    Silence,
    /// By closing the connection.
    Close,
    /// The next of these each time, whatever the connection; the last of them stays.
    InTurn(Vec<Script>),
}

/// A running scripted agent; it lives as long as the process, and is healthy whatever its script says.
#[derive(Debug)]
pub struct ScriptedAgent {
    script: Arc<Mutex<Script>>,
}

impl ScriptedAgent {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// The address is in use.
    pub fn start(address: &Address, script: Script) -> Self {
        let listener = address.listen().unwrap();
        let script = Arc::new(Mutex::new(script));
        let shared = Arc::clone(&script);
        thread::spawn(move || {
            while let Ok(connection) = listener.accept() {
                let script = Arc::clone(&shared);
                thread::spawn(move || {
                    let _closed = serve(connection, &script);
                });
            }
        });
        Self { script }
    }

    /// Changes the script from now on.
    pub fn set(&self, script: Script) {
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = script;
    }
}

fn serve(mut connection: Connection, script: &Mutex<Script>) -> io::Result<()> {
    loop {
        let frame = spop::read_frame(&mut connection)?;
        match frame.kind {
            spop::HAPROXY_HELLO => {
                connection.write_all(&spop::agent_hello())?;
                if frame.health_check {
                    return Ok(());
                }
            }
            spop::NOTIFY => {
                let (stream, id) = (frame.stream_id, frame.frame_id);
                let answer = match next(script) {
                    Script::Ack(variables) => spop::ack(stream, id, &variables),
                    Script::Truncated(variables, missing) => {
                        truncate(spop::ack(stream, id, &variables), missing)
                    }
                    Script::WrongStream(variables) => spop::ack(stream + 2, id, &variables),
                    Script::WrongFrame(variables) => spop::ack(stream, id + 1, &variables),
                    Script::Garbage => b"\0\0\0\x04HTTP".to_vec(),
                    Script::Silence | Script::InTurn(_) => continue,
                    Script::Close => return Ok(()),
                };
                connection.write_all(&answer)?;
            }
            spop::HAPROXY_DISCONNECT => return Ok(()),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// What is answered now; answers in turn within answers in turn are none.
fn next(script: &Mutex<Script>) -> Script {
    match &mut *script.lock().unwrap_or_else(PoisonError::into_inner) {
        Script::InTurn(scripts) if scripts.len() > 1 => scripts.remove(0),
        Script::InTurn(scripts) => scripts.first().cloned().unwrap_or(Script::Silence),
        script => script.clone(),
    }
}

fn truncate(mut frame: Vec<u8>, missing: usize) -> Vec<u8> {
    frame.truncate(frame.len().saturating_sub(missing));
    let length = u32::try_from(frame.len().saturating_sub(4)).unwrap_or(u32::MAX);
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame
}
