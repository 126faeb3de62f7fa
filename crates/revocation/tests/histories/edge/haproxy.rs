//! One process of HAProxy: its maps, what its runtime API does to them, and what its configuration finds in them.

use std::collections::BTreeMap;

use jwt_agent::haproxy::edge::commands::Maps;

const VERDICTS: &str = "/verdicts.map";
const LEASES: &str = "/leases.map";

/// The entries of each key, in the order in which they were added.
type Map = BTreeMap<String, Vec<String>>;

/// One command, as it stands between two others.
#[derive(Debug)]
pub(super) enum Command {
    /// The words of one.
    Words(Vec<String>),
    /// Entries that come as a payload.
    Payload(Vec<(String, String)>),
}

#[derive(Debug, Default)]
pub(super) struct Process {
    verdicts: Map,
    leases: Map,
    /// As HAProxy 3.4 does: `del map` deletes the first entry of the key alone.
    deletes_first: bool,
}

/// A verdict that a request is let in by.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) lease: &'a str,
    pub(super) until: i64,
    pub(super) id: &'a str,
}

pub(super) fn maps() -> Maps {
    Maps { verdicts: VERDICTS.to_owned(), leases: LEASES.to_owned() }
}

/// The commands of a text, in its order.
pub(super) fn commands(text: &str) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(command) = line.strip_suffix(" <<") {
            assert_eq!(command, format!("add map {VERDICTS}"));
            let entry = |line: &str| line.split_once(' ').map(|(key, value)| (key.into(), value.into()));
            let payload = lines.by_ref().take_while(|line| !line.is_empty());
            commands.push(Command::Payload(payload.map(|line| entry(line).unwrap()).collect()));
        } else {
            let words = |command: &str| command.split(' ').map(str::to_owned).collect();
            commands.extend(line.split(';').map(|command| Command::Words(words(command))));
        }
    }
    commands
}

impl Process {
    pub(super) fn start(deletes_first: bool) -> Self {
        Self { deletes_first, ..Self::default() }
    }

    /// Carries out a command, and gives the answer.
    pub(super) fn carry_out(&mut self, command: Command) -> &'static str {
        let words = match command {
            Command::Payload(entries) => {
                for (key, value) in entries {
                    self.verdicts.entry(key).or_default().push(value);
                }
                return "\n";
            }
            Command::Words(words) => words,
        };
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["clear", "map", file] => self.map(file).clear(),
            ["add", "map", file, key, value] => {
                self.map(file).entry(key.to_owned()).or_default().push(value.to_owned());
            }
            ["set", "map", file, key, value] => match self.map(file).get_mut(key) {
                Some(values) => values.fill(value.to_owned()),
                None => return "entry not found.\n",
            },
            ["del", "map", file, key] => {
                let deletes_first = self.deletes_first;
                let map = self.map(file);
                let Some(values) = map.get_mut(key) else { return "Key not found.\n" };
                let deleted = if deletes_first { 1 } else { values.len() };
                values.drain(..deleted);
                if values.is_empty() {
                    map.remove(key);
                }
            }
            _ => panic!("HAProxy knows no such command: {words:?}"),
        }
        "\n"
    }

    fn map(&mut self, file: &str) -> &mut Map {
        match file {
            VERDICTS => &mut self.verdicts,
            LEASES => &mut self.leases,
            _ => panic!("HAProxy has no map {file}"),
        }
    }

    /// What it answers to `show map` of the leases.
    pub(super) fn show_leases(&self) -> String {
        let line = |(name, values): (&String, &Vec<String>)| {
            values.iter().map(|value| format!("0x1 {name} {value}\n")).collect::<String>()
        };
        self.leases.iter().map(line).collect()
    }

    /// By what a request with this key is let in at this time of day, as `haproxy/haproxy-edge.cfg` looks: the first entry of the key,
    /// not over and at most a minute ahead, under a lease that is not over and at most 5 s ahead.
    pub(super) fn finds(&self, key: &str, now: i64) -> Option<Found<'_>> {
        let mut fields = self.verdicts.get(key)?.first()?.split('|');
        let (id, lease) = (fields.next()?, fields.next()?);
        let end: i64 = fields.next()?.parse().ok()?;
        let until: i64 = self.leases.get(lease)?.first()?.parse().ok()?;
        let counts = (1..=60_000).contains(&(end - now));
        (counts && (1..=5_000).contains(&(until - now))).then_some(Found { lease, until, id })
    }
}
