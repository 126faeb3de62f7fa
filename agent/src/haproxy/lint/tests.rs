use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> Text {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Text { name: path.file_name().unwrap().to_str().unwrap().to_owned(), text }
}

fn corpus() -> Vec<PathBuf> {
    let folder = repository().join("tests/data/haproxy_lint");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "cfg"))
        .collect();
    files.sort();
    files
}

/// The ids in the first line of a case.
fn expected(text: &str) -> Vec<&str> {
    let first = text.lines().next().unwrap().strip_prefix("# expects: ").unwrap();
    if first == "nothing" { Vec::new() } else { first.split(' ').collect() }
}

/// The findings in a case, by its own SPOE file or the one that we ship.
fn found(case: &Path) -> (Vec<Finding>, Vec<String>) {
    let own = case.with_extension("spoe");
    let spoe = if own.exists() { own } else { repository().join("haproxy/spoe-jwt.conf") };
    let settings = case.with_extension("toml");
    let settings = settings.exists().then(|| settings.display().to_string());
    lint(vec![read(case), read(&spoe)], settings.as_deref()).unwrap()
}

#[test]
fn each_case_has_the_findings_that_it_names_and_no_other() {
    let cases = corpus();
    assert!(cases.len() >= 100, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let text = fs::read_to_string(case).unwrap();
        let (findings, names) = found(case);
        let expected = expected(&text);
        // Most cases are about something else than what a client learns.
        let is_told = |finding: &&Finding| !finding.id.is_hint() || expected.contains(&finding.id.as_str());
        let mut ids: Vec<_> = findings.iter().filter(is_told).map(|finding| finding.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids != expected {
            wrong.push(format!(
                "{}: expected {:?}\n{}",
                case.display(),
                expected,
                as_text(&findings, &names)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_id_has_a_case_and_a_row_in_the_document() {
    let mut cases: BTreeMap<String, usize> = BTreeMap::new();
    for case in corpus() {
        let text = fs::read_to_string(case).unwrap();
        expected(&text).iter().for_each(|id| *cases.entry((*id).to_owned()).or_default() += 1);
    }
    let document = fs::read_to_string(repository().join("docs/HAPROXY_LINT.md")).unwrap();
    let rows: Vec<&str> =
        document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let ids: Vec<&str> = Id::ALL.iter().map(|id| id.as_str()).collect();
    assert_eq!(rows, ids, "docs/HAPROXY_LINT.md");
    for id in &ids {
        assert!(cases.contains_key(*id), "{id} has no case");
    }
    assert!(cases.keys().all(|id| ids.contains(&id.as_str())), "{cases:?}");
}

#[test]
fn what_we_ship_is_clean() {
    let mut count = 0;
    for folder in ["haproxy", "haproxy/recipes", "examples", "deploy"] {
        let mut folders = vec![repository().join(folder)];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                let is_ours = path.extension().is_some_and(|end| end == "cfg")
                    && fs::read_to_string(&path).is_ok_and(|text| text.contains("filter spoe engine jwt"));
                // What was there before us is another's.
                if path.is_dir() && !path.ends_with("before") {
                    folders.push(path);
                } else if is_ours {
                    count += 1;
                    let spoe = repository().join("haproxy/spoe-jwt.conf");
                    let (findings, names) = lint(vec![read(&path), read(&spoe)], None).unwrap();
                    assert!(findings.is_empty(), "{}: {}", path.display(), as_text(&findings, &names));
                }
            }
        }
    }
    assert!(count >= 11, "{count}");
}

#[test]
fn several_files_are_one_configuration() {
    let [first, second] =
        ["frontend web\n    bind :80\n    default_backend app\n", "backend app\n    server a 10.0.0.1:80\n"];
    let text = |name: &str, text: &str| Text { name: name.to_owned(), text: text.to_owned() };
    let place = "frontend tokens\n    bind :81\n    filter spoe engine jwt config spoe-jwt.conf\n    \
                 http-request del-header upgrade\n    \
                 http-request deny unless { var(txn.tkn.valid) -m bool }\n    default_backend app\n";
    let files = vec![
        text("a.cfg", place),
        text("b.cfg", second),
        text("c.cfg", first),
        read(&repository().join("haproxy/spoe-jwt.conf")),
    ];
    let (findings, names) = lint(files, None).unwrap();
    let told = as_text(&findings, &names);
    assert!(told.contains("c.cfg:3: bypass-frontend: `app` is protected by"), "{told}");
    assert_eq!(findings.iter().filter(|finding| !finding.id.is_hint()).count(), 1, "{told}");
}

#[test]
fn a_finding_is_told_with_its_line_its_cause_and_its_cure() {
    let case = repository().join("tests/data/haproxy_lint/bad_allow_above.cfg");
    let (findings, names) = found(&case);
    let line =
        fs::read_to_string(&case).unwrap().lines().position(|line| line.contains(" allow ")).unwrap() + 1;
    let told = as_text(&findings, &names);
    let expected = format!(
        "bad_allow_above.cfg:{line}: admits-above: It stands above our lines and ends the rules: what it allows needs no token.\n    \
         cure: below our lines: http-request allow if {{ path_beg /static/ }}\n"
    );
    assert!(told.starts_with(&expected), "{told}");
    let told: serde_json::Value = serde_json::from_str(&as_json(&findings, &names)).unwrap();
    assert_eq!(told["findings"][0]["id"], "admits-above");
    assert_eq!(told["findings"][0]["line"], line);
    assert_eq!(told["findings"][0]["file"], "bad_allow_above.cfg");
    assert_eq!(told["findings"][0]["is_hint"], false);
    assert_eq!(as_text(&[], &[]), "nothing found\n");
}

#[test]
fn any_text_is_read_without_a_panic() {
    let spoe = read(&repository().join("haproxy/spoe-jwt.conf"));
    for case in corpus() {
        let text = fs::read_to_string(case).unwrap();
        // Cut anywhere, and with words left out.
        for length in (0..text.len()).step_by(797) {
            let cut = text.get(..length).unwrap_or_default().to_owned();
            let holes: String = text
                .split(' ')
                .enumerate()
                .filter(|(index, _)| index % 7 != length % 7)
                .map(|(_, word)| format!("{word} "))
                .collect();
            for text in [cut, holes] {
                let texts = vec![Text { name: "cut.cfg".to_owned(), text }, spoe.clone()];
                lint(texts, None).ok();
            }
        }
    }
}
