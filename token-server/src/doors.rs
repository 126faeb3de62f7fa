//! What the main listener does for any client that reaches it, since settings ask none to show who it is. A start warns of it, and
//! `--check` does.

use crate::agents::OPEN_REPORTS;
use crate::api::Compat;
use crate::config::Config;

/// What is open to any client, each with what may come of it and the cure.
pub(crate) fn warnings(config: &Config) -> Vec<&'static str> {
    let mut warnings = Vec::new();
    let any_client = config.agent_tokens.is_none();
    let any_connection = any_client && !config.asks_for_certificates;
    if any_client {
        warnings.push(
            "TOKEN_SERVER__AGENT__TOKENS_FILE is not set: any client that reaches the main listener may ask /v1/check",
        );
    }
    if any_connection {
        warnings.push(
            "neither TOKEN_SERVER__AGENT__TOKENS_FILE nor TOKEN_SERVER__TLS__CLIENT_CA is set, so payloads that /v1/check is \
             sent may be forged: they enter no preview of rules and no count of rules in shadow mode",
        );
    }
    // Where there is no page, the first report that comes is warned of.
    if any_connection && config.admin_page {
        warnings.push(OPEN_REPORTS);
    }
    if any_connection && (config.api_keys.is_some() || !config.introspection.servers.is_empty()) {
        warnings.push(
            "neither TOKEN_SERVER__AGENT__TOKENS_FILE nor TOKEN_SERVER__TLS__CLIENT_CA is set, so any client that reaches the main \
             listener may have texts judged as opaque tokens, and use up the calls that TOKEN_SERVER__INTROSPECTION__RATE allows",
        );
    }
    match config.compat {
        Compat::Guarded if any_client => warnings.push(
            "POST / answers without a bearer token: any client that reaches the main listener may open encrypted tokens and \
             ask about any subject; set TOKEN_SERVER__AGENT__TOKENS_FILE, or TOKEN_SERVER__COMPAT__ENABLED=false if no old \
             caller is left",
        ),
        Compat::Off | Compat::Guarded => {}
        Compat::Open => warnings.push(
            "TOKEN_SERVER__COMPAT__OPEN is true: POST / answers without a bearer token whatever guards /v1/check, so \
             any client that reaches the main listener may open encrypted tokens and ask about any subject",
        ),
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first words of what is warned of, with these settings beside those of a store.
    fn warned_of(settings: &[(&str, &str)]) -> Vec<&'static str> {
        let all = [&[("TOKEN_SERVER__STORE__PATH", "/nonexistent/rules.redb")], settings].concat();
        let pairs = all.into_iter().map(|(name, value)| (name.into(), value.into()));
        warnings(&Config::from_environment(pairs).unwrap())
    }

    #[test]
    fn reports_of_strangers_are_warned_of_where_there_is_a_page_to_show_them() {
        assert!(!warned_of(&[]).contains(&OPEN_REPORTS), "no agent may ever tell anything");
        let page = ("TOKEN_SERVER__ADMIN__UI", "true");
        assert!(warned_of(&[page]).contains(&OPEN_REPORTS));
        let folder = tempfile::tempdir().unwrap();
        let tokens = folder.path().join("tokens");
        std::fs::write(&tokens, "token-of-the-agents\n").unwrap();
        let guarded = ("TOKEN_SERVER__AGENT__TOKENS_FILE", tokens.to_str().unwrap());
        assert_eq!(warned_of(&[page, guarded]), Vec::<&str>::new());
        let open = [("TOKEN_SERVER__COMPAT__ENABLED", "true"), ("TOKEN_SERVER__COMPAT__OPEN", "true")];
        assert_eq!(warned_of(&[&[page, guarded], &open[..]].concat()).len(), 1);
        assert_eq!(warned_of(&open[..1]).len(), 3);
    }
}
