//! A connection to one HAProxy that is to be given verdicts, opened only where that can be done.

use std::path::Path;

use jose::UnixTime;

use super::commands::{self, Maps, Refusal, judge};
use crate::haproxy::runtime::{Level, Runtime, RuntimeError, told};

/// The first version whose rules can read a verdict.
const OLDEST: (u32, u32) = (2, 6);

/// Why HAProxy is given no verdicts.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The socket does not answer as HAProxy's.
    #[error("{}{}", .0, .0.cure())]
    Runtime(#[from] RuntimeError),
    /// HAProxy does not do what it is told.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// `show info` has no process.
    #[error("it does not tell its process")]
    NoProcess,
    /// Its rules could not read verdicts.
    #[error("HAProxy {0} keeps no verdicts: it needs 2.6 or newer")]
    TooOld(String),
}

/// An open one, and what was found on the other side.
#[derive(Debug)]
pub struct Connection {
    /// Takes commands.
    pub runtime: Runtime,
    /// HAProxy's process.
    pub process: u32,
    /// HAProxy's version.
    pub version: String,
    /// The leases that it has.
    pub leases: Vec<(String, UnixTime)>,
}

/// Connects to a stats socket of level admin, of a HAProxy that is new enough and has both maps. Nothing is changed there.
///
/// # Errors
///
/// What is wrong, with its cure.
pub async fn open(socket: &Path, maps: &Maps) -> Result<Connection, Fault> {
    let mut runtime = Runtime::open(socket).await?;
    if runtime.level != Level::Admin {
        return Err(Refusal::Denied.into());
    }
    let info = runtime.ask("show info\n").await?;
    let process = commands::process(&info).ok_or(Fault::NoProcess)?;
    let version = told(&info, "Version").unwrap_or_default().to_owned();
    if !is_new_enough(&version) {
        return Err(Fault::TooOld(version));
    }
    judge(&runtime.ask(&maps.look_for_verdicts()).await?)?;
    let answer = runtime.ask(&maps.show_leases()).await?;
    judge(&answer)?;
    Ok(Connection { runtime, process, version, leases: commands::leases(&answer) })
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers =
        version.split(|letter: char| !letter.is_ascii_digit()).map_while(|part| part.parse().ok());
    numbers.next().zip(numbers.next()).is_some_and(|version| version >= OLDEST)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn versions_are_compared_by_their_first_two_numbers() {
        for (version, expected) in [
            ("2.6.12-1+deb12u2", true),
            ("3.5-dev5-cf2ee0b", true),
            ("10.0", true),
            ("2.4.30", false),
            ("1.9", false),
            ("", false),
            ("unknown", false),
        ] {
            assert_eq!(is_new_enough(version), expected, "{version}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_that_cannot_be_used_is_told_with_its_cure() {
        let folder = tempfile::tempdir().unwrap();
        let maps = Maps { verdicts: "/v".to_owned(), leases: "/l".to_owned() };
        let [absent, left, silent] = ["absent", "left", "silent"].map(|name| folder.path().join(name));
        drop(UnixListener::bind(&left).unwrap());
        let _listener = UnixListener::bind(&silent).unwrap();
        for (socket, expected) in [
            (&absent, "haproxy.cfg needs `stats socket` of this path"),
            (&left, "no HAProxy has this socket any more"),
            (&silent, "no answer in time; HAProxy hangs, or others have all connections"),
        ] {
            let error = open(socket, &maps).await.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(fs::exists(&left).unwrap(), "what is not ours stays");
    }

    #[test]
    fn a_socket_that_this_user_may_not_use_is_told_with_its_cure() {
        let refused = RuntimeError::Socket(std::io::Error::from_raw_os_error(13));
        let said = Fault::from(refused).to_string();
        assert_eq!(
            said,
            "Permission denied (os error 13); this user may not use the socket: give its group to `stats socket` in haproxy.cfg, \
             as `mode 660 group NAME`"
        );
    }
}
