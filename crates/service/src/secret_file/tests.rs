//! Files as operators, editors, Kubernetes and failing disks leave them.

use std::fs;
use std::os::unix::fs::symlink;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::sign::CertifiedKey;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::*;
use crate::pem;
use crate::shutdown::Shutdown;

/// Above any delay of a busy machine.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(30);

fn word(bytes: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "no text".to_owned())?.trim();
    if text.is_empty() { Err("the file is empty".to_owned()) } else { Ok(text.to_owned()) }
}

struct Shown {
    registry: Registry,
    metrics: SecretMetrics,
}

impl Shown {
    fn new() -> Self {
        let mut registry = Registry::default();
        let metrics = SecretMetrics::register(&mut registry);
        Self { registry, metrics }
    }

    /// The value of a line of the metrics; 0 where there is none.
    fn value(&self, line: &str) -> i64 {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok()).unwrap_or_default()
    }

    fn unusable(&self, setting: &str) -> i64 {
        self.value(&format!("secret_file_unusable{{setting=\"{setting}\"}}"))
    }

    fn changes(&self, setting: &str, outcome: &str) -> i64 {
        self.value(&format!("secret_file_changes_total{{setting=\"{setting}\",outcome=\"{outcome}\"}}"))
    }
}

#[test]
fn what_cannot_be_used_leaves_what_was_valid_and_is_shown_until_it_is_mended() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("token");
    let load = || SecretFile::one(NamedFile::new("TOKEN_FILE", &path), word);
    assert!(load().unwrap_err().to_string().starts_with("TOKEN_FILE: cannot read the file: "));
    fs::write(&path, " ").unwrap();
    assert_eq!(load().unwrap_err().to_string(), "TOKEN_FILE: the file is empty");
    fs::write(&path, "first").unwrap();
    let (file, shown) = (load().unwrap(), Shown::new());
    file.report_to(&shown.metrics);
    assert_eq!(shown.unusable("TOKEN_FILE"), 0);
    let too_long = "5".repeat(usize::try_from(MAX_FILE_BYTES).unwrap() + 1);
    for (content, changes, valid, fault) in [
        ("first", false, "first", None),
        ("", false, "first", Some("the file is empty")),
        ("", false, "first", Some("the file is empty")),
        (too_long.as_str(), false, "first", Some("it is larger than 1048576 bytes")),
        ("first", false, "first", None),
        ("second", true, "second", None),
        ("second", false, "second", None),
        (" \n", false, "second", Some("the file is empty")),
        ("third\n", true, "third", None),
    ] {
        fs::write(&path, content).unwrap();
        let what: String = content.chars().take(10).collect();
        assert_eq!(file.reload(), changes, "{what:?}");
        assert_eq!(*file.current(), valid, "{what:?}");
        let found = file.fault();
        assert_eq!(found.is_some(), fault.is_some(), "{what:?}");
        assert!(found.is_none_or(|found| fault.is_some_and(|why| found.why.contains(why))), "{what:?}");
        assert_eq!(shown.unusable("TOKEN_FILE"), i64::from(fault.is_some()), "{what:?}");
    }
    assert_eq!(shown.changes("TOKEN_FILE", "applied"), 2);
    assert_eq!(shown.changes("TOKEN_FILE", "refused"), 3, "the same fault twice is one");
    fs::remove_file(&path).unwrap();
    assert!(!file.reload());
    assert_eq!((file.current().as_str(), shown.unusable("TOKEN_FILE")), ("third", 1));
    drop(file);
    assert_eq!(shown.unusable("TOKEN_FILE"), 0, "what is used no longer needs no operator");
}

/// A certificate and its key, PEM.
fn pair(name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[test]
fn a_certificate_is_in_use_with_its_own_key_alone() {
    let folder = TempDir::new().unwrap();
    let [cert, key] = ["cert", "key"].map(|name| folder.path().join(name));
    let (first, second) = (pair("first"), pair("second"));
    fs::write(&cert, &first.0).unwrap();
    fs::write(&key, &first.1).unwrap();
    let named = || (NamedFile::new("CERT_FILE", &cert), NamedFile::new("KEY_FILE", &key));
    let load = || pem::identity(named().0, named().1, default_provider());
    let files: SecretFile<CertifiedKey> = load().unwrap();
    let half = |text: &str| text[..text.len() / 2].to_owned();
    let last_cut = |text: &str| text.trim_end().rsplit_once('\n').unwrap().0.to_owned();
    for (what, cert_text, key_text, setting, why) in [
        (
            "another's certificate",
            second.0.clone(),
            first.1.clone(),
            "KEY_FILE",
            "is not the key of the first",
        ),
        ("another's key", first.0.clone(), second.1.clone(), "KEY_FILE", "is not the key of the first"),
        ("half a certificate", half(&second.0), second.1.clone(), "CERT_FILE", "damaged"),
        ("a certificate without its end", last_cut(&second.0), second.1.clone(), "CERT_FILE", "damaged"),
        ("half a key", second.0.clone(), half(&second.1), "KEY_FILE", "expected a file with a PEM private"),
        ("no certificate", String::new(), second.1.clone(), "CERT_FILE", "the file is empty"),
        ("no key", second.0.clone(), String::new(), "KEY_FILE", "expected a file with a PEM private"),
        ("a key as certificate", second.1.clone(), second.1.clone(), "CERT_FILE", "no PEM certificate"),
        ("a certificate as key", second.0.clone(), second.0.clone(), "KEY_FILE", "a PEM private key"),
        ("garbage", "garbage".to_owned(), "garbage".to_owned(), "CERT_FILE", "no PEM certificate"),
    ] {
        fs::write(&cert, cert_text).unwrap();
        fs::write(&key, key_text).unwrap();
        let before = files.current();
        assert!(!files.reload(), "{what}");
        assert!(Arc::ptr_eq(&before, &files.current()), "{what}");
        let fault = files.fault().unwrap();
        assert!(fault.setting == setting && fault.why.contains(why), "{what}: {fault}");
        assert!(!fault.to_string().contains("MII"), "{what}: it quotes the file");
        assert_eq!(load().map(drop).unwrap_err(), fault, "{what}: at the start it is a fault");
    }
    fs::write(&cert, &second.0).unwrap();
    fs::write(&key, &second.1).unwrap();
    assert!(files.reload() && files.fault().is_none());
}

#[test]
fn an_empty_or_half_written_bundle_keeps_the_authorities() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ca");
    let (first, second) = (pair("first").0, pair("second").0);
    fs::write(&path, &first).unwrap();
    let file = SecretFile::one(NamedFile::new("CA_FILE", &path), pem::roots).unwrap();
    for (content, roots) in [
        (String::new(), 1),
        (format!("{first}{}", &second[..second.len() / 2]), 1),
        (pair("x").1, 1),
        (format!("{first}{second}"), 2),
        ("-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n".to_owned(), 2),
        (second, 1),
    ] {
        fs::write(&path, content).unwrap();
        file.reload();
        assert_eq!(file.current().len(), roots);
    }
}

/// Does something to the files, and waits until this is what they say.
async fn comes_to(file: &SecretFile<String>, what: &str, valid: &str) {
    let seen = async {
        while *file.current() != valid {
            sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, seen).await.unwrap_or_else(|_| panic!("{what}: {} is in use", file.current()));
}

/// Waits until the files cannot be used.
async fn fails(file: &SecretFile<String>, what: &str) {
    let seen = async {
        while file.fault().is_none() {
            sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, seen).await.unwrap_or_else(|_| panic!("{what}: no fault"));
}

#[tokio::test]
async fn a_file_is_read_again_in_whatever_way_it_is_replaced() {
    let folder = TempDir::new().unwrap();
    let place = |name: &str| folder.path().join(name);
    let path = place("token");
    fs::write(&path, "first").unwrap();
    let file = Arc::new(SecretFile::one(NamedFile::new("S", &path), word).unwrap());
    let mut files = SecretFiles::default();
    files.add(Arc::clone(&file) as Arc<dyn Reload>);
    let shutdown = Shutdown::new();
    let task = tokio::spawn(files.clone().keep_fresh(shutdown.clone()));

    fs::write(&path, "in place").unwrap();
    comes_to(&file, "written in place", "in place").await;

    fs::write(place("beside"), "renamed").unwrap();
    fs::rename(place("beside"), &path).unwrap();
    comes_to(&file, "another renamed over it", "renamed").await;

    fs::remove_file(&path).unwrap();
    fails(&file, "removed").await;
    assert_eq!(*file.current(), "renamed");
    // What root may not read either.
    fs::create_dir(&path).unwrap();
    files.reload().await;
    assert_eq!(*file.current(), "renamed", "a folder in its place");
    fs::remove_dir(&path).unwrap();
    symlink(place("nowhere"), &path).unwrap();
    files.reload().await;
    assert_eq!(*file.current(), "renamed", "a link to nothing");
    fs::remove_file(&path).unwrap();
    fs::write(&path, "back").unwrap();
    comes_to(&file, "written anew", "back").await;

    fs::remove_dir_all(folder.path()).unwrap();
    fails(&file, "its folder is gone").await;
    fs::create_dir(folder.path()).unwrap();
    fs::write(&path, "new folder").unwrap();
    comes_to(&file, "in a folder that was made anew", "new folder").await;
    shutdown.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn a_volume_of_kubernetes_is_read_again_when_its_link_is_switched() {
    let folder = TempDir::new().unwrap();
    let place = |name: &str| folder.path().join(name);
    let version = |name: &str, token: &str| {
        fs::create_dir(place(name)).unwrap();
        fs::write(place(name).join("token"), token).unwrap();
    };
    version("..1", "first");
    symlink("..1", place("..data")).unwrap();
    symlink("..data/token", place("token")).unwrap();
    let file = Arc::new(SecretFile::one(NamedFile::new("S", place("token")), word).unwrap());
    let mut files = SecretFiles::default();
    files.add(Arc::clone(&file) as Arc<dyn Reload>);
    let shutdown = Shutdown::new();
    let task = tokio::spawn(files.keep_fresh(shutdown.clone()));
    for (name, token) in [("..2", "second"), ("..3", "third")] {
        version(name, token);
        symlink(name, place("..data_tmp")).unwrap();
        fs::rename(place("..data_tmp"), place("..data")).unwrap();
        comes_to(&file, "the link was switched", token).await;
    }
    shutdown.cancel();
    task.await.unwrap();
}
