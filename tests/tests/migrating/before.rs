//! What stood there before, as a program: `examples/migrate/*/before` with other addresses and keys.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use integration_tests::backend::Backend;
use integration_tests::haproxy::program;
use integration_tests::http::Client;
use integration_tests::keys::jwks;
use integration_tests::process::{Process, repository};
use integration_tests::proxy;
use integration_tests::socket::Address;
use integration_tests::wait::{DEADLINE, poll};
use tempfile::TempDir;

use super::table::{Issuer, Outcome, Row, outcome};

/// A running program with a shipped configuration.
pub(crate) struct Before {
    process: Process,
    application: Backend,
    address: Address,
    _folder: TempDir,
}

fn shipped(path: &str) -> PathBuf {
    repository().join("examples/migrate").join(path)
}

impl Before {
    /// HAProxy's own converters, with the public key in a file.
    pub(crate) fn native(issuer: &Issuer) -> Self {
        Self::haproxy("native/before/haproxy.cfg", |folder, command| {
            let file = folder.join("issuer.pem");
            fs::write(&file, issuer.key.pem()).unwrap();
            command.env("KEY_FILE", file);
        })
    }

    /// A Lua script inside of HAProxy, with the secret in its environment.
    pub(crate) fn lua(issuer: &Issuer) -> Self {
        let jwk = issuer.key.jwk();
        let secret = BASE64_URL_SAFE_NO_PAD.decode(jwk["k"].as_str().unwrap()).unwrap();
        Self::haproxy("lua/before/haproxy.cfg", |_, command| {
            command.env("LUA_SCRIPT", shipped("lua/before/token.lua"));
            command.env("OAUTH_HMAC_SECRET", BASE64_STANDARD.encode(secret));
        })
    }

    fn haproxy(file: &str, set: impl FnOnce(&Path, &mut Command)) -> Self {
        let folder = TempDir::with_prefix("before-").unwrap();
        let path = |name: &str| folder.path().join(name);
        let address = Address::Unix(path("edge.sock"));
        let application = Backend::start(&Address::Unix(path("app.sock"))).unwrap();
        let mut command = Command::new(program());
        command.arg("-db").arg("-f").arg(shipped(file));
        command.env("EDGE_BIND", address.to_string()).env("STATS_SOCKET", path("stats.sock"));
        for name in ["APP_SERVER", "WEB_SERVER"] {
            command.env(name, application.address().to_string());
        }
        set(folder.path(), &mut command);
        Self::up(command, application, address, folder)
    }

    /// Envoy's filter, with the key set in a file.
    pub(crate) fn envoy(issuer: &Issuer) -> Self {
        let folder = TempDir::with_prefix("before-").unwrap();
        let (keys, file) = (folder.path().join("jwks.json"), folder.path().join("envoy.yaml"));
        fs::write(&keys, jwks([issuer.key])).unwrap();
        let application = Backend::start(&Address::free_port().unwrap()).unwrap();
        let address = Address::free_port().unwrap();
        let port = |address: &Address| address.to_string().rsplit_once(':').unwrap().1.to_owned();
        let text = fs::read_to_string(shipped("envoy/before/envoy.yaml")).unwrap();
        let text = [("8080", &address), ("8081", application.address()), ("8082", application.address())]
            .into_iter()
            .fold(text, |text, (from, to)| {
                text.replace(&format!("port_value: {from} "), &format!("port_value: {} ", port(to)))
            });
        fs::write(&file, text.replace("/etc/envoy/jwks.json", &keys.display().to_string())).unwrap();
        let mut command = proxy::envoy();
        command.arg("-c").arg(file);
        Self::up(command, application, address, folder)
    }

    /// Starts it and waits until it listens.
    fn up(command: Command, application: Backend, address: Address, folder: TempDir) -> Self {
        let mut process = Process::start("before", command).unwrap();
        let up = poll(DEADLINE, || match process.exited() {
            Some(_) => Some(false),
            None => address.connect(DEADLINE).is_ok().then_some(true),
        });
        assert_eq!(up, Some(true), "it does not come up:\n{}", process.log());
        Self { process, application, address, _folder: folder }
    }

    pub(crate) fn outcome(&self, row: &Row) -> Outcome {
        let send = |bytes: &[u8]| {
            let connection = self.address.connect(DEADLINE);
            let mut client =
                Client::new(connection.unwrap_or_else(|error| panic!("{error}\n{}", self.process.log())));
            client.write(bytes).ok()?;
            client.response().ok()
        };
        outcome(&self.application, send, row)
    }
}
