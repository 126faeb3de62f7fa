//! Tokens of `oidc-provider` that are bound to their client, through `haproxy-dpop.cfg` and an agent: what the suites of this folder
//! about them have in common.

use std::fs;
use std::path::{Path, PathBuf};

use integration_tests::authority::Authority;
use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::port::free_port;
use integration_tests::process::Process;
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::wait::eventually;
use tempfile::TempDir;

use crate::peers::{listening, node};

/// What the tokens are for.
pub(crate) const RESOURCE: &str = "https://api.example";

/// The provider and the edge, each with TLS of its own.
pub(crate) struct Place {
    pub(crate) issuer: String,
    /// What clients ask for.
    pub(crate) url: String,
    /// The authorities of both.
    pub(crate) authorities: PathBuf,
    pub(crate) edge: Edge,
    _provider: Process,
    pub(crate) folder: TempDir,
}

/// The shipped listener once more, at a port.
fn at_a_port(text: &str, _: &Path) -> String {
    let line = text.lines().find(|line| line.contains("/tls.sock\" ssl ")).unwrap();
    let mut words: Vec<&str> = line.split_whitespace().collect();
    words[1] = "\"${TLS_BIND}\"";
    text.replacen(line, &format!("{line}\n    {}", words.join(" ")), 1)
}

impl Place {
    /// Before this HAProxy, with an agent that has these settings more.
    pub(crate) fn start(haproxy: &str, settings: &[(&str, &str)]) -> Self {
        let folder = TempDir::with_prefix("bound-").unwrap();
        let authority = Authority::new(folder.path().join("authority.pem"));
        let identity = authority.issue(folder.path(), "localhost");
        let [issuer, port] = [(); 2].map(|()| free_port().unwrap());
        let mut command = node("binding_provider.mjs");
        command.env("CERTIFICATE", &identity.cert).env("KEY", &identity.key);
        let provider = listening("oidc-provider", command, issuer);
        let issuer = format!("https://localhost:{issuer}");

        let setup = Setup::new(Shipped::Dpop)
            .haproxy(haproxy)
            .edit(at_a_port)
            .haproxy_env("TLS_BIND", &format!("127.0.0.1:{port}"))
            .no_key_file()
            .agent_env("JWT_OIDC_ISSUERS", &issuer)
            .agent_env("JWT_AUDIENCES", RESOURCE)
            .agent_env("JWT_CA_FILE", &authority.file.display().to_string());
        let edge = settings.iter().fold(setup, |setup, (name, value)| setup.agent_env(name, value)).start();
        eventually("the agent has the keys", || edge.agents[0].is_ready().then_some(()));
        let authorities = folder.path().join("authorities.pem");
        let both =
            [authority.file, tls_folder(&edge).join("ca.pem")].map(|file| fs::read_to_string(file).unwrap());
        fs::write(&authorities, both.concat()).unwrap();
        let url = format!("https://localhost:{port}/api");
        Self { issuer, url, authorities, edge, _provider: provider, folder }
    }

    /// Why something else came than was expected.
    pub(crate) fn log(&self) -> String {
        let agents = self.edge.agents.iter().map(|agent| &agent.process);
        let processes = agents.chain([&self.edge.haproxy.process, &self._provider]);
        processes.map(|process| format!("== {}\n{}\n", process.name(), process.log())).collect()
    }
}

/// Where the files of HAProxy's TLS are.
fn tls_folder(edge: &Edge) -> &Path {
    let Address::Unix(path) = edge.address() else { panic!("a socket") };
    path.parent().unwrap()
}
