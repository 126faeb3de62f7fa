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

/// How an admin listener knows who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdminAccess {
    /// By a bearer token of the tokens file, which has a role; without that file no client may ask.
    Bearer,
    /// By the [`Caller`](crate::caller::Caller) that is handed in with the request: the file system has let him in, and he may
    /// do everything.
    Named,
}
