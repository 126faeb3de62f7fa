//! What `--haproxy-cfg` reads, held against a real HAProxy that is asked for the same values: `.warning` shows them.

use std::fs;
use std::process::Command;

use integration_tests::haproxy::program;
use jwt_agent::haproxy::cfg::HaproxyCfg;
use tempfile::TempDir;

/// What HAProxy and its programs are started with.
const ENVIRONMENT: [(&str, &str); 3] = [("A", "x"), ("EMPTY", ""), ("JWT_V", "outer")];

/// Words behind `setenv JWT_V`.
const WORDS: &[&str] = &[
    "a",
    "\"a b\"",
    "'a b'",
    "a\\ b",
    "a\"b\"'c'd",
    "\"$A\"",
    "\"${A}\"",
    "${A}",
    "$A",
    "'${A}'",
    "\"\\${A}\"",
    "\"${A:-x}\"",
    "\"${N:-x}\"",
    "\"${N-x}\"",
    "\"${N-}\"",
    "\"${N}\"",
    "\"${EMPTY-x}\"",
    "\"${N-a b}\"",
    "\"${N-$A}\"",
    "\"${N-\"q\"}\"",
    "\"${N-a\\}b}\"",
    "\"${N-'a'}\"",
    "\"${N-\\x41}\"",
    "\"$\"",
    "\"a$\"",
    "\"${}\"",
    "\"$.x\"",
    "\"$1\"",
    "\"${1}\"",
    "\"$_A\"",
    "\"$A.x\"",
    "\"${A.x}\"",
    "\"$A-x\"",
    "\"$A$A\"",
    "\"${A}[*]\"",
    "\"$A[*]\"",
    "\"${A[*]}\"",
    "\"${A\"",
    "\"a",
    "'a",
    "\"a\\",
    "a\\",
    "'\\'",
    "\"'\\''\"",
    "\\'x",
    "\"\\'x\"",
    "\\\\",
    "\\a",
    "\\n",
    "\"\\n\"",
    "'\\n'",
    "\\x41",
    "\"\\x41\"",
    "'\\x41'",
    "\\x",
    "\\xzz",
    "\\x4",
    "\\x00",
    "\\xc3\\xa9",
    "é",
    "a#b",
    "a\\#b",
    "\"a#b\"",
    "\"\"",
    "''",
    "",
    "a b",
    "a=b",
    "--",
    "a\tb",
    "a\x0bb",
    "\"a\tb\"",
    "a\r",
    "a\u{a0}b",
    "\"https://id.example/realms/a b\"",
    "\"${HAPROXY_NOVEL-x}\"",
];

/// Pieces of which words are made.
const PIECES: [&str; 26] = [
    "a", "b", "-", ".", ":", "1", "_", " ", "\t", "#", "=", "\"", "\"", "'", "\\", "\\x41", "\\x4", "\\n",
    "$", "$A", "${A}", "${A-", "${N-", "${N", "}", "[*]",
];

/// What is refused here though HAProxy, of some version or always, takes it.
const STRICTER: [&str; 5] = [
    // Before 3.x the first word is the value.
    "expected a name and one value",
    "several words",
    "hexadecimal digits of an ASCII character",
    "by HAProxy itself",
    "under .if",
];

/// What our reader makes of a file: the value of `JWT_V`, `None` where it is not set, or why there is none.
fn ours(cfg: &str) -> Result<Option<String>, String> {
    let environment = ENVIRONMENT.map(|(name, value)| (name.into(), value.into())).into();
    let read =
        HaproxyCfg::parse(cfg).and_then(|cfg| cfg.apply(environment)).map_err(|error| error.to_string())?;
    Ok(read.into_iter().find(|(name, _)| name == "JWT_V").map(|(_, value)| value.into_string().unwrap()))
}

/// What HAProxy says of a file, which is not to be started.
fn haproxy(cfg: &str) -> String {
    let folder = TempDir::with_prefix("haproxy-cfg-").unwrap();
    let file = folder.path().join("h.cfg");
    fs::write(&file, cfg).unwrap();
    let mut command = Command::new(program());
    command.arg("-c").arg("-f").arg(&file).env_clear().envs(ENVIRONMENT);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The lines that HAProxy refuses.
fn refused(said: &str) -> Vec<usize> {
    let alerts = said.lines().filter(|line| line.starts_with("[ALERT]"));
    let line = |alert: &str| alert.split_once("h.cfg:")?.1.split(']').next()?.parse().ok();
    alerts.filter_map(line).collect()
}

/// The value that `.warning "'MARK<${JWT_V-unset}>MARK'"` has shown.
fn shown(said: &str, mark: usize) -> Option<String> {
    let (_, rest) = said.split_once(&format!("'{mark}<"))?;
    let (value, _) = rest.split_once(&format!(">{mark}'"))?;
    (value != "unset").then(|| value.to_owned())
}

/// Each of these parts of a file alone: what HAProxy makes of it, where it takes it.
fn taken(parts: &[String]) -> Vec<Result<Option<String>, ()>> {
    let file = |taken: &dyn Fn(usize) -> bool| {
        let mut text = String::from("global\n");
        let mut lines = Vec::new();
        for (number, part) in parts.iter().enumerate().filter(|(number, _)| taken(*number)) {
            let first = text.lines().count() + 1;
            text.push_str(part);
            lines.push((number, first..text.lines().count() + 1));
            text.push_str(&format!(".warning \"{number}<${{JWT_V-unset}}>{number}\"\nsetenv JWT_V outer\nsetenv A x\nunsetenv N\n"));
        }
        (text, lines)
    };
    // HAProxy goes on after a fault, but not for ever.
    let mut good = vec![true; parts.len()];
    loop {
        let (text, lines) = file(&|number| good[number]);
        let said = haproxy(&text);
        let alerts = refused(&said);
        if alerts.is_empty() {
            return (0..parts.len())
                .map(|number| if good[number] { Ok(shown(&said, number)) } else { Err(()) })
                .collect();
        }
        for (number, lines) in lines {
            good[number] &= !alerts.iter().any(|alert| lines.contains(alert));
        }
    }
}

/// Holds both against each other; the number of parts of which both read a value.
fn compare(parts: &[String]) -> usize {
    let mut values = 0;
    for (part, haproxys) in parts.iter().zip(taken(parts)) {
        match (ours(&format!("global\n{part}")), haproxys) {
            (Ok(ours), Ok(haproxys)) => {
                assert_eq!(ours, haproxys, "{part:?}");
                values += 1;
            }
            (Ok(ours), Err(())) => panic!("HAProxy refuses {part:?}, of which {ours:?} was read"),
            (Err(error), Ok(haproxys)) => {
                assert!(
                    STRICTER.iter().any(|known| error.contains(known)),
                    "{part:?} is {haproxys:?} for HAProxy: {error}"
                );
            }
            (Err(_), Err(())) => {}
        }
    }
    values
}

#[test]
fn words_are_what_haproxy_makes_of_them() {
    let parts: Vec<_> = WORDS.iter().map(|word| format!("setenv JWT_V {word}\n")).collect();
    let values = compare(&parts);
    assert!(values >= 35, "{values} of {}", parts.len());
}

#[test]
fn words_made_of_any_pieces_are_what_haproxy_makes_of_them() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(limit).unwrap()).unwrap()
    };
    let mut parts = Vec::new();
    for number in 0..1000 {
        let pieces: String = (0..=below(7)).map(|_| PIECES[below(PIECES.len())]).collect();
        // Half of them inside of quotes, where variables are put in.
        parts.push(if number % 2 == 0 {
            format!("setenv JWT_V \"{pieces}\"\n")
        } else {
            format!("setenv JWT_V {pieces}\n")
        });
    }
    let values = compare(&parts);
    assert!(values >= 250, "{values} of {}", parts.len());
}

#[test]
fn lines_change_the_environment_as_in_haproxy() {
    let parts = [
        "presetenv JWT_V a\n",
        "unsetenv JWT_V\n",
        "unsetenv JWT_V\npresetenv JWT_V a\n",
        "unsetenv A N JWT_V\nsetenv JWT_V \"${A-gone}\"\n",
        "setenv N a\nsetenv JWT_V \"$N$N\"\n",
        "presetenv N a\npresetenv N b\nsetenv JWT_V \"$N\"\n",
        "setenv N a\nsetenv N b\nsetenv JWT_V \"$N\"\n",
        "setenv JWT_V a\nsetenv JWT_V \"$JWT_V b\"\n",
        "setenv JWT_V a\npresetenv JWT_V b\n",
        "resetenv A JWT_V\n",
        "resetenv A\nsetenv JWT_V \"$A\"\n",
        "resetenv\nsetenv JWT_V \"${A-gone}\"\n",
        "# setenv JWT_V a\n",
        "setenv JWT_V a # setenv JWT_V b\n",
        "\"setenv\" 'JWT_V' a\n",
        "  \tsetenv\t JWT_V \t a  \n",
        "setenv N JWT_V\nsetenv \"$N\" a\n",
        "setenv JWT_VV a\n",
        "setenv jwt_v a\n",
        ".if 0\nsetenv X a\n.else\nsetenv Y a\n.endif\nsetenv JWT_V a\n",
        ".if 1\nsetenv N a\n.endif\nsetenv N b\nsetenv JWT_V \"$N\"\n",
        "setenv JWT_V a\ndefaults\nmode http\ntimeout client 1s\nglobal\nsetenv N b\n",
        // Refused here, whatever HAProxy makes of it.
        ".if 0\nsetenv JWT_V a\n.endif\n",
        ".if 1\nsetenv JWT_V a\n.else\nsetenv JWT_V b\n.endif\n",
        ".if 1\nsetenv N a\n.endif\nsetenv JWT_V \"$N\"\n",
        // A line does not go on in the next one.
        "setenv JWT_V a\\\nsetenv N b\n",
        "setenv JWT_V \"a\\\n\"\n",
    ];
    let parts: Vec<_> = parts.iter().map(|&part| part.to_owned()).collect();
    assert!(compare(&parts) >= 20);
}
