//! One line of the part `forward-auth`: which proxy, what decides, which tokens.

use std::fmt;

use integration_tests::proxy::Proxy;

/// What decides on the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judge {
    /// Nothing; what every other line of the proxy is compared with.
    Nothing,
    /// The token-server, asked about each request.
    TokenServer,
    /// The same server, which finds no token and lets the request pass: what it costs to be asked at all.
    NoToken,
    /// Envoy's own `jwt_authn` as it comes.
    JwtAuthn,
    /// The same with its cache of tokens.
    JwtAuthnCache,
}

impl Judge {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "without a question",
            Self::TokenServer => "token-server",
            Self::NoToken => "token-server, no token",
            Self::JwtAuthn => "jwt_authn",
            Self::JwtAuthnCache => "jwt_authn with its cache",
        }
    }
}

/// What is sent. One request in twenty carries a bad JWT in each case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tokens {
    /// One good token again and again.
    Known,
    /// No token twice.
    New,
    /// One API key again and again.
    ApiKey,
    /// One opaque token again and again, about which the token-server has asked.
    Opaque,
    /// No opaque token twice.
    OpaqueNew,
}

impl Tokens {
    /// Whether the good ones are no JWTs.
    pub(crate) fn is_opaque(self) -> bool {
        matches!(self, Self::ApiKey | Self::Opaque | Self::OpaqueNew)
    }

    /// Whether none comes again.
    pub(crate) fn are_new(self) -> bool {
        matches!(self, Self::New | Self::OpaqueNew)
    }
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
            (Judge::Nothing | Judge::NoToken, _) => "",
            (_, Tokens::Known) => ", known token",
            (_, Tokens::New) => ", new tokens",
            (_, Tokens::ApiKey) => ", API key",
            (_, Tokens::Opaque) => ", known opaque token",
            (_, Tokens::OpaqueNew) => ", new opaque tokens",
        };
        let over = if self.proxy == Proxy::TraefikHttp2 { " over HTTP/2" } else { "" };
        write!(f, "{}{over}, {}{tokens}", self.proxy.name(), self.judge.name())
    }
}

/// All lines, those of a proxy together and the plain one first.
pub(crate) fn lines() -> Vec<Line> {
    use Judge::{JwtAuthn, JwtAuthnCache, NoToken, Nothing, TokenServer};
    use Tokens::{ApiKey, Known, New, Opaque, OpaqueNew};
    [Proxy::Traefik, Proxy::TraefikHttp2, Proxy::Nginx, Proxy::Envoy]
        .into_iter()
        .flat_map(|proxy| {
            // Alone, Traefik is the same whatever way it would ask.
            let plain: &[_] = if proxy == Proxy::TraefikHttp2 { &[] } else { &[(Nothing, Known)] };
            let ours = [Known, New, ApiKey, Opaque, OpaqueNew].map(|tokens| (TokenServer, tokens));
            let peers = [(JwtAuthn, Known), (JwtAuthnCache, Known), (JwtAuthnCache, New)];
            let peers = if proxy == Proxy::Envoy { &peers[..] } else { &[] };
            let all = plain.iter().chain(&[(NoToken, Known)]).chain(&ours).chain(peers).copied();
            all.map(move |(judge, tokens)| Line { proxy, judge, tokens }).collect::<Vec<_>>()
        })
        .collect()
}
