//! A proxy that is no HAProxy, with its shipped configuration: it asks a token-server about each request.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::agent::ask;
use crate::backend::{Backend, Seen};
use crate::http::{Request, Response};
use crate::key_server::{Answer, KeyServer};
use crate::process::{Process, repository};
use crate::socket::Address;
use crate::token_server::TokenServer;
use crate::wait::{DEADLINE, poll};

/// A proxy with a shipped configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    Traefik,
    Nginx,
    Envoy,
}

impl Proxy {
    /// As `TOKEN_SERVER__VERIFY__PROXY` spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Traefik => "traefik",
            Self::Nginx => "nginx",
            Self::Envoy => "envoy",
        }
    }
}

/// A proxy, the token-server that it asks, the server of its keys, and the application.
#[derive(Debug)]
pub struct Gateway {
    pub proxy: Process,
    pub token_server: TokenServer,
    pub keys: KeyServer,
    pub backend: Backend,
    address: Address,
    _folder: TempDir,
}

impl Gateway {
    /// Starts everything and waits until the proxy refuses a request without a token.
    ///
    /// # Panics
    ///
    /// Something does not come up; with its log.
    pub fn start(kind: Proxy, keys: String, environment: &[(&str, &str)]) -> Self {
        let folder = TempDir::with_prefix("gateway-").unwrap();
        let keys = KeyServer::start(Answer::Body(keys));
        let url = keys.url();
        let mut settings = vec![
            ("TOKEN_SERVER__JWKS__URL", url.as_str()),
            ("TOKEN_SERVER__JWKS__SYNC_INTERVAL", "1"),
            ("TOKEN_SERVER__VERIFY__PROXY", kind.name()),
        ];
        settings.extend(environment);
        let token_server = TokenServer::start_with(folder.path(), "standard", &settings);
        let backend = Backend::start(&Address::free_port().unwrap()).unwrap();
        let address = Address::free_port().unwrap();
        let places = [("8080", &address), ("8081", backend.address()), ("4000", &token_server.address)];
        let command = command(kind, folder.path(), &places);
        let mut proxy = Process::start(kind.name(), command).unwrap();
        let up = poll(DEADLINE, || match proxy.exited() {
            Some(_) => Some(false),
            None => {
                let connection = address.connect(DEADLINE).ok();
                connection.is_some_and(|_| ask(&address, &Request::get("/")).status == 401).then_some(true)
            }
        });
        assert_eq!(up, Some(true), "{kind:?} does not come up:\n{}", proxy.log());
        Self { proxy, token_server, keys, backend, address, _folder: folder }
    }

    /// What the client hears.
    pub fn ask(&self, request: &Request) -> Response {
        ask(&self.address, request)
    }

    /// The same when somebody could decide: a busy machine may read the rules later than a request waits for them.
    pub fn decision(&self, request: &Request) -> Response {
        let mut last = None;
        poll(DEADLINE, || {
            let response = self.ask(request);
            let decided = response.status < 500;
            last = Some(response);
            decided.then_some(())
        });
        last.unwrap_or_else(|| self.ask(request))
    }

    /// What the application saw of a request that must reach it.
    ///
    /// # Panics
    ///
    /// It did not.
    pub fn admits(&self, what: &str, request: &Request) -> Seen {
        let before = self.backend.seen().len();
        let response = self.decision(request);
        let log = self.proxy.log();
        assert_eq!(response.status, 200, "{what}: {}\n{log}", String::from_utf8_lossy(&response.body));
        let seen = self.backend.seen();
        assert_eq!(seen.len(), before + 1, "{what}");
        seen[before].clone()
    }

    /// The answer to a request that must not reach the application.
    ///
    /// # Panics
    ///
    /// It did.
    pub fn refuses(&self, what: &str, request: &Request) -> Response {
        self.is_closed(what, |gateway| gateway.decision(request))
    }

    /// The answer to a request that nobody can decide.
    ///
    /// # Panics
    ///
    /// It reached the application.
    pub fn undecided(&self, what: &str, request: &Request) -> Response {
        self.is_closed(what, |gateway| gateway.ask(request))
    }

    fn is_closed(&self, what: &str, ask: impl Fn(&Self) -> Response) -> Response {
        let before = self.backend.seen().len();
        let response = ask(self);
        assert_eq!(self.backend.seen().len(), before, "{what}: reached the application");
        assert!(response.status >= 400, "{what}: {}", response.status);
        response
    }
}

/// The proxy with its shipped files, other addresses put in the place of theirs.
fn command(kind: Proxy, folder: &Path, places: &[(&str, &Address)]) -> Command {
    let mut command = Command::new(programs().join(kind.name()));
    command.current_dir(folder).env_clear();
    match kind {
        Proxy::Traefik => {
            let files = ["traefik.yml", "dynamic.yml"].map(|name| edited(kind, name, folder, places));
            command.arg(format!("--configfile={}", files[0].display()));
        }
        Proxy::Nginx => {
            let file = edited(kind, "nginx.conf", folder, places);
            // Debian's folders for bodies belong to root; as root, the workers must be able to enter ours.
            let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|name| format!("{name}_temp_path {}/{name};\n", folder.display()));
            let text = fs::read_to_string(&file).unwrap();
            let text =
                text.replacen("http {", &format!("http {{\naccess_log off;\n{}", temporary.concat()), 1);
            fs::write(&file, text).unwrap();
            let own = format!("daemon off; pid {}/nginx.pid; error_log stderr;", folder.display());
            command.arg("-e").arg("stderr").arg("-c").arg(file).arg("-g").arg(own);
        }
        Proxy::Envoy => {
            let file = edited(kind, "envoy.yaml", folder, places);
            command
                .args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"])
                .arg("-c")
                .arg(file);
        }
    }
    command
}

/// A copy of a shipped file with our addresses.
fn edited(kind: Proxy, name: &str, folder: &Path, places: &[(&str, &Address)]) -> PathBuf {
    let mut text = fs::read_to_string(repository().join("examples").join(kind.name()).join(name)).unwrap();
    for (port, address) in places {
        let own = address.to_string();
        let (_, own_port) = own.rsplit_once(':').unwrap();
        text = text.replace(&format!("127.0.0.1:{port}"), &own);
        text = text.replace(&format!("port_value: {port} "), &format!("port_value: {own_port} "));
    }
    let copy = folder.join(name);
    fs::write(&copy, text).unwrap();
    copy
}

/// The folder of the proxies; fetched by the first who asks.
fn programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let fetched = Command::new(repository().join("tests/forward_auth.sh")).output().unwrap();
        let said = String::from_utf8_lossy(&fetched.stderr);
        assert!(fetched.status.success(), "tests/forward_auth.sh: {said}");
        String::from_utf8_lossy(&fetched.stdout).trim().into()
    })
}
