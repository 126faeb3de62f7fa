//! Who may ask.

/// Whom `POST /` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compat {
    /// No caller: there is no such route.
    Off,
    /// Callers that show a bearer token of `TOKEN_SERVER__AGENT__TOKENS_FILE`; every caller without such a file.
    Guarded,
    /// Every caller, whatever guards the other routes.
    Open,
}

/// Whom an admin listener lets use the rules API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdminAccess {
    /// Clients that show a bearer token of the tokens file; none without that file.
    Bearer,
    /// Every client that can connect: the file system has decided.
    Everyone,
}
