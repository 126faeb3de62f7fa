use std::fs;

use crate::trust::CertificateFiles;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, date_time_ymd};
use tempfile::TempDir;

use super::site::{Identity, for_localhost};
use super::*;

fn expired() -> CertificateParams {
    let mut params = for_localhost();
    (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 2, 2));
    params
}

fn not_yet_valid() -> CertificateParams {
    let mut params = for_localhost();
    (params.not_before, params.not_after) = (date_time_ymd(2999, 1, 1), date_time_ymd(3000, 1, 1));
    params
}

fn elsewhere() -> CertificateParams {
    CertificateParams::new(vec!["elsewhere.example".to_owned()]).unwrap()
}

fn for_clients() -> CertificateParams {
    let mut params = for_localhost();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

#[tokio::test]
async fn a_certificate_that_is_not_accepted_names_the_cure() {
    let folder = TempDir::new().unwrap();
    let (ours, theirs) = (Authority::new("Ours"), Authority::new("Theirs"));
    let middle = ours.intermediate("Middle");
    let ca = trusting(&ours.write(folder.path(), "ours.pem"));
    let mut whole = middle.issue(for_localhost());
    whole.chain.push(middle.certificate.der().clone());
    let nameless = CertificateParams::new(Vec::new()).unwrap();
    for (what, identity, expected) in [
        ("good", ours.issue(for_localhost()), None),
        ("the intermediate one sent along", whole, None),
        (
            "missing intermediate",
            middle.issue(for_localhost()),
            Some("signed by \"CN=Middle\", which neither the system nor ca_file knows"),
        ),
        ("unknown authority", theirs.issue(for_localhost()), Some("signed by \"CN=Theirs\", which neither")),
        (
            "self-signed",
            Identity::self_signed(for_localhost(), 1),
            Some("put exactly this certificate into that file"),
        ),
        ("expired", ours.issue(expired()), Some("expired on Feb  2 00:00:00 2002")),
        ("not yet valid", ours.issue(not_yet_valid()), Some("is good from Jan  1 00:00:00 2999")),
        ("another name", ours.issue(elsewhere()), Some("is for elsewhere.example; write the URL with")),
        ("no name", ours.issue(nameless), Some("has no subjectAltName")),
        ("for clients", ours.issue(for_clients()), Some("not made for servers")),
    ] {
        let site = Site::over_tls(&identity, None).await;
        let got = get(&ca, &site, "/").await;
        match expected {
            None => assert_eq!(got.as_deref(), Ok("here"), "{what}"),
            Some(expected) => {
                let why = got.expect_err(what);
                assert!(why.contains(expected), "{what}: {why}");
                assert!(site.asked.lock().unwrap().is_empty(), "{what}: nothing is sent");
            }
        }
    }
}

#[tokio::test]
async fn without_a_ca_file_only_the_systems_authorities_are_trusted() {
    let ours = Authority::new("Ours");
    let site = Site::over_tls(&ours.issue(for_localhost()), None).await;
    let why = get(&Fetch::default(), &site, "/").await.unwrap_err();
    assert!(why.contains("signed by \"CN=Ours\", which neither the system nor ca_file knows"), "{why}");
    assert!(site.asked.lock().unwrap().is_empty(), "nothing is sent");
}

#[tokio::test]
async fn exactly_the_certificate_in_the_ca_file_is_accepted_as_a_servers_own() {
    let folder = TempDir::new().unwrap();
    let theirs = Authority::new("Theirs");
    for (what, identity, expected) in [
        ("of an authority", Identity::self_signed(for_localhost(), 1), None),
        ("signed by an unknown authority", theirs.issue(for_localhost()), None),
        ("for another name", Identity::self_signed(elsewhere(), 1), Some("write the URL with a name")),
        ("expired", Identity::self_signed(expired(), 1), Some("expired on")),
        ("not yet valid", Identity::self_signed(not_yet_valid(), 1), Some("is good from")),
        ("for clients", Identity::self_signed(for_clients(), 1), Some("not made for servers")),
    ] {
        let (cert, _) = identity.write(folder.path(), "pinned");
        let site = Site::over_tls(&identity, None).await;
        let got = get(&trusting(&cert), &site, "/").await;
        match expected {
            None => assert_eq!(got.as_deref(), Ok("here"), "{what}"),
            Some(expected) => {
                assert!(got.clone().is_err_and(|why| why.contains(expected)), "{what}: {got:?}")
            }
        }
    }
    // The same names, subject and key, another certificate.
    let first = Identity::self_signed(for_localhost(), 1);
    let mut params = for_localhost();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.serial_number = Some(2_u64.into());
    let second = params.self_signed(&first.key).unwrap();
    let (cert, _) = first.write(folder.path(), "first");
    let second = Identity { chain: vec![second.der().clone()], pem: second.pem(), key: first.key };
    let site = Site::over_tls(&second, None).await;
    let why = get(&trusting(&cert), &site, "/").await.unwrap_err();
    assert!(why.contains("shows the certificate of an authority as its own"), "{why}");
}

#[tokio::test]
async fn a_server_without_tls_is_named_as_such() {
    let site = Site::plain().await;
    let url = Url::parse(&site.url("/").as_str().replace("http:", "https:")).unwrap();
    let client = Client::new("test", &fetch(), &[configured(url.clone())], &Surroundings::default()).unwrap();
    let why = text(&client, url).await.unwrap_err();
    assert!(why.contains("does not answer in TLS"), "{why}");
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_the_one_in_the_files_also_after_it_was_replaced() {
    let folder = TempDir::new().unwrap();
    let (ours, clients, strangers) =
        (Authority::new("Ours"), Authority::new("Clients"), Authority::new("Strangers"));
    let ca = trusting(&ours.write(folder.path(), "ours.pem"));
    let site = Site::over_tls(&ours.issue(for_localhost()), Some(&clients)).await;
    let why = get(&ca, &site, "/").await.unwrap_err();
    assert!(why.contains("asks for a client certificate: set fetch_cert_file and fetch_key_file"), "{why}");

    let (cert, key) = strangers.issue(for_clients()).write(folder.path(), "client");
    let shows = Fetch { certificate: Some(CertificateFiles { cert, key }), ..ca.clone() };
    let client = client_for(&shows, &site);
    let why = text(&client, site.url("/")).await.unwrap_err();
    assert!(
        why.contains("does not accept the certificate of fetch_cert_file") || why.contains("connection"),
        "{why}"
    );

    clients.issue(for_clients()).write(folder.path(), "client");
    assert_eq!(text(&client, site.url("/")).await.as_deref(), Ok("here"), "the files were read again");

    // Who is no configured origin sees no certificate.
    let other = Site::over_tls(&ours.issue(for_localhost()), Some(&clients)).await;
    let why = text(&client, other.url("/")).await.unwrap_err();
    assert!(why.contains("add it to fetch_origins"), "{why}");
}

#[test]
fn files_that_cannot_be_used_are_faults_that_name_the_setting() {
    let folder = TempDir::new().unwrap();
    let ours = Authority::new("Ours");
    let (cert, key) = ours.issue(for_clients()).write(folder.path(), "one");
    let (_, other_key) = ours.issue(for_clients()).write(folder.path(), "other");
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let (empty, garbage, missing) =
        (file("empty", " \n"), file("garbage", "hunter2"), folder.path().join("missing"));
    let damaged = file("damaged", "-----BEGIN CERTIFICATE-----\nhunter2!\n-----END CERTIFICATE-----\n");
    let shows = |cert: &Path, key: &Path| Fetch {
        certificate: Some(CertificateFiles { cert: cert.into(), key: key.into() }),
        ..Fetch::default()
    };
    for (fetch, expected) in [
        (trusting(&missing), "ca_file: cannot read the file"),
        (trusting(&empty), "ca_file: the file is empty"),
        (trusting(&garbage), "ca_file: the file holds no PEM certificate"),
        (trusting(&key), "ca_file: the file holds no PEM certificate"),
        (trusting(&damaged), "ca_file: the file holds a PEM certificate that is damaged"),
        (shows(&missing, &key), "fetch_cert_file: cannot read"),
        (shows(&key, &key), "fetch_cert_file: the file holds no PEM certificate"),
        (shows(&cert, &missing), "fetch_key_file: cannot read"),
        (shows(&cert, &cert), "fetch_key_file: expected a file with a PEM private key"),
        (
            shows(&cert, &other_key),
            "fetch_key_file: is not the key of the first certificate in fetch_cert_file",
        ),
    ] {
        for urls in [&[][..], &[configured(Url::parse("https://id.example/").unwrap())][..]] {
            let fault = Client::new("test", &fetch, urls, &Surroundings::default()).unwrap_err().to_string();
            assert!(fault.starts_with(expected) && !fault.contains("hunter2"), "{expected}: {fault}");
        }
    }
    assert!(Client::new("test", &shows(&cert, &key), &[], &Surroundings::default()).is_ok());
}
