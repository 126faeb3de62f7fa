//! One line of the part `forward-auth`: which proxy, who judges, which tokens.

use std::fmt;

use integration_tests::proxy::Proxy;

/// Who judges the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judge {
    /// Nobody; what every other line of the proxy is compared with.
    Nobody,
    /// The token-server, asked about each request.
    TokenServer,
    /// Envoy's own `jwt_authn` as it comes.
    JwtAuthn,
    /// The same with its cache of tokens.
    JwtAuthnCache,
}

impl Judge {
    fn name(self) -> &'static str {
        match self {
            Self::Nobody => "nobody judges",
            Self::TokenServer => "token-server",
            Self::JwtAuthn => "jwt_authn",
            Self::JwtAuthnCache => "jwt_authn with its cache",
        }
    }
}

/// What is sent. One request in twenty carries a bad token either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tokens {
    /// One good token again and again.
    Known,
    /// No token twice.
    New,
}

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) proxy: Proxy,
    pub(crate) judge: Judge,
    pub(crate) tokens: Tokens,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tokens = match (self.judge, self.tokens) {
            (Judge::Nobody, _) => "",
            (_, Tokens::Known) => ", known token",
            (_, Tokens::New) => ", new tokens",
        };
        write!(f, "{}, {}{tokens}", self.proxy.name(), self.judge.name())
    }
}

/// All lines, those of a proxy together and the plain one first.
pub(crate) fn lines() -> Vec<Line> {
    use Judge::{JwtAuthn, JwtAuthnCache, Nobody, TokenServer};
    use Tokens::{Known, New};
    [Proxy::Traefik, Proxy::Nginx, Proxy::Envoy]
        .into_iter()
        .flat_map(|proxy| {
            let ours = [(Nobody, Known), (TokenServer, Known), (TokenServer, New)];
            let peers = [(JwtAuthn, Known), (JwtAuthnCache, Known), (JwtAuthnCache, New)];
            let peers = if proxy == Proxy::Envoy { &peers[..] } else { &[] };
            let all = ours.iter().chain(peers).copied();
            all.map(move |(judge, tokens)| Line { proxy, judge, tokens }).collect::<Vec<_>>()
        })
        .collect()
}
