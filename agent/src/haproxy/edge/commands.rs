//! What HAProxy is told, as commands of its runtime API, and what it answers.

use std::fmt::Write as _;

use jose::UnixTime;

use super::ledger::Batch;
use crate::haproxy::runtime::told;

/// HAProxy's answers to commands that name a map it does not have, and to those that the socket does not allow.
const NO_MAP: &str = "Unknown map identifier";
const DENIED: &str = "Permission denied";
/// Its answers to commands for a key that it does not have: another agent may have cleared the map.
const ABSENT: [&str; 2] = ["Key not found.", "entry not found."];

/// Commands of one line; with the longest names of maps they take half of a buffer.
const LINE_COMMANDS: usize = 10;

/// The maps, by the names that HAProxy's configuration gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maps {
    /// Verdicts.
    pub verdicts: String,
    /// Until when verdicts count.
    pub leases: String,
}

/// Why HAProxy does not do what it is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A map is missing.
    #[error(
        "HAProxy has no map of this name: JWT_EDGE_MAP and JWT_EDGE_LEASES have to be spelled as in haproxy.cfg, and used there"
    )]
    NoMap,
    /// The socket is for less.
    #[error("the stats socket does not allow to write maps: it needs `level admin` in haproxy.cfg")]
    Denied,
    /// An answer that we do not know, as far as it holds nothing that was sent.
    #[error("HAProxy did not change its maps as it was told: {0}")]
    Unknown(String),
}

impl Maps {
    /// What ends and what is written, in the order in which it has to be carried out.
    ///
    /// What is void is set before it is deleted: HAProxy 3.4 deletes only the first of several entries of one key, of which
    /// another agent may have written one, and sets all of them. What is written anew would stand behind those that are left: two
    /// are deleted for one that is written, so that none is left in the end.
    pub fn changes(&self, batch: &Batch) -> String {
        let Self { verdicts, leases } = self;
        let mut out = String::new();
        let void = |key| format!("set map {verdicts} {key} -;del map {verdicts} {key}");
        write_lines(batch.ended.iter().map(|name| format!("del map {leases} {name}")), &mut out);
        write_lines(batch.clear.then(|| format!("clear map {verdicts}")).into_iter(), &mut out);
        write_lines(batch.voids.iter().map(void), &mut out);
        let replace = |key| format!("{};del map {verdicts} {key}", void(key));
        write_lines(batch.replaces.iter().map(replace), &mut out);
        write_lines(batch.deletes.iter().map(|key| format!("del map {verdicts} {key}")), &mut out);
        if !batch.adds.is_empty() {
            // Writing to a String cannot fail.
            writeln!(out, "add map {verdicts} <<").ok();
            for (key, value) in &batch.adds {
                writeln!(out, "{key} {value}").ok();
            }
            out.push('\n');
        }
        out
    }

    /// The leases, once all else is done.
    pub fn leases(&self, batch: &Batch) -> String {
        let lease = |(name, until, is_known): &(String, UnixTime, bool)| {
            let verb = if *is_known { "set" } else { "add" };
            format!("{verb} map {} {name} {}", self.leases, until.as_millis())
        };
        let mut out = String::new();
        write_lines(batch.leases.iter().map(lease), &mut out);
        out
    }

    /// Asks for the leases that HAProxy has.
    pub fn show_leases(&self) -> String {
        format!("show map {}\n", self.leases)
    }

    /// Asks for a verdict that there is none of: whether HAProxy has the map.
    pub fn look_for_verdicts(&self) -> String {
        format!("get map {} -\n", self.verdicts)
    }
}

/// Commands, several to a line, which HAProxy reads into a buffer of 16 KiB.
fn write_lines(commands: impl Iterator<Item = String>, out: &mut String) {
    let commands: Vec<_> = commands.collect();
    for line in commands.chunks(LINE_COMMANDS) {
        out.push_str(&line.join(";"));
        out.push('\n');
    }
}

/// Whether HAProxy has the map that was asked about.
///
/// # Errors
///
/// Why not.
pub fn judge(answer: &str) -> Result<(), Refusal> {
    match () {
        () if answer.contains(NO_MAP) => Err(Refusal::NoMap),
        () if answer.contains(DENIED) => Err(Refusal::Denied),
        () => Ok(()),
    }
}

/// Whether HAProxy did all that it was told to change. It says nothing then, or that a key is not there.
///
/// # Errors
///
/// Why it did not.
pub fn judge_changes(answer: &str) -> Result<(), Refusal> {
    judge(answer)?;
    let texts = answer.lines().map(|line| line.trim_start_matches(['>', '+', ' ']).trim_end());
    // Behind a quotation mark it repeats what it was sent, which may hold claims.
    let told = |text: &str| Refusal::Unknown(text.split('\'').next().unwrap_or_default().to_owned());
    let mut unknown = texts.filter(|text| !(text.is_empty() || ABSENT.contains(text)));
    unknown.next().map_or(Ok(()), |text| Err(told(text)))
}

/// Whether a lease that was to be renewed is not there: something else has removed it.
pub fn misses_a_lease(answer: &str) -> bool {
    answer.contains("entry not found")
}

/// The leases in an answer: lines of a pointer, a name and a time.
pub fn leases(answer: &str) -> Vec<(String, UnixTime)> {
    let lease = |line: &str| {
        let mut words = line.trim_start_matches("> ").split(' ');
        let (pointer, name, until) = (words.next()?, words.next()?, words.next()?);
        let until = until.parse().ok()?;
        pointer.starts_with("0x").then(|| (name.to_owned(), UnixTime::from_millis(until)))
    };
    answer.lines().filter_map(lease).collect()
}

/// The process that answers `show info`.
pub fn process(answer: &str) -> Option<u32> {
    told(answer, "Pid")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::entry::{Key, Layout};
    use super::*;

    fn maps() -> Maps {
        Maps { verdicts: "/v.map".to_owned(), leases: "/l.map".to_owned() }
    }

    #[test]
    fn what_ends_comes_before_what_is_written_and_leases_come_last() {
        let key = Key::of("Bearer x", &Layout::default(), "").unwrap();
        let batch = Batch {
            ended: vec!["a.1.0".to_owned(), "a.1.1".to_owned()],
            clear: true,
            voids: vec![key],
            replaces: vec![key],
            deletes: vec![key, key],
            adds: vec![(key, "7|a.2.0|9".to_owned())],
            leases: vec![
                ("a.2.0".to_owned(), UnixTime::from_millis(12), false),
                ("a.2.1".to_owned(), UnixTime::from_millis(13), true),
            ],
        };
        let expected = format!(
            "del map /l.map a.1.0;del map /l.map a.1.1\nclear map /v.map\n\
             set map /v.map {key} -;del map /v.map {key}\n\
             set map /v.map {key} -;del map /v.map {key};del map /v.map {key}\ndel map /v.map {key};del map /v.map {key}\n\
             add map /v.map <<\n{key} 7|a.2.0|9\n\n"
        );
        assert_eq!(maps().changes(&batch), expected);
        assert_eq!(maps().leases(&batch), "add map /l.map a.2.0 12;set map /l.map a.2.1 13\n");
        assert_eq!(maps().changes(&Batch::default()) + &maps().leases(&Batch::default()), "");
    }

    #[test]
    fn leases_are_read_from_between_prompts() {
        let answer = "\n> 0x5589cd097820 a.1.0 18\n0x1 b 1700000000000\nentry not found.\n0x2 c x\n\n> ";
        let expected = [
            ("a.1.0".to_owned(), UnixTime::from_millis(18)),
            ("b".to_owned(), UnixTime::from_secs(1_700_000_000)),
        ];
        assert_eq!(leases(answer), expected);
    }

    #[test]
    fn only_what_mends_itself_is_no_refusal() {
        let unknown = |text: &str| Err(Refusal::Unknown(text.to_owned()));
        for (answer, expected) in [
            ("", Ok(())),
            ("\n> Key not found.\n\n> entry not found.\n", Ok(())),
            ("+ + + \n> \n\nKey not found.\n", Ok(())),
            ("Unknown map identifier. Please use #<id> or <file>.\n", Err(Refusal::NoMap)),
            ("\n> Permission denied\n", Err(Refusal::Denied)),
            (
                "\n> The command is too big for the buffer size.\n",
                unknown("The command is too big for the buffer size."),
            ),
            ("Unknown command: 'A1 a@b|n|9', but", unknown("Unknown command: ")),
            ("Key not found.\n> out of memory\n", unknown("out of memory")),
        ] {
            assert_eq!(judge_changes(answer), expected, "{answer:?}");
        }
        assert_eq!(judge("\n> type=str, case=sensitive, found=no\n"), Ok(()));
        assert_eq!(process("Name: HAProxy\nPid: 26228\nUptime: 0d\n"), Some(26_228));
        assert_eq!(process("Pid: x"), None);
    }
}
