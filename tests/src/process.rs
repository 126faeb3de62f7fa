//! Child processes that cannot outlive their owner, with everything they print kept.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

use crate::wait::{eventually, poll};
use crate::{descriptors, scan};

/// Older lines are forgotten, so that a demo may run for days.
pub const KEPT_LINES: usize = 50_000;

/// What is done with each line that a process prints, beside keeping it.
pub type OnLine = Box<dyn Fn(&str) + Send>;

/// A running program. Dropping it kills it and waits until it is gone.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    lines: Arc<Mutex<VecDeque<String>>>,
}

/// `program` with its arguments and nothing but its environment, started by another one that runs what follows its own.
pub fn started_by(mut starter: Command, program: &Command) -> Command {
    starter.arg(program.get_program()).args(program.get_args()).env_clear();
    starter.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    starter
}

impl Process {
    /// Starts `command`; `name` is for messages.
    pub fn start(name: &str, command: Command) -> io::Result<Self> {
        Self::start_with(name, command, Box::new(|_| ()))
    }

    /// The same, handing each line of its standard output and error to `on_line`.
    pub fn start_with(name: &str, mut command: Command, on_line: OnLine) -> io::Result<Self> {
        descriptors::allow_enough();
        let (reader, writer) = io::pipe()?;
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        let child = command.spawn()?;
        let mut copy = scan::follow(&command, child.id());
        // The command holds our copies of the pipe's end; with them the reader would never see the end.
        drop(command);
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let kept = Arc::clone(&lines);
        thread::spawn(move || {
            for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                if let Some(copy) = &mut copy {
                    copy.write_all(format!("{line}\n").as_bytes()).unwrap();
                }
                on_line(&line);
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == KEPT_LINES {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        });
        Ok(Self { name: name.to_owned(), child, lines })
    }

    /// The name it was started under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it printed so far.
    pub fn lines(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect()
    }

    /// The same as one text.
    pub fn log(&self) -> String {
        self.lines().join("\n")
    }

    /// Sends a signal; to a process that is gone it is nothing.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // The child was not waited for yet, so the id is still its own.
            let _gone_already = kill_process(pid, signal);
        }
    }

    /// Stops it in its tracks (SIGSTOP), and waits until the last of its threads stands still.
    ///
    /// # Panics
    ///
    /// It goes on.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
        eventually("the process stands still", || {
            let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).ok()?;
            threads.map_while(Result::ok).all(|thread| is_stopped(&thread.path())).then_some(())
        });
    }

    /// Lets a frozen process go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// How it ended, if it did.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end.
    pub fn wait(&mut self, deadline: Duration) -> Option<ExitStatus> {
        poll(deadline, || self.exited())
    }

    /// Kills it and waits until it is gone.
    pub fn kill(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// proc(5): the state follows the name in parentheses; `T` is stopped by a signal.
fn is_stopped(thread: &Path) -> bool {
    fs::read_to_string(thread.join("stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T')))
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The path of one of the workspace's programs, beside this one in the target folder.
///
/// # Errors
///
/// It is not there, with the command that builds it.
pub fn workspace_program(name: &str) -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| format!("cannot find myself: {error}"))?;
    // A test runs in <target>/<profile>/deps, a program in <target>/<profile>.
    this.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| format!("{name} is not built: run cargo build -p jwt-agent -p token-server"))
}

/// The folder that cargo builds into, for what tests keep between runs.
///
/// # Panics
///
/// Cargo does not tell.
pub fn target_folder() -> PathBuf {
    let told = Command::new(repository().join("tests/target.sh")).output().unwrap();
    assert!(told.status.success(), "tests/target.sh: {}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8_lossy(&told.stdout).trim_end().into()
}

/// The repository's root, from which shipped files are read.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}
