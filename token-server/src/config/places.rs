//! Where forward-auth looks for the token: a list of places, or the two settings that add one each.

use service::settings::Settings;

use crate::api::forward_auth::{MAX_PLACES, TokenPlace};

/// What one table, or the settings for all policies, say.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    list: Option<Vec<TokenPlace>>,
    cookie: Option<TokenPlace>,
    query: Option<TokenPlace>,
}

impl Places {
    /// Reads the settings of these names (the list, a cookie, a parameter); what they leave out is as in `general`.
    pub(super) fn read(settings: &mut Settings, names: [&'static str; 3], general: &Self) -> Self {
        let [list_name, cookie_name, query_name] = names;
        let expected = "authorization, header:NAME, cookie:NAME, query:NAME or websocket";
        let list = settings.parse_list::<TokenPlace>(list_name, expected);
        if let Some(fault) = list.as_deref().and_then(fault) {
            settings.fault(list_name, fault);
        }
        let own = Self {
            cookie: settings.text(cookie_name).and_then(|name| named(settings, cookie_name, "cookie", &name)),
            query: settings.text(query_name).and_then(|name| named(settings, query_name, "query", &name)),
            list,
        };
        if own.list.is_some() {
            for (name, place) in [(cookie_name, &own.cookie), (query_name, &own.query)] {
                if place.is_some() {
                    settings.fault(name, format!("{list_name} names all places: put it there"));
                }
            }
            return own;
        }
        if general.list.is_none() {
            let (cookie, query) = (general.cookie.clone(), general.query.clone());
            return Self { list: None, cookie: own.cookie.or(cookie), query: own.query.or(query) };
        }
        for (name, place) in [(cookie_name, &own.cookie), (query_name, &own.query)] {
            if place.is_some() {
                let what =
                    format!("a list of places holds for all policies: name this policy's own in {list_name}");
                settings.fault(name, what);
            }
        }
        general.clone()
    }

    /// All of them, in their order.
    pub(super) fn all(&self) -> Vec<TokenPlace> {
        self.list.clone().unwrap_or_else(|| {
            let added = [&self.cookie, &self.query].into_iter().flatten().cloned();
            std::iter::once(TokenPlace::Authorization).chain(added).collect()
        })
    }
}

fn named(settings: &mut Settings, setting: &'static str, kind: &str, name: &str) -> Option<TokenPlace> {
    let place = format!("{kind}:{name}").parse().ok();
    if place.is_none() {
        settings.fault(setting, format!("expected the name of a {kind}"));
    }
    place
}

fn fault(list: &[TokenPlace]) -> Option<String> {
    if list.len() > MAX_PLACES {
        return Some(format!("expected at most {MAX_PLACES} places"));
    }
    let twice =
        list.iter().enumerate().any(|(at, place)| list.iter().skip(at + 1).any(|other| other == place));
    twice.then(|| "names a place twice".to_owned())
}
