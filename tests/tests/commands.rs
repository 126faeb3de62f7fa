//! The commands of this project, where they decide something: what is tested, what is missing, where things are built.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use integration_tests::process::repository;
use tempfile::TempDir;

/// What a script says and how it ends.
fn run(command: &mut Command, input: &str) -> Output {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn script(name: &str) -> Command {
    let mut command = Command::new(repository().join("tests").join(name));
    command.current_dir(repository());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_haproxy_of_each_branch_is_tested_and_a_branch_that_is_gone_is_told() {
    let table: [(&str, &str, &[&str], &[&str]); 9] = [
        (
            "today on the settled Debian",
            "installed 2.6.12-1+deb12u2\n",
            &["bookworm 2.6.12-1+deb12u2", "trixie 3.0.11-1", "forky 3.2.26-1", "sid 3.2.26-1"],
            &["installed 2.6", "test trixie 3.0", "test forky 3.2"],
        ),
        (
            "on the next Debian, whose own release is newer",
            "installed 3.0.11-1\n",
            &["bookworm 2.6.12-1", "trixie 3.0.11-1", "forky 3.2.26-1", "sid 3.2.26-1"],
            &["installed 3.0", "test bookworm 2.6", "test forky 3.2"],
        ),
        (
            "without any installed",
            "",
            &["bookworm 2.6.12-1", "trixie 3.0.11-1", "forky 3.2.26-1"],
            &["test bookworm 2.6", "test trixie 3.0", "test forky 3.2"],
        ),
        (
            "unstable and experimental hold others",
            "installed 2.6.12-1\n",
            &["trixie 3.0.11-1", "forky 3.2.26-1", "sid 3.3.4-1", "experimental 3.5~dev5-1"],
            &["installed 2.6", "test trixie 3.0", "test forky 3.2", "test sid 3.3", "test experimental 3.5"],
        ),
        (
            "testing has moved on",
            "installed 2.6.12-1\n",
            &["trixie 3.0.11-1", "forky 3.4.1-1", "sid 3.4.1-1"],
            &["installed 2.6", "test trixie 3.0", "test forky 3.4", "gone 3.2"],
        ),
        (
            "one more program brings the branch back",
            "installed 2.6.12-1\ngiven 3.2.1\n",
            &["trixie 3.0.11-1", "forky 3.4.1-1"],
            &["installed 2.6", "test given 3.2", "test trixie 3.0", "test forky 3.4"],
        ),
        (
            "one more program is tested beside Debian's of its branch",
            "installed 2.6.12-1\ngiven 3.0.99-dev\n",
            &["trixie 3.0.11-1", "forky 3.2.26-1"],
            &["installed 2.6", "test given 3.0", "test trixie 3.0", "test forky 3.2"],
        ),
        (
            "an epoch, and numbers of two digits",
            "installed 2.6.12-1\n",
            &["trixie 3.0.11-1", "forky 1:3.2~rc1-1+b2", "sid 3.20.1-1"],
            &["installed 2.6", "test trixie 3.0", "test forky 3.2", "test sid 3.20"],
        ),
        ("nothing at all", "", &[], &["gone 2.6", "gone 3.0", "gone 3.2"]),
    ];
    for (case, here, suites, expected) in table {
        let rows: String = suites.iter().map(|row| format!("{row}\n")).collect();
        let decided = run(script("versions.sh").arg("plan"), &(here.to_owned() + &rows));
        assert!(decided.status.success(), "{case}: {}", text(&decided.stderr));
        assert_eq!(text(&decided.stdout).lines().collect::<Vec<_>>(), expected, "{case}");
    }
    for wrong in ["sid\n", "sid none\n", "sid 3\n", "installed 2.6.1 more\n"] {
        let decided = run(script("versions.sh").arg("plan"), wrong);
        assert!(!decided.status.success(), "{wrong}: {}", text(&decided.stdout));
    }
}

#[test]
fn what_passed_on_a_haproxy_is_told_by_suite_and_what_was_not_run_has_not_passed() {
    let names = "cache::a\nrotation::a\nrotation::b\n";
    let table = [
        (
            "all pass, in any order",
            names,
            "\nrunning 3 tests\ntest rotation::b ... ok\ntest cache::a ... ok\ntest rotation::a - should panic ... ok\n",
            true,
            "cache: 1 of 1\nrotation: 2 of 2\n3 of 3 tests in 2 suites passed\n",
        ),
        (
            "one fails",
            names,
            "test rotation::b ... FAILED\ntest cache::a ... ok\ntest rotation::a ... ok\n",
            false,
            "cache: 1 of 1\nrotation: 1 of 2, not passed: rotation::b\n2 of 3 tests in 2 suites passed\n",
        ),
        (
            "a suite is not run, and one that was not asked for is",
            names,
            "test cache::a ... ok\ntest gateway_rotation::a ... ok\ntest rotation::ab ... ok\n",
            false,
            "cache: 1 of 1\nrotation: 0 of 2, not passed: rotation::a rotation::b\n1 of 3 tests in 2 suites passed\n",
        ),
        (
            "a test is left out",
            "cache::a\n",
            "test cache::a ... ignored\n",
            false,
            "cache: 0 of 1, not passed: cache::a\n0 of 1 tests in 1 suites passed\n",
        ),
        (
            "nothing was run",
            "cache::a\n",
            "",
            false,
            "cache: 0 of 1, not passed: cache::a\n0 of 1 tests in 1 suites passed\n",
        ),
        ("nothing was asked for", "", "test cache::a ... ok\n", false, "0 of 0 tests in 0 suites passed\n"),
    ];
    for (case, names, log, good, expected) in table {
        let folder = TempDir::with_prefix("log-").unwrap();
        let file = folder.path().join("log");
        fs::write(&file, log).unwrap();
        let told = run(script("versions.sh").arg("tally").arg(&file), names);
        assert_eq!(text(&told.stdout), expected, "{case}: {}", text(&told.stderr));
        assert_eq!(told.status.success(), good, "{case}");
    }
    let told = run(script("versions.sh").args(["tally", "/no/such/log"]), names);
    assert!(!told.status.success(), "{}", text(&told.stdout));
}

/// `tests/conformance.sh` with a cargo that only tells which vectors it was given.
fn conformance(folder: &str) -> Output {
    let made = TempDir::with_prefix("cargo-").unwrap();
    let cargo = made.path().join("cargo");
    fs::write(&cargo, "#!/bin/sh\necho \"$VECTORS_SIGNATURES $VECTORS_KEYS $VECTORS_RFC7520\"\n").unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&cargo).status().unwrap().success());
    run(script("conformance.sh").arg(folder).env("CARGO", &cargo), "")
}

#[test]
fn vectors_that_are_not_there_are_named_with_where_they_come_from() {
    let empty = TempDir::with_prefix("vectors-").unwrap();
    let half = TempDir::with_prefix("vectors-").unwrap();
    fs::write(half.path().join("json_web_key_test.json"), "{}").unwrap();
    let table = [
        (String::new(), "VECTORS is not set"),
        ("/no/such/folder".to_owned(), "no folder /no/such/folder"),
        (path(empty.path()), "lacks json_web_signature_test.json json_web_key_test.json jwe jws"),
        (path(half.path()), "lacks json_web_signature_test.json jwe jws"),
    ];
    for (folder, expected) in table {
        let told = conformance(&folder);
        let said = text(&told.stderr);
        assert_eq!(told.status.code(), Some(2), "{folder}: {said}");
        assert!(said.contains(expected), "{folder}: {said}");
        assert!(said.contains("wycheproof") && said.contains("cookbook"), "{folder}: {said}");
    }
}

#[test]
fn vectors_are_found_beside_each_other_and_in_the_projects_that_publish_them() {
    let layouts = [
        ["json_web_signature_test.json", "json_web_key_test.json", "jws", "jwe"],
        ["wycheproof_json_web_signature.json", "wycheproof_json_web_key.json", "rfc7520/jws", "rfc7520/jwe"],
        [
            "wycheproof/testvectors_v1/json_web_signature_test.json",
            "wycheproof/testvectors_v1/json_web_key_test.json",
            "cookbook/jws",
            "cookbook/jwe",
        ],
    ];
    for layout in layouts {
        let folder = TempDir::with_prefix("vectors-").unwrap();
        for file in layout {
            fs::create_dir_all(folder.path().join(file)).unwrap();
        }
        let told = conformance(&path(folder.path()));
        assert!(told.status.success(), "{layout:?}: {}", text(&told.stderr));
        let root = folder.path().canonicalize().unwrap();
        let expected = [root.join(layout[0]), root.join(layout[1]), root.join(layout[2])];
        let examples = Path::parent(&expected[2]).unwrap();
        assert_eq!(
            text(&told.stdout).trim_end(),
            format!("{} {} {}", expected[0].display(), expected[1].display(), examples.display())
        );
    }
}

fn path(folder: &Path) -> String {
    folder.display().to_string()
}

#[test]
fn what_is_missing_is_named_with_the_command_that_installs_it() {
    let present = run(script("setup.sh").args(["sh:dash", "/etc/passwd:base-passwd"]), "");
    assert!(present.status.success(), "{}", text(&present.stderr));
    // A user that may not install: id says so, and there is no sudo to be found.
    let folder = TempDir::with_prefix("path-").unwrap();
    for (name, body) in [("id", "echo 1000"), ("cargo", "exit 0"), ("sudo", "exit 1")] {
        let file = folder.path().join(name);
        fs::write(&file, format!("#!/bin/sh\n{body}\n")).unwrap();
        assert!(Command::new("chmod").arg("+x").arg(&file).status().unwrap().success());
    }
    let pairs = ["no-such-command:one", "/no/such/file:two", "sh:dash"];
    let told =
        run(script("setup.sh").args(pairs).env("PATH", format!("{}:/usr/bin:/bin", path(folder.path()))), "");
    assert!(!told.status.success());
    let said = text(&told.stderr);
    assert!(said.contains("missing: one two;"), "{said}");
    assert!(said.contains("sudo apt-get install -y one two"), "{said}");
}

#[test]
fn cargo_is_asked_where_it_builds() {
    let set = run(script("target.sh").env("CARGO_TARGET_DIR", "/somewhere/else"), "");
    assert_eq!(text(&set.stdout), "/somewhere/else\n", "{}", text(&set.stderr));
    let home = TempDir::with_prefix("cargo-home-").unwrap();
    fs::write(home.path().join("config.toml"), "[build]\ntarget-dir = \"/configured\"\n").unwrap();
    let mut configured = script("target.sh");
    configured
        .env("CARGO_HOME", home.path())
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("CARGO_BUILD_TARGET_DIR");
    let configured = run(&mut configured, "");
    assert_eq!(text(&configured.stdout), "/configured\n", "{}", text(&configured.stderr));
}

#[test]
fn no_command_guesses_where_cargo_builds() {
    let mut files = vec![repository().join("Makefile")];
    let mut folders = vec![repository().join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "sh") {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        for line in fs::read_to_string(&file).unwrap().lines() {
            let code = line.split('#').next().unwrap_or_default();
            let guesses = ["${CARGO_TARGET_DIR", " target/", "\"target/", "@target/", "/target/debug"];
            let guess = guesses.iter().find(|guess| code.contains(**guess));
            assert_eq!(guess, None, "{}: {line}", file.display());
        }
    }
}
