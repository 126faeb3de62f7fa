//! Against real servers on loopback, with certificates made for each test.

mod bounds;
mod certificates;
mod credentials;
mod exchanges;
mod site;

use std::path::Path;

use super::*;
use site::{Answer, Authority, Site};

fn fetch() -> Fetch {
    Fetch::default()
}

fn configured(url: Url) -> Configured {
    Configured { url, setting: "keys_url".to_owned() }
}

fn client_for(fetch: &Fetch, site: &Site) -> Client {
    Client::new("test", fetch, &[configured(site.url("/"))], &Surroundings::default()).unwrap()
}

async fn get(fetch: &Fetch, site: &Site, path: &str) -> Result<String, String> {
    text(&client_for(fetch, site), site.url(path)).await
}

async fn text(client: &Client, url: Url) -> Result<String, String> {
    let fetched = client.get(url, Sought::Keys, None).await.map_err(|error| error.to_string())?;
    Ok(String::from_utf8(fetched.bytes.unwrap()).unwrap())
}

fn trusting(ca_file: &Path) -> Fetch {
    Fetch { ca_file: Some(ca_file.into()), ..Fetch::default() }
}
