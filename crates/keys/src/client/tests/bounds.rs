use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use jose::MAX_KEY_SET_BYTES;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_compressed_answer_is_read_and_bounded_after_inflation() {
    let site = Site::plain().await;
    let small = gzip(b"small");
    let bomb = gzip(&vec![b' '; MAX_KEY_SET_BYTES + 1]);
    assert!(bomb.len() < MAX_KEY_SET_BYTES / 100);
    let largest = vec![b' '; MAX_KEY_SET_BYTES];
    let encoded = |name: &str, body: &[u8]| Answer::new(&format!("200 OK\r\nContent-Encoding: {name}"), body);
    site.set("/encoded", encoded("gzip", &small));
    site.set("/old-name", encoded("X-GZIP", &small));
    site.set("/not-encoded", encoded("identity", b"small"));
    site.set("/file", Answer::new("200 OK\r\nContent-Type: application/gzip", &small));
    site.set("/both", encoded("gzip", &gzip(&small)));
    site.set("/two-members", encoded("gzip", &[gzip(b"sm"), gzip(b"all")].concat()));
    site.set("/bomb", encoded("gzip", &bomb));
    site.set("/file-bomb", Answer::new("200 OK", &bomb));
    site.set("/bomb-in-bomb", encoded("gzip", &gzip(&bomb)));
    site.set("/cut-off", encoded("gzip", &small[..small.len() - 6]));
    site.set("/no-gzip", encoded("gzip", b"small"));
    site.set("/other", encoded("br", b"small"));
    site.set("/several", encoded("gzip, br", b"small"));
    site.set("/largest", encoded("gzip", &gzip(&largest)));
    for (path, expected) in [
        ("/encoded", Ok("small")),
        ("/old-name", Ok("small")),
        ("/not-encoded", Ok("small")),
        ("/file", Ok("small")),
        ("/both", Ok("small")),
        ("/two-members", Ok("small")),
        ("/bomb", Err("the answer is over")),
        ("/file-bomb", Err("the answer is over")),
        ("/bomb-in-bomb", Err("the answer is over")),
        ("/cut-off", Err("what should be gzip is damaged")),
        ("/no-gzip", Err("what should be gzip is damaged")),
        ("/other", Err("Content-Encoding br, and gzip alone")),
        ("/several", Err("Content-Encoding gzip, br, and gzip alone")),
    ] {
        let got = get(&fetch(), &site, path).await;
        match expected {
            Ok(expected) => assert_eq!(got.as_deref(), Ok(expected), "{path}"),
            Err(expected) => assert!(got.clone().is_err_and(|why| why.contains(expected)), "{path}: {got:?}"),
        }
    }
    assert_eq!(site.header("accept-encoding"), ["gzip"]);
    assert_eq!(get(&fetch(), &site, "/largest").await.unwrap().len(), MAX_KEY_SET_BYTES);
}

#[test]
fn a_compressed_key_file_is_read_and_bounded() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("keys.json.gz");
    std::fs::write(&path, gzip(b"small")).unwrap();
    assert_eq!(crate::file::read(&path).unwrap(), b"small");
    std::fs::write(&path, gzip(&vec![b' '; MAX_KEY_SET_BYTES + 1])).unwrap();
    assert!(matches!(crate::file::read(&path), Err(LoadError::TooLarge(_))));
}

/// A client that has little patience.
fn hasty(fetch: &Fetch, site: &Site) -> Client {
    let made = client_for(fetch, site);
    let Inner { user_agent, known, proxies, system, .. } = &*made.0;
    let second = Duration::from_millis(300);
    Client(Arc::new(Inner {
        user_agent: user_agent.clone(),
        fetch: fetch.clone(),
        known: known.clone(),
        credentials: crate::client::credentials::load(fetch).unwrap(),
        files: Files::load(fetch).unwrap(),
        proxies: proxies.clone(),
        system: Arc::clone(system),
        limits: Limits { connect: second, total: second },
        follows: true,
        open: [Mutex::default(), Mutex::default()],
    }))
}

#[tokio::test]
async fn time_and_bytes_of_a_fetch_are_bounded_also_behind_a_proxy() {
    let (site, silent) = (Site::plain().await, Site::plain().await);
    site.set("/stalls", Answer::Stalls);
    site.set("/endless", Answer::Endless);
    let client = hasty(&fetch(), &site);
    let why = text(&client, site.url("/stalls")).await.unwrap_err();
    assert_eq!(why, "cannot fetch: no whole answer within 0.3 s");
    let why = text(&client_for(&fetch(), &site), site.url("/endless")).await.unwrap_err();
    assert!(why.contains("the answer is over"), "{why}");

    // A proxy that never connects, one that answers nothing, and one that wants another password.
    let proxy = format!("http://user:hunter2@{}", silent.url("/").authority().rsplit('@').next().unwrap());
    let fetch =
        Fetch { proxy: crate::trust::ProxyChoice::Through(service::secret::Secret::new(proxy)), ..fetch() };
    let through = format!("(through the proxy {} of fetch_proxy)", Origin::of(&silent.url("/")));
    let behind = Url::parse("https://id.example/").unwrap();
    let denied = Answer::new("407 Proxy Authentication Required", b"");
    for (answer, client, expected) in [
        (Answer::Stalls, hasty(&fetch, &site), "within 0.3 s"),
        (Answer::Whole(Vec::new()), client_for(&fetch, &site), ""),
        (denied, client_for(&fetch, &site), "write user:password@ before the proxy's host"),
    ] {
        silent.set("id.example:443", answer);
        let why = text(&client, behind.clone()).await.unwrap_err();
        assert!(why.contains(expected) && why.ends_with(&through), "{expected}: {why}");
        assert!(!why.contains("hunter2"), "{why}");
    }
    assert_eq!(silent.header("proxy-authorization"), ["Basic dXNlcjpodW50ZXIy"]);
}
