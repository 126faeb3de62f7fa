//! Traefik, nginx and Envoy as programs with the configurations that `examples/` ships for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::process::{Process, repository};
use crate::socket::Address;

/// A proxy with a shipped configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    Traefik,
    /// Traefik that asks over TLS, and therefore over HTTP/2.
    TraefikHttp2,
    Nginx,
    Envoy,
}

impl Proxy {
    /// As `TOKEN_SERVER__VERIFY__PROXY` spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Traefik | Self::TraefikHttp2 => "traefik",
            Self::Nginx => "nginx",
            Self::Envoy => "envoy",
        }
    }

    /// The shipped file with a policy for each route in the place of the one with a single policy.
    ///
    /// # Panics
    ///
    /// It is not there.
    pub fn with_routes(self, shipped: String) -> String {
        let (name, mark) = match self {
            Self::Traefik | Self::TraefikHttp2 => ("traefik/routes.yml", "forwardAuth:"),
            Self::Nginx => ("nginx/routes.conf", ""),
            Self::Envoy => ("envoy/routes.yaml", ""),
        };
        // Traefik's own settings are the same.
        if !shipped.contains(mark) {
            return shipped;
        }
        fs::read_to_string(repository().join("examples").join(name)).unwrap()
    }

    /// What the token-server that it asks must be told beside. `folder` gets its certificate, if it needs one.
    ///
    /// # Panics
    ///
    /// There is no `openssl`.
    pub fn token_server_settings(self, folder: &Path) -> Vec<(&'static str, String)> {
        let mut settings = vec![("TOKEN_SERVER__VERIFY__PROXY", self.name().to_owned())];
        if self == Self::TraefikHttp2 {
            let path = |name| folder.join(name).display().to_string();
            make_certificate(folder);
            settings.push(("TOKEN_SERVER__TLS__CERT", path(CERTIFICATE)));
            settings.push(("TOKEN_SERVER__TLS__KEY", path("token-server.key")));
        }
        settings
    }

    /// Starts it with its shipped files: `places` are the ports that stand there and the addresses that take their
    /// places, `change` whatever else is to be different. It may not listen yet.
    ///
    /// # Panics
    ///
    /// It cannot be had.
    pub fn start(
        self,
        folder: &Path,
        places: &[(&str, &Address)],
        change: impl Fn(String) -> String,
    ) -> Process {
        Process::start(self.name(), command(self, folder, places, &change)).unwrap()
    }
}

/// The proxy with its shipped files, other addresses put in the place of theirs.
fn command(
    kind: Proxy,
    folder: &Path,
    places: &[(&str, &Address)],
    change: &dyn Fn(String) -> String,
) -> Command {
    let mut command = Command::new(programs().join(kind.name()));
    command.current_dir(folder).env_clear();
    match kind {
        Proxy::Traefik | Proxy::TraefikHttp2 => {
            let files = ["traefik.yml", "dynamic.yml"].map(|name| edited(kind, name, folder, places, change));
            command.arg(format!("--configfile={}", files[0].display()));
        }
        Proxy::Nginx => {
            let file = edited(kind, "nginx.conf", folder, places, change);
            // Debian's folders for bodies belong to root; as root, the workers must be able to enter ours.
            let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|name| format!("{name}_temp_path {}/{name};\n", folder.display()));
            let text = fs::read_to_string(&file).unwrap();
            let text =
                text.replacen("http {", &format!("http {{\naccess_log off;\n{}", temporary.concat()), 1);
            fs::write(&file, text).unwrap();
            // A worker of its own would outlive a master that is killed.
            let own = format!(
                "daemon off; master_process off; pid {}/nginx.pid; error_log stderr;",
                folder.display()
            );
            command.arg("-e").arg("stderr").arg("-c").arg(file).arg("-g").arg(own);
        }
        Proxy::Envoy => {
            let file = edited(kind, "envoy.yaml", folder, places, change);
            command
                .args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"])
                .arg("-c")
                .arg(file);
        }
    }
    command
}

/// A copy of a shipped file with our addresses.
fn edited(
    kind: Proxy,
    name: &str,
    folder: &Path,
    places: &[(&str, &Address)],
    change: &dyn Fn(String) -> String,
) -> PathBuf {
    let shipped = fs::read_to_string(repository().join("examples").join(kind.name()).join(name)).unwrap();
    let mut text = change(shipped);
    if kind == Proxy::TraefikHttp2 {
        text = over_tls(&text);
    }
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

/// `examples/traefik/dynamic.yml` with what it says of a token-server that has a certificate.
fn over_tls(text: &str) -> String {
    [
        ("[drop-spoofed, jwt]", "[drop-spoofed, jwt-http2]"),
        ("- url: http://127.0.0.1:4000", "- url: https://127.0.0.1:4000"),
        ("# serversTransport", "serversTransport"),
        ("  #   ", "    "),
    ]
    .iter()
    .fold(text.to_owned(), |text, (plain, over_tls)| text.replace(plain, over_tls))
}

/// The certificate that `examples/traefik/dynamic.yml` trusts.
const CERTIFICATE: &str = "token-server.pem";

/// Makes it as `examples/README.md` tells.
fn make_certificate(folder: &Path) {
    let text = fs::read_to_string(repository().join("examples/README.md")).unwrap();
    let told = text.lines().map(str::trim).find(|line| line.starts_with("openssl req ")).unwrap();
    let made = Command::new("sh").args(["-c", told]).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{told}: {}", String::from_utf8_lossy(&made.stderr));
}

/// Envoy without a configuration, to be used for something else.
pub fn envoy() -> Command {
    let mut command = Command::new(programs().join(Proxy::Envoy.name()));
    command.env_clear().args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]);
    command
}

/// nginx, to be used for something else.
pub fn nginx() -> Command {
    Command::new(programs().join(Proxy::Nginx.name()))
}

/// The folder of the proxies; fetched by the first test that asks.
fn programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let fetched = Command::new(repository().join("tests/forward_auth.sh")).output().unwrap();
        let said = String::from_utf8_lossy(&fetched.stderr);
        assert!(fetched.status.success(), "tests/forward_auth.sh: {said}");
        String::from_utf8_lossy(&fetched.stdout).trim().into()
    })
}
