//! One line of the comparison: which HAProxy, which way to decide, which tokens, how many connections.

use std::fmt;

use crate::release::Release;

/// What decides on tokens, and what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// No check at all; what every other line is compared with.
    Plain,
    /// The same, with the requests of `EdgeMany`.
    PlainMany,
    /// HAProxy's `jwt_verify`.
    NativeSignature,
    /// HAProxy's `jwt_verify`, issuer, audience, expiry, two claims to headers.
    NativeFull,
    /// An agent that looks at nothing and answers the same variables: the floor.
    Nothing,
    /// The same, which verifies one signature for each request: the floor of new tokens.
    NothingNew,
    /// The same with a proof in each request: the floor of proofs.
    NothingProved,
    /// The same, told of a certificate: the floor of certificates.
    NothingCertified,
    /// The agent, one good token again and again.
    Hit,
    /// The agent, 10,000 tokens.
    Tokens,
    /// The agent, no token twice.
    New,
    /// The agent without a cache, one token.
    Uncached,
    /// The agent, one bad token again and again: a refusal with no more than its status.
    Refused,
    /// The same with the agent's challenge in the answer.
    Challenged,
    /// `Hit`, asked by a rule that names a policy.
    Ruled,
    /// The same for an MCP call, whose headers choose the policy.
    Call,
    /// The agent, one token that is bound to a key, with a proof of its own for each request.
    Proved,
    /// The agent, one token that is bound to a certificate, which a server before HAProxy tells.
    Certified,
    /// The agent and a token-server, one API key again and again.
    ApiKey,
    /// The same with an opaque token, about which the token-server has asked.
    Opaque,
    /// The same, no opaque token twice.
    OpaqueNew,
    /// The agent and a token-server with 1,000 rules of the token's subject.
    Rules,
    /// The agent and a token-server with 500 rules for all and 500 of the subject; encrypted tokens, none twice.
    Encrypted,
    /// `NativeFull`, with as few bad tokens as the lines of verdicts in HAProxy get.
    NativeSteady,
    /// The same, with the requests of `EdgeMany`.
    NativeMany,
    /// Verdicts in HAProxy, one token again and again.
    EdgeOne,
    /// Verdicts in HAProxy, 10,000 tokens.
    EdgeMany,
    /// Verdicts in HAProxy; one request in ten has a token that never came before.
    EdgeChanging,
}

impl Way {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain HAProxy",
            Self::PlainMany => "plain HAProxy, 10,000 tokens",
            Self::NativeSignature => "native signature",
            Self::NativeFull => "native full",
            Self::Nothing => "do-nothing agent",
            Self::NothingNew => "do-nothing agent + a signature, new tokens",
            Self::NothingProved => "do-nothing agent + a signature, with a proof",
            Self::NothingCertified => "do-nothing agent, with a certificate",
            Self::Hit => "agent, hit",
            Self::Tokens => "agent, 10,000 tokens",
            Self::New => "agent, new tokens",
            Self::Uncached => "agent, cache off",
            Self::Refused => "agent, refused",
            Self::Challenged => "agent, refused with its challenge",
            Self::Ruled => "agent, hit, asked by a rule",
            Self::Call => "agent, hit, an MCP call",
            Self::Proved => "agent, hit, with a proof",
            Self::Certified => "agent, hit, with a certificate",
            Self::ApiKey => "agent, hit, an API key",
            Self::Opaque => "agent, hit, an opaque token",
            Self::OpaqueNew => "agent, new opaque tokens",
            Self::Rules => "agent + 1,000 rules",
            Self::Encrypted => "agent, new JWE, 1,000 rules",
            Self::NativeSteady => "native full, good tokens",
            Self::NativeMany => "native full, 10,000 good tokens",
            Self::EdgeOne => "edge hit, 1 token",
            Self::EdgeMany => "edge hit, 10,000 tokens",
            Self::EdgeChanging => "edge hit, tokens that change (10 % new)",
        }
    }

    pub(crate) fn asks_agent(self) -> bool {
        matches!(self, Self::Hit | Self::Tokens | Self::New | Self::Uncached | Self::Rules | Self::Encrypted)
            || matches!(self, Self::Refused | Self::Challenged | Self::Proved | Self::Certified)
            || self.is_asked_by_rule()
            || self.is_opaque()
            || self.keeps_verdicts()
    }

    /// Whether the good tokens are no JWTs, and a token-server knows them.
    pub(crate) fn is_opaque(self) -> bool {
        matches!(self, Self::ApiKey | Self::Opaque | Self::OpaqueNew)
    }

    /// Whether a rule asks the agent, with the name of a policy or of rows.
    pub(crate) fn is_asked_by_rule(self) -> bool {
        matches!(self, Self::Ruled | Self::Call)
    }

    /// Whether HAProxy is given verdicts, while a token-server's rules are written.
    pub(crate) fn keeps_verdicts(self) -> bool {
        matches!(self, Self::EdgeOne | Self::EdgeMany | Self::EdgeChanging)
    }

    pub(crate) fn asks_any_agent(self) -> bool {
        self.asks_agent() || self.asks_nothing()
    }

    /// Whether the agent that looks at nothing is asked.
    pub(crate) fn asks_nothing(self) -> bool {
        self.verifies_alone() || matches!(self, Self::Nothing | Self::NothingCertified)
    }

    /// Whether that one verifies a signature for each request.
    pub(crate) fn verifies_alone(self) -> bool {
        matches!(self, Self::NothingNew | Self::NothingProved)
    }

    /// Whether each request may be sent once: its token, or its proof, is new.
    pub(crate) fn counts_once(self) -> bool {
        self.verifies_alone() || matches!(self, Self::New | Self::Encrypted | Self::Proved | Self::OpaqueNew)
    }

    /// Whether HAProxy is told of certificates by a header.
    pub(crate) fn is_certified(self) -> bool {
        matches!(self, Self::Certified | Self::NothingCertified)
    }
}

/// How HAProxy reaches the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Unix,
    Tcp,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cell {
    pub(crate) release: Release,
    pub(crate) way: Way,
    pub(crate) algorithm: &'static str,
    pub(crate) transport: Transport,
    pub(crate) connections: usize,
    /// Of HAProxy.
    pub(crate) threads: usize,
    /// At half of what the agent's hits reach, instead of as fast as it goes: for latencies.
    pub(crate) half_load: bool,
}

impl Cell {
    /// As most are: one thread, 32 connections, HS256, a unix socket, as fast as it goes.
    pub(crate) fn new(release: &Release, way: Way) -> Self {
        Self {
            release: release.clone(),
            way,
            algorithm: "HS256",
            transport: Transport::Unix,
            connections: 32,
            threads: 1,
            half_load: false,
        }
    }

    pub(crate) fn profile(&self) -> &'static str {
        if self.way == Way::Encrypted || self.algorithm == "JWE" { "ms-users" } else { "standard" }
    }

    /// The plain HAProxy that this is compared with: 10,000 requests of half a kilobyte cost more than one, whatever reads them.
    pub(crate) fn plain(&self) -> Self {
        let way = match self.way {
            Way::PlainMany | Way::NativeMany | Way::EdgeMany => Way::PlainMany,
            _ => Way::Plain,
        };
        Self { way, algorithm: "HS256", transport: Transport::Unix, ..self.clone() }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} | {}", self.release, self.way.name())?;
        match self.way {
            Way::Plain
            | Way::PlainMany
            | Way::Nothing
            | Way::NothingCertified
            | Way::Encrypted
            | Way::ApiKey
            | Way::Opaque
            | Way::OpaqueNew => {}
            _ => write!(f, " | {}", self.algorithm)?,
        }
        if self.way.asks_any_agent() {
            let transport = if self.transport == Transport::Unix { "unix" } else { "tcp" };
            write!(f, " | {transport}")?;
        }
        write!(f, " | c={}", self.connections)?;
        if self.threads > 1 {
            write!(f, " | {} threads", self.threads)?;
        }
        if self.half_load {
            write!(f, " | half load")?;
        }
        Ok(())
    }
}

/// The lines of a run, each after the plain one that it is compared with.
pub(crate) fn cells(releases: &[Release], full: bool) -> Vec<Cell> {
    use Way::{
        ApiKey, Call, Challenged, Encrypted, Hit, NativeFull, NativeSignature, New, Nothing, Opaque,
        OpaqueNew, Plain, Refused, Ruled, Rules, Tokens, Uncached,
    };
    let mut cells = Vec::new();
    for release in releases {
        let cell = |way| Cell::new(release, way);
        cells.extend([Plain, Nothing, Hit, Tokens, Uncached, Rules, Encrypted].map(cell));
        for algorithm in crate::traffic::ALGORITHMS {
            cells.extend([NativeSignature, NativeFull, New].map(|way| Cell { algorithm, ..cell(way) }));
        }
        cells.extend([Refused, Challenged, Ruled, Call, ApiKey, Opaque, OpaqueNew].map(cell));
        cells.extend([Nothing, Hit].map(|way| Cell { transport: Transport::Tcp, ..cell(way) }));
        cells.extend([Plain, Nothing, Hit].map(|way| Cell { half_load: true, ..cell(way) }));
        let widths: &[usize] = if full { &[1, 128] } else { &[128] };
        for &connections in widths {
            cells.extend([Plain, Nothing, Hit].map(|way| Cell { connections, ..cell(way) }));
        }
        if full {
            for connections in [1, 128] {
                for algorithm in crate::traffic::ALGORITHMS {
                    let ways = [NativeSignature, NativeFull, New];
                    cells.extend(ways.map(|way| Cell { connections, algorithm, ..cell(way) }));
                }
                let ways = [Tokens, Uncached, Rules, Encrypted];
                cells.extend(ways.map(|way| Cell { connections, ..cell(way) }));
                let ways = [Nothing, Hit];
                cells.extend(ways.map(|way| Cell { connections, transport: Transport::Tcp, ..cell(way) }));
            }
        }
    }
    if let Some(first) = releases.first() {
        cells.extend([Plain, Hit].map(|way| Cell { threads: 2, ..Cell::new(first, way) }));
    }
    cells
}

/// The lines of tokens that no cache answers for, new ones and those whose client proves itself, each beside an agent that does no
/// more than it must.
pub(crate) fn signatures(releases: &[Release]) -> Vec<Cell> {
    use Way::{Certified, New, NothingCertified, NothingNew, NothingProved, Plain, Proved};
    let mut cells = Vec::new();
    for release in releases {
        let cell = |way| Cell::new(release, way);
        cells.extend([Plain, NothingCertified, Certified].map(cell));
        for algorithm in ["RS256", "ES256"] {
            cells.extend([NothingNew, New].map(|way| Cell { algorithm, ..cell(way) }));
        }
        for algorithm in ["ES256", "EdDSA"] {
            cells.extend([NothingProved, Proved].map(|way| Cell { algorithm, ..cell(way) }));
        }
    }
    cells
}

/// The lines of verdicts in HAProxy: on one thread and on two, beside what it costs HAProxy to check by itself.
pub(crate) fn edge_hits(releases: &[Release], full: bool) -> Vec<Cell> {
    use Way::{EdgeChanging, EdgeMany, EdgeOne, Hit, NativeMany, NativeSteady, Plain, PlainMany};
    let mut cells = Vec::new();
    for release in releases {
        for threads in [1, 2] {
            let cell = |way| Cell { threads, ..Cell::new(release, way) };
            cells.extend([Plain, NativeSteady, Hit, EdgeOne].map(cell));
            cells.extend([PlainMany, NativeMany, EdgeMany, EdgeChanging].map(cell));
            for algorithm in ["RS256", "JWE"].into_iter().filter(|_| full || threads == 1) {
                cells.extend([EdgeOne, EdgeChanging].map(|way| Cell { algorithm, ..cell(way) }));
                if full {
                    cells.push(Cell { algorithm, ..cell(EdgeMany) });
                }
            }
        }
    }
    cells
}
