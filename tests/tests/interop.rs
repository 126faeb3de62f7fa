//! Tokens of two other implementations, made anew in each run: what they make well is accepted, what they make wrong on
//! purpose is refused for that fault and no other.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use integration_tests::interop::{node, output, python};
use integration_tests::process::workspace_program;
use jose::{
    AlgorithmSet, Decrypted, DecryptionKeys, IssuerPolicy, KeyOrigin, KeyRules, KeySet, Profile, Reject,
    UnixTime, Verdict, decrypt, verify, verify_signature,
};
use serde_json::Value;
use serde_json::value::RawValue;

const RULES: KeyRules = KeyRules {
    origin: KeyOrigin::File,
    profile: Profile::Standard,
    allow_short_secrets: false,
    allow_mixed_keys: false,
};

#[test]
fn decides_on_the_tokens_of_jose_from_npm_as_they_were_meant() {
    let made = made_by_node();
    judge(&made, "tokens", 16 * 3, |token, judge| judge.signed(token));
    judge(&made, "encrypted", 6 * 2 + 6 * 6 + 18 * 2, |token, judge| judge.encrypted(token));
}

#[test]
fn decides_on_the_tokens_of_joserfc_from_pypi_as_they_were_meant() {
    let made = made_by_python();
    judge(&made, "tokens", 16 * 5, |token, judge| judge.signed(token));
    judge(&made, "encrypted", 6 * 3 + 6 + 18, |token, judge| judge.encrypted(token));
}

#[test]
fn the_command_line_gives_the_same_verdicts() {
    for made in [made_by_node(), made_by_python()] {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys.json");
        fs::write(&keys, made["jwks"].to_string()).unwrap();
        // A token in text of several lines cannot come on one line.
        let cases: Vec<_> = cases(&made, "tokens").filter(|(_, token, _)| !token.contains('\n')).collect();

        let mut verifying = Command::new(workspace_program("jwt-agent").unwrap())
            .args(["verify", "--keys"])
            .arg(&keys)
            .env_clear()
            .envs([("JWT_ISSUERS", text(&made["issuer"])), ("JWT_AUDIENCES", text(&made["audience"]))])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = verifying.stdin.take().unwrap();
        let lines: String = cases.iter().map(|(_, token, _)| format!("{token}\n")).collect();
        let writing = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
        let output = verifying.wait_with_output().unwrap();
        writing.join().unwrap().unwrap();

        assert_eq!(output.status.code(), Some(2), "not all are valid");
        let verdicts = String::from_utf8(output.stdout).unwrap();
        assert_eq!(verdicts.lines().count(), cases.len());
        for (verdict, (what, _, detail)) in verdicts.lines().zip(cases) {
            // Claims come out as they are, numbers that no other reader can hold included.
            let verdict: HashMap<String, Box<RawValue>> = serde_json::from_str(verdict).unwrap();
            assert_eq!(verdict["detail"].get(), format!("{detail:?}"), "{}: {what}", made["implementation"]);
            assert_eq!(
                verdict["valid"].get(),
                (detail == "ok").to_string(),
                "{}: {what}",
                made["implementation"]
            );
        }
    }
}

/// The keys of one implementation and what its tokens must say.
struct Judge {
    keys: KeySet,
    decryption_keys: DecryptionKeys,
    policy: IssuerPolicy,
    now: UnixTime,
}

impl Judge {
    fn of(made: &Value) -> Self {
        let implementation = text(&made["implementation"]);
        let keys = KeySet::parse(made["jwks"].to_string().as_bytes(), &RULES).unwrap();
        assert_eq!(keys.skipped(), [], "{implementation}");
        let decryption_keys = DecryptionKeys::parse(made["decryptionKeys"].to_string().as_bytes()).unwrap();
        assert_eq!(decryption_keys.skipped(), [], "{implementation}");
        let policy = IssuerPolicy {
            issuers: vec![text(&made["issuer"]).into()],
            audiences: vec![text(&made["audience"]).to_owned()],
            ..IssuerPolicy::of(Profile::Standard)
        };
        Self { keys, decryption_keys, policy, now: UnixTime::from_system(SystemTime::now()) }
    }

    fn signed(&self, token: &str) -> Result<(), Reject> {
        match verify(token, &self.keys, &self.policy, self.now) {
            Verdict::Accept(signed) => {
                assert!(signed.claims.get("sub").is_some());
                assert_eq!(verify_signature(token, &self.keys, AlgorithmSet::ALL), Ok(signed));
                Ok(())
            }
            Verdict::Refuse(refusal) => Err(refusal.reject),
        }
    }

    fn encrypted(&self, token: &str) -> Result<(), Reject> {
        match decrypt(token, &self.decryption_keys)? {
            Decrypted::Claims { claims, .. } => self.policy.validate(&claims, self.now),
            Decrypted::Nested { token, .. } => self.signed(&token),
        }
    }
}

/// Decides on every token of a list; `least` of them have to be good.
fn judge(made: &Value, list: &str, least: usize, verdict: fn(&str, &Judge) -> Result<(), Reject>) {
    let implementation = text(&made["implementation"]);
    let judge = Judge::of(made);
    let mut good = 0;
    for (what, token, expected) in cases(made, list) {
        let found = match verdict(token, &judge) {
            Ok(()) => "ok",
            Err(reject) => reject.detail(),
        };
        assert_eq!(found, expected, "{implementation}: {what}: {token}");
        good += usize::from(found == "ok");
    }
    assert!(good >= least, "{implementation} made only {good} good ones of {list}");
    println!("{implementation}, {list}: {good} accepted, {} refused", cases(made, list).count() - good);
}

fn cases<'a>(made: &'a Value, list: &str) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
    let tokens = made[list].as_array().unwrap();
    tokens.iter().map(|case| (text(&case["what"]), text(&case["token"]), text(&case["detail"])))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

fn made_by_node() -> Value {
    output(node("make_tokens.mjs"))
}

fn made_by_python() -> Value {
    output(python("make_tokens.py"))
}
