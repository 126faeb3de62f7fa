//! Documents in the shapes of real providers, from a real HTTP server on loopback.

mod names;
mod places;
mod refresh;

use super::*;
use crate::url::tests::{Answer, Server, client, rules};
use crate::{Source, UrlSource};

/// What a table of the configuration says, `~` being where the server is.
#[derive(Clone, Copy)]
struct Table {
    issuer: &'static str,
    aliases: &'static [&'static str],
    url: Option<&'static str>,
}

const fn table(issuer: &'static str) -> Table {
    Table { issuer, aliases: &[], url: None }
}

impl Table {
    fn at(self, base: &str) -> Discovery {
        let placed = |text: &str| text.replace('~', base);
        Discovery {
            issuer: placed(self.issuer),
            aliases: self.aliases.iter().map(|name| placed(name)).collect(),
            url: self.url.map(placed),
            setting: None,
        }
    }
}

fn json(body: &str) -> Answer {
    Answer { status: 200, body: body.to_owned(), ..Answer::default() }
}

/// How many keys there are, or why none.
async fn keys_of(discovery: Discovery) -> Result<usize, String> {
    let source = Source::Url(UrlSource::Issuer(discovery), client());
    source.load(&rules()).await.map(|set| set.len()).map_err(|error| error.to_string())
}
