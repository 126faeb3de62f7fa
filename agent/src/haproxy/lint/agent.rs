//! What is known of the agents: the file of `--agent-config`, and what a haproxy.cfg sets for its programs.

use std::collections::BTreeMap;
use std::ffi::OsString;

use service::settings::{ConfigError, Settings};

use crate::answer::Variables;
use crate::haproxy::edge::entry::Layout;

/// What an agent is set up with, as far as HAProxy's lines depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// The policies that it has; not known without its file.
    pub policies: Option<Vec<String>>,
    /// The setting by which tokens must be bound to a certificate, where there is one.
    pub certificates: Option<String>,
    /// The setting by which tokens must be bound to a key, where there is one.
    pub proofs: Option<String>,
    /// Whether HAProxy is to refuse proofs that were used before.
    pub tracks_proofs: bool,
    /// The names of rows that choose a policy by the MCP call.
    pub calls: Vec<String>,
    /// The variables that it sends, where they are named one by one.
    pub variables: Option<Vec<String>>,
    /// How long it takes at most.
    pub timeout_ms: u64,
    /// The unix sockets on which it listens.
    pub listens: Vec<String>,
    pub edge_map: Option<String>,
    pub edge_leases: Option<String>,
    pub edge_sockets: Vec<String>,
}

/// The agent's own default for one verification.
const TIMEOUT_MS: u64 = 80;

impl Agent {
    /// Reads the file of `--agent-config`, and on top of it the settings in the environment of a haproxy.cfg.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not TOML.
    pub fn read(file: Option<&str>, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let ours = environment.iter().filter(|(name, _)| name.starts_with("JWT_"));
        let mut variables: BTreeMap<OsString, OsString> =
            ours.map(|(name, value)| (name.into(), value.into())).collect();
        if let Some(file) = file {
            variables.insert("JWT_CONFIG".into(), file.into());
        } else {
            variables.remove(&OsString::from("JWT_CONFIG"));
        }
        let mut settings = Settings::load("JWT_", "JWT_CONFIG", variables)?;
        let mut bindings = vec![(settings.text("JWT_BINDING"), "JWT_BINDING".to_owned())];
        for mut table in settings.tables("issuers") {
            let name = table.text("issuer").unwrap_or_default();
            bindings.push((table.text("binding"), format!("the issuer {name}")));
        }
        let mut names = Vec::new();
        for mut table in settings.tables("policies") {
            let name = table.text("name").unwrap_or_default();
            bindings.push((table.text("binding"), format!("the policy {name}")));
            names.extend(Some(name).filter(|name| !name.is_empty()));
        }
        let who_asks = |wanted: &str| {
            let mut asking = bindings.iter().filter(|(binding, _)| binding.as_deref() == Some(wanted));
            asking.next().map(|(_, who)| who.clone())
        };
        let (certificates, proofs) = (who_asks("mtls"), who_asks("dpop"));
        let rows = settings.tables("mcp").into_iter();
        let calls = rows.filter_map(|mut table| table.text("policy")).collect();
        // Without tables there is the one that needs no name.
        let names = if names.is_empty() { vec!["default".to_owned()] } else { names };
        let variables = settings
            .list("JWT_VARIABLES")
            .filter(|names| !matches!(names.as_slice(), [one] if one == "all" || one == "auto"));
        let sockets = settings.list("JWT_AGENT_LISTEN").unwrap_or_default();
        Ok(Self {
            policies: file.map(|_| names),
            certificates,
            proofs,
            tracks_proofs: settings.text("JWT_DPOP_REPLAY").as_deref() == Some("haproxy"),
            calls,
            variables,
            timeout_ms: settings.parse("JWT_TIMEOUT_MS", "milliseconds").unwrap_or(TIMEOUT_MS),
            listens: sockets
                .iter()
                .filter_map(|address| address.strip_prefix("unix@").map(str::to_owned))
                .collect(),
            edge_map: settings.text("JWT_EDGE_MAP"),
            edge_leases: settings.text("JWT_EDGE_LEASES"),
            edge_sockets: settings.list("JWT_EDGE_SOCKETS").unwrap_or_default(),
        })
    }

    /// How the entries of the edge are laid out, where that is known.
    pub fn layout(&self) -> Option<String> {
        let names = self.variables.as_ref()?.iter().cloned().collect();
        Layout::of(&Variables::Only(names)).map(|layout| layout.to_string())
    }

    /// Whether a variable is sent.
    pub fn sends(&self, name: &str) -> bool {
        let always = ["valid", "reason"].contains(&name);
        let names = self.variables.as_deref();
        always
            || names.is_none_or(|names| {
                names
                    .iter()
                    .any(|known| known == name || (known == "payload" && name.starts_with("payload.")))
            })
    }
}
