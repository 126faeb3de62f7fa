//! A proxy that is no HAProxy, and the token-server that it asks about each request.

use tempfile::TempDir;

use crate::agent::ask;
use crate::backend::{Backend, Seen};
use crate::http::{Client, Request, Response};
use crate::key_server::{Answer, KeyServer};
use crate::process::Process;
use crate::proxy::Proxy;
use crate::socket::Address;
use crate::token_server::TokenServer;
use crate::wait::{DEADLINE, poll};

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
        Self::start_changed(kind, keys, environment, |shipped| shipped)
    }

    /// The same with `change` made to the proxy's shipped files.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn start_changed(
        kind: Proxy,
        keys: String,
        environment: &[(&str, &str)],
        change: impl Fn(String) -> String,
    ) -> Self {
        let backend = Backend::start(&Address::free_port().unwrap()).unwrap();
        let application = backend.address().clone();
        Self::start_before(kind, keys, environment, change, backend, &application)
    }

    /// The same before another application.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn start_before(
        kind: Proxy,
        keys: String,
        environment: &[(&str, &str)],
        change: impl Fn(String) -> String,
        backend: Backend,
        application: &Address,
    ) -> Self {
        let folder = TempDir::with_prefix("gateway-").unwrap();
        let keys = KeyServer::start(Answer::Body(keys));
        let url = keys.url();
        let own = kind.token_server_settings(folder.path());
        let mut settings =
            vec![("TOKEN_SERVER__JWKS__URL", url.as_str()), ("TOKEN_SERVER__JWKS__SYNC_INTERVAL", "1")];
        settings.extend(own.iter().map(|(name, value)| (*name, value.as_str())));
        settings.extend(environment);
        let token_server = TokenServer::start_with(folder.path(), "standard", &settings);
        let address = Address::free_port().unwrap();
        let places = [("8080", &address), ("8081", application), ("4000", &token_server.address)];
        let mut proxy = kind.start(folder.path(), &places, change);
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

    /// Where the proxy listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What the client hears.
    pub fn ask(&self, request: &Request) -> Response {
        ask(&self.address, request)
    }

    /// What the client hears to bytes of its own.
    ///
    /// # Panics
    ///
    /// Nothing.
    pub fn answer_to(&self, bytes: &[u8]) -> Response {
        let mut client = Client::new(self.address.connect(DEADLINE).unwrap());
        client.write(bytes).unwrap();
        client.response().unwrap()
    }

    /// The answer once it is decided: a busy machine may read the rules later than a request waits for them.
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

    /// The answer to a request that cannot be decided.
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
