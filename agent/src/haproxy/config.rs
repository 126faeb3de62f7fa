//! `jwt-agent haproxy-config`: the lines that protect a place of a configuration, the SPOE file, and the backend of agents.
//!
//! The lines are those of the files that we ship (`haproxy/`), with what the options ask for put in.

mod edge;
mod fault;
mod lines;
mod names;
mod output;
mod part;
mod paths;
mod shipped;
mod streams;
mod wanted;

use std::path::{self, PathBuf};

use clap::Args;

pub use fault::ConfigFault;
pub use names::{AgentAddress, BadValue, ClaimName, FilePath, PolicyName, ProxyName, Version};
pub use output::OutputError;
pub use part::Part;
pub use paths::{Path, PolicyChoice};
pub use shipped::Absent;

use wanted::{Maps, Policies, Wanted};

/// Arguments of `jwt-agent haproxy-config`.
#[derive(Debug, Args)]
pub struct HaproxyConfig {
    /// The backend that is to be protected: whatever is sent to it needs a good token. This is what is written without a name
    /// too.
    #[arg(long, value_name = "NAME", conflicts_with = "frontend")]
    pub backend: Option<ProxyName>,
    /// The frontend that is to be protected, with all that it leads to.
    #[arg(long, value_name = "NAME")]
    pub frontend: Option<ProxyName>,
    /// A path that needs no token: /health alone, or /public/* for /public/ and what is below it. Compared with its letters, and
    /// never in an odd spelling.
    #[arg(long, value_name = "PATH")]
    pub open: Vec<Path>,
    /// The agent's policy for a path, as for --open but without regard to case; *=NAME is for whatever is not listed, and must
    /// be the strictest.
    #[arg(long, value_name = "PATH=NAME")]
    pub policy: Vec<PolicyChoice>,
    /// Claims that become headers: sub is x-user-id, email is x-user-email.
    #[arg(long, value_name = "CLAIM,..", value_delimiter = ',')]
    pub claims: Vec<ClaimName>,
    /// Have HAProxy keep the verdicts of frequent tokens: it looks into two maps, which the agents write, before it asks.
    #[arg(long)]
    pub edge: bool,
    /// Have the agents end WebSockets and event streams with their token: they are told which stream of HAProxy each is.
    #[arg(long)]
    pub streams: bool,
    /// Where the agents listen: unix@/path or host:port.
    #[arg(long, value_name = "ADDRESS,..", value_delimiter = ',')]
    pub agents: Vec<AgentAddress>,
    /// Write for this version of HAProxy alone; without it the lines are for 2.6 and newer.
    #[arg(long, value_name = "VERSION")]
    pub haproxy_version: Option<Version>,
    /// Where the SPOE file will lie; /etc/haproxy/spoe-jwt.conf, or in the folder of --out.
    #[arg(long, value_name = "FILE")]
    pub spoe_file: Option<FilePath>,
    /// Write files into this folder instead of all to standard output.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// With --out: replace files that are there.
    #[arg(long, requires = "out")]
    pub force: bool,
}

/// What the SPOE file is called.
const SPOE_FILE: &str = "spoe-jwt.conf";
/// What the maps are called.
const VERDICTS_FILE: &str = "jwt-verdicts.map";
const LEASES_FILE: &str = "jwt-leases.map";

impl HaproxyConfig {
    /// Writes all of it, to standard output or into files; what an operator should read.
    ///
    /// # Errors
    ///
    /// Options that contradict each other, or files that cannot be written.
    pub fn run(&self) -> Result<String, OutputError> {
        let parts = self.parts()?;
        match &self.out {
            None => Ok(output::as_text(&parts)),
            Some(folder) => output::into_files(&parts, folder, self.force),
        }
    }

    /// The lines, part by part.
    ///
    /// # Errors
    ///
    /// Options that contradict each other.
    pub fn parts(&self) -> Result<Vec<Part>, ConfigFault> {
        let folder = self.folder()?;
        let spoe_file = match (&self.spoe_file, &folder) {
            (Some(path), _) => path.to_string(),
            (None, Some(folder)) => format!("{folder}/{SPOE_FILE}"),
            (None, None) => shipped::preset("SPOE_CONF")?.to_owned(),
        };
        let map = |name: &str, preset| match &folder {
            Some(folder) => Ok(format!("{folder}/{name}")),
            None => shipped::preset(preset).map(str::to_owned),
        };
        let maps = if self.edge {
            Some(Maps {
                verdicts: map(VERDICTS_FILE, "JWT_EDGE_MAP")?,
                leases: map(LEASES_FILE, "JWT_EDGE_LEASES")?,
            })
        } else {
            None
        };
        let wanted = Wanted {
            in_frontend: self.frontend.is_some(),
            open: &self.open,
            policies: self.policies()?,
            claims: self.claims()?,
            version: self.haproxy_version,
            spoe_file: spoe_file.clone(),
            edge: maps,
            streams: self.streams,
        };
        let limits = "below your own limits and redirects";
        let place = match (&self.backend, &self.frontend) {
            (_, Some(frontend)) => format!("into `frontend {frontend}`, {limits}"),
            (Some(backend), None) => format!("into `backend {backend}`, {limits}"),
            (None, None) => format!("into the backend of your application, {limits}"),
        };
        let mut parts = vec![Part { place, file: "haproxy-lines.cfg", text: lines::protected(&wanted)? }];
        if let Some(text) = lines::behind_a_frontend(&wanted)? {
            let place = "into each backend that this frontend leads to".to_owned();
            parts.push(Part { place, file: "backend-lines.cfg", text });
        }
        parts.push(Part {
            place: "into haproxy.cfg, as a section of its own".to_owned(),
            file: "jwt-agents.cfg",
            text: lines::agents(&self.agents, self.haproxy_version)?,
        });
        parts.push(Part {
            place: format!("the file {spoe_file}"),
            file: SPOE_FILE,
            text: shipped::SPOE.to_owned(),
        });
        parts.extend(around_sockets(&wanted)?);
        Ok(parts)
    }

    /// The whole path of the folder of `--out`, as it can stand in a line.
    fn folder(&self) -> Result<Option<String>, ConfigFault> {
        let Some(folder) = &self.out else { return Ok(None) };
        let fault = |error| ConfigFault::Folder { folder: folder.clone(), error };
        let whole = path::absolute(folder).map_err(|error| fault(BadValue::new(error.to_string())))?;
        let file = whole.join(SPOE_FILE);
        let text = file.to_str().ok_or_else(|| fault(BadValue::new("the path is not UTF-8")))?;
        if self.edge || self.spoe_file.is_none() {
            text.parse::<FilePath>().map_err(fault)?;
        }
        Ok(text.strip_suffix(SPOE_FILE).map(|folder| folder.trim_end_matches('/').to_owned()))
    }

    /// The policy of whatever is not listed, and the lists of the others.
    fn policies(&self) -> Result<Option<Policies<'_>>, ConfigFault> {
        if self.policy.is_empty() {
            return Ok(None);
        }
        let mut rests = self.policy.iter().filter(|choice| choice.path.is_none()).map(|choice| &choice.name);
        let rest = rests.next().ok_or(ConfigFault::NoRest)?;
        if let Some(second) = rests.next() {
            return Err(ConfigFault::TwoRests { first: rest.clone(), second: second.clone() });
        }
        let listed: Vec<(&Path, &PolicyName)> =
            self.policy.iter().filter_map(|choice| Some((choice.path.as_ref()?, &choice.name))).collect();
        for (outer, first) in &listed {
            let inner = listed.iter().find(|(inner, second)| second != first && outer.covers(inner));
            if let Some((inner, second)) = inner {
                return Err(ConfigFault::Overlap {
                    outer: (*outer).clone(),
                    first: (*first).clone(),
                    inner: (*inner).clone(),
                    second: (*second).clone(),
                });
            }
        }
        let mut lists: Vec<(&PolicyName, Vec<&Path>)> = Vec::new();
        for (path, name) in listed.into_iter().filter(|(_, name)| *name != rest) {
            match lists.iter_mut().find(|(known, _)| *known == name) {
                Some((_, paths)) => paths.push(path),
                None => lists.push((name, vec![path])),
            }
        }
        Ok(Some(Policies { rest, lists }))
    }

    fn claims(&self) -> Result<Vec<&ClaimName>, ConfigFault> {
        let mut chosen: Vec<&ClaimName> = Vec::new();
        for claim in &self.claims {
            if chosen.contains(&claim) {
                continue;
            }
            if let Some(first) = chosen.iter().find(|known| known.header() == claim.header()) {
                return Err(ConfigFault::OneHeader {
                    first: (*first).clone(),
                    second: claim.clone(),
                    header: claim.header(),
                });
            }
            chosen.push(claim);
        }
        Ok(chosen)
    }
}

/// What agents need that tell HAProxy what to do.
fn around_sockets(wanted: &Wanted<'_>) -> Result<Vec<Part>, ConfigFault> {
    let part = |place: &str, file, text| Part { place: place.to_owned(), file, text };
    let (global, environment) = match &wanted.edge {
        Some(maps) => (edge::global()?, edge::environment(wanted, maps)?),
        None if wanted.streams => (streams::global()?, streams::environment()?),
        None => return Ok(Vec::new()),
    };
    let mut parts = vec![part("into `global`", "global-lines.cfg", global)];
    if let Some(maps) = &wanted.edge {
        for (path, file) in [(&maps.verdicts, VERDICTS_FILE), (&maps.leases, LEASES_FILE)] {
            let place = format!("the file {path}, which is there and stays empty");
            parts.push(part(&place, file, String::new()));
        }
    }
    parts.push(part("into the environment of each agent", "jwt-agent.env", environment));
    Ok(parts)
}

#[cfg(test)]
mod tests;
