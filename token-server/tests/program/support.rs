//! `docs/SUPPORT.md`: its commands, one after the other, and the words on the screen.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use crate::harness::{AGENT_TOKEN, Server, output_of};

const LATER: u64 = 4_000_000_000;

/// A command, and what the page says is on the screen then.
struct Shown {
    command: String,
    screen: Vec<String>,
}

fn shown_in(page: &str) -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    let mut is_open = false;
    for line in page.lines() {
        match (line.strip_prefix("    $ token-server "), line.strip_prefix("    ")) {
            (Some(command), _) => all.push(Shown { command: command.to_owned(), screen: Vec::new() }),
            (None, Some(text)) if is_open => all.last_mut().expect("a command").screen.push(text.to_owned()),
            (None, _) => {}
        }
        is_open = line.starts_with("    ");
    }
    all
}

/// Words as a shell splits them: what stands between quotation marks is one.
fn words(command: &str) -> Vec<String> {
    let parts = command.split('"').enumerate();
    parts
        .flat_map(|(place, part)| match place % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

/// `018bcfe5687b-0000`
fn is_id(word: &str) -> bool {
    let is_hex =
        |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    word.split_once('-').is_some_and(|(at, number)| is_hex(at, 12) && is_hex(number, 4))
}

/// The same text on every day and machine: times, distances, ids and accounts have one form each.
fn lasting(line: &str) -> String {
    let mut lasting = line
        .split(' ')
        .map(|word| {
            let end = word.trim_end_matches(['.', ',', ':', ';']);
            let rest = &word[end.len()..];
            let shape: String =
                end.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
            match shape.as_str() {
                "0000-00-00T00:00:00Z" => format!("TIME{rest}"),
                _ if is_id(end) => format!("ID{rest}"),
                _ => word.to_owned(),
            }
        })
        .collect::<Vec<_>>()
        .join(" ");
    while let Some((before, after)) = lasting.split_once("TIME (") {
        let (_, after) = after.split_once(')').expect("a distance");
        lasting = format!("{before}MOMENT{after}");
    }
    if let Some((before, after)) = lasting.split_once("  uid ") {
        let (_, after) = after.split_once("  ").expect("what was done");
        lasting = format!("{before}  ACCOUNT  {after}");
    }
    lasting
}

#[test]
fn the_words_on_the_screen_are_those_of_the_page() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/SUPPORT.md");
    let shown = shown_in(&fs::read_to_string(page).expect("the page"));
    let commands: Vec<&str> =
        shown.iter().map(|shown| shown.command.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(commands, ["revoke", "revoke", "restore", "revoked", "restore", "history", "undo"]);

    let folder = tempfile::tempdir().expect("a test's own folder");
    let socket = folder.path().join("admin.sock");
    let tokens = folder.path().join("agents");
    fs::write(&tokens, AGENT_TOKEN).expect("a test's own folder");
    let settings = [("TOKEN_SERVER__ADMIN__SOCKET", socket.as_os_str())];
    let agents = ("TOKEN_SERVER__AGENT__TOKENS_FILE", tokens.as_os_str());
    let server = Server::start(folder.path(), &[settings[0], agents]);
    let token = format!(r#"{{"sub":"anna.berg","iat":1700000000,"exp":{LATER}}}"#);
    assert_eq!(server.check(&token), "ok");

    let mut newest = String::new();
    for Shown { command, screen } in shown {
        let mut arguments = words(&command);
        if arguments[0] == "undo" {
            arguments[1].clone_from(&newest);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let done = output_of(&settings as &[(&str, &OsStr)], &arguments, "");
        let out = String::from_utf8(done.stdout).expect("text");
        let told = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(0), "{command}: {told}");
        let on_screen: Vec<String> = out.lines().map(lasting).collect();
        let on_page: Vec<String> = screen.iter().map(|line| lasting(line)).collect();
        assert_eq!(on_screen, on_page, "{command}\n{out}");
        if arguments[0] == "history" {
            newest = out.lines().next().and_then(|line| line.rsplit(' ').next()).expect("an id").to_owned();
        }
        let verdict = match arguments[..] {
            ["revoke", "anna.berg", ..] | ["undo", ..] => "revoked",
            ["restore", "anna.berg", ..] => "ok",
            _ => continue,
        };
        assert_eq!(server.check(&token), verdict, "{command}");
    }
}

#[test]
fn two_screens_differ_in_more_than_times_ids_and_accounts() {
    for (one, other, same) in [
        (
            "It holds until 2026-12-27T23:06:50Z (in 30 days).",
            "It holds until 2027-01-01T00:00:00Z (in 1 h).",
            true,
        ),
        ("until 2026-12-27T23:06:50Z (in 30 days): a", "until 2026-12-27T23:06:50Z (in 30 days): b", false),
        ("issued before 2026-11-27T23:06:51Z are refused", "issued before 1700000000 are refused", false),
        (
            "undoes 01a21f451a3b-0000: x  id 01a21f464e5f-0000",
            "undoes 018bcfe56800-0001: x  id 018bcfe56801-00ff",
            true,
        ),
        ("undoes 01a21f451a3b-0000", "undoes x", false),
        ("now  uid 1000 (olga)  revoked a", "now  uid 0 (root)  revoked a", true),
        ("now  uid 1000 (olga)  revoked a", "now  desk  revoked a", false),
    ] {
        assert_eq!(lasting(one) == lasting(other), same, "{one}\n{other}");
    }
}
