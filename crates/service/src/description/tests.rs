use super::*;
use crate::settings::Settings;
use std::io::Write as _;

/// What must never be seen, put where a secret may stand.
const CANARY: &str = "s3cret-canary";

fn program() -> Program {
    let settings = vec![
        Setting::new(
            "APP__PORT",
            Kind::Number { unit: "ports", least: 1, most: 9 },
            "5",
            "Where it [listens](X.md)",
        )
        .or("3"),
        Setting::new("APP__ON", Kind::Switch, "true", "A switch").or("false").restart(),
        Setting::new("APP__URLS", Kind::List("URLs"), "http://a,http://b", "Some `URLs`").without_secrets(),
        Setting::new("APP__KEY", Kind::Text("text"), "k", "A key").secret(),
        Setting::new("APP__NAME", Kind::Text("text"), "n", "A name").or(Default::As("APP__MODE")),
        Setting::new("APP__MODE", Kind::Word(&["a", "b"]), "b", "A mode").or("a"),
    ];
    let fields = vec![
        Setting::new("id", Kind::Text("text"), "i", "Its name").or(Default::Required),
        Setting::new("urls", Kind::List("URLs"), "http://c", "Its URLs").without_secrets(),
        Setting::new("keys", Kind::Map("texts"), "{ a = 1 }", "Its keys").secret(),
    ];
    Program {
        name: "app",
        about: "A program.",
        prefix: "APP_",
        config: "APP_CONFIG",
        groups: vec![Group { title: "all", settings }],
        tables: vec![Table { name: "rows", meaning: "A row".into(), fields }],
    }
}

fn read(toml: &str, variables: &[(&str, &str)]) -> (tempfile::NamedTempFile, Settings) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(toml.as_bytes()).unwrap();
    let own = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let variables = own.chain([("APP_CONFIG".into(), file.path().into())]);
    let settings = Settings::load("APP_", "APP_CONFIG", variables).unwrap();
    (file, settings)
}

fn in_use(toml: &str, variables: &[(&str, &str)], faulty: &[&str]) -> String {
    let (file, settings) = read(toml, variables);
    let faulty = faulty.iter().map(|name| (*name).to_owned()).collect();
    let in_use = InUse::new(&program(), "1.2.3", &settings, &faulty);
    let path = file.path().display().to_string();
    let text = in_use.toml() + "\n" + &in_use.json().to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace(&path, "FILE")
}

#[test]
fn each_value_in_use_is_told_with_its_origin() {
    let toml = "APP__PORT = 5\n[app]\non = true\n\n[[rows]]\nid = 'x'\nurls = ['http://c', 'http://d']\n[[rows]]\nid = 'y'\n";
    let text = in_use(toml, &[("APP__URLS", "http://a, http://b"), ("APP__PORT", " 7 ")], &[]);
    for expected in [
        "APP__PORT = 7 # environment",
        "APP__ON = true # FILE:3",
        "APP__URLS = [\"http://a\", \"http://b\"] # environment",
        "#APP__KEY = # not set",
        "#APP__NAME = \"a\" # default",
        "#APP__MODE = \"a\" # default",
        "[[rows]] id = \"x\" # FILE:6 urls = [\"http://c\", \"http://d\"] # FILE:7",
        "[[rows]] id = \"y\" # FILE:9",
        r#""APP__PORT":{"from":"environment","value":7}"#,
        r#""rows":[{"id":{"from":"FILE:6","value":"x"},"#,
    ] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
}

#[test]
fn no_form_shows_a_secret_or_the_value_of_a_faulty_setting() {
    let url = format!("http://user:{CANARY}@a/x?k={CANARY}");
    let bare = format!("user:{CANARY}@proxy.example:3128");
    let toml = format!(
        "APP__PORT = '{CANARY}'\nAPP__TYPO = '{CANARY}'\n\
         [[rows]]\nid = '{CANARY}'\nurls = ['http://c/{CANARY}@x']\nkeys = {{ a = '{CANARY}' }}\ntypo = '{CANARY}'\n"
    );
    let text = in_use(
        &toml,
        &[("APP__URLS", &url), ("APP__KEY", CANARY), ("HTTPS_PROXY", &bare), ("no_proxy", "a.example")],
        &["APP__PORT", "rows[0].id"],
    );
    assert!(!text.contains(CANARY), "{text}");
    for expected in [
        "#APP__PORT = # FILE:1; faulty, not shown",
        "#APP__URLS = [\"http://a/x\"] (sha256:",
        "#APP__KEY = (sha256:",
        "#id = # FILE:4; faulty, not shown",
        "#typo = # FILE:7; faulty, not shown",
        "#keys = (sha256:",
        r#""without_secrets":["http://a/x"]"#,
        "#HTTPS_PROXY = \"proxy.example:3128\" # environment",
        "#no_proxy = \"a.example\" # environment",
    ] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
    let other = in_use("", &[("APP__KEY", "another")], &[]);
    let fingerprint = |text: &str| text.split("#APP__KEY = (").nth(1).unwrap()[..15].to_owned();
    assert_ne!(fingerprint(&text), fingerprint(&other), "two secrets are told apart");
}

#[test]
fn what_is_printed_is_a_file_that_says_the_same() {
    let toml = "APP__PORT = 5\nAPP__NAME = \"a \\\"b\\\" \\\\ \\u0007\"\n[[rows]]\nid = 'x'\nurls = ['http://c,d']\n";
    let (_file, settings) = read(toml, &[]);
    let printed = InUse::new(&program(), "1", &settings, &BTreeSet::new()).toml();
    let (_file, again) = read(&printed, &[]);
    assert_eq!(settings.differing(&again), Vec::<String>::new(), "{printed}");
}

#[test]
fn the_sample_has_every_setting_and_can_be_used_when_its_marks_are_taken_away() {
    let sample = program().sample();
    toml::from_str::<toml::Table>(&sample).unwrap();
    assert_eq!(sample.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count(), 0);
    let used: String = sample
        .lines()
        .filter_map(|line| {
            line.strip_prefix('#')
                .filter(|line| line.starts_with(|letter: char| letter.is_alphabetic() || letter == '['))
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let table: toml::Table = toml::from_str(&used).unwrap();
    assert_eq!(table.len(), 7, "{used}");
    assert_eq!(table["rows"].as_array().unwrap()[0].as_table().unwrap().len(), 3, "{used}");
}

#[test]
fn words_find_settings_and_fields_in_any_letter_case() {
    let words =
        |words: &[&str]| program().listing(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    let all = words(&[]);
    assert!(
        all.contains("APP__PORT\n    ports, 1 to 9; default 3 Where it listens\n")
            || all.contains("APP__PORT\n    ports, 1 to 9; default 3\n    Where it listens\n"),
        "{all}"
    );
    assert!(all.contains("rows.keys\n") && all.contains("a change needs a restart"), "{all}");
    assert_eq!(words(&["URLS"]).matches("urls").count() + words(&["URLS"]).matches("APP__URLS").count(), 2);
    assert_eq!(words(&["nonsense"]), "");
}

#[test]
fn markdown_becomes_what_it_says() {
    for (markdown, expected) in [
        ("a [link](X.md#y) and `code`", "a link and code"),
        ("`types = [..]` and [`b`](c)", "types = [..] and [b](c)"),
        ("**bold** [[rows]] tables", "bold [[rows]] tables"),
        ("[one](a) [two](b)", "one two"),
        ("said ([more](X.md)) here", "said here"),
        ("[", "["),
    ] {
        assert_eq!(plain(markdown), expected, "{markdown}");
    }
}

#[test]
fn what_is_described_and_not_read_or_read_otherwise_is_a_difference() {
    let (_file, mut settings) = read("[[rows]]\nid = 'x'\n", &[]);
    let mut row = settings.tables("rows").remove(0);
    row.text("id");
    row.list("urls");
    row.values("keys");
    row.text("more");
    settings.adopt(row);
    for name in ["APP__PORT", "APP__ON", "APP__KEY", "APP__NAME", "APP__MODE"] {
        settings.text(name);
    }
    assert_eq!(
        program().differences(&settings.readings()),
        [
            "APP__ON is described as Switch and read as One",
            "APP__URLS is described, and not read",
            "rows.more is read, and not described"
        ]
    );
}

#[test]
fn the_forms_for_packages_have_every_name() {
    let program = program();
    let command = || clap::Command::new("app").subcommand(clap::Command::new("serve").about("Serves"));
    for (form, expected) in [
        (Describe::Man, &["APP__PORT", "APP__KEY", "serve", "Tables [[rows]]"][..]),
        (Describe::Completions { shell: clap_complete::Shell::Bash }, &["serve", "complete -F"]),
        (
            Describe::Reference { shown: Vec::new() },
            &["| `APP__PORT` | ports, 1 to 9 | `3` | yes |", "### `[[rows]]`", "`app serve`"],
        ),
        (Describe::Schema, &["\"additionalProperties\": false", "\"APP__PORT\""]),
    ] {
        let mut out = Vec::new();
        form.write(&program, command(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap().replace("\\_", "_");
        for word in expected {
            assert!(text.contains(word), "{form:?}: {word} is not in {text}");
        }
    }
    let mut out = Vec::new();
    Describe::Reference { shown: vec!["rows".to_owned()] }.write(&program, command(), &mut out).unwrap();
    assert!(!String::from_utf8(out).unwrap().contains("[[rows]]"));
}
