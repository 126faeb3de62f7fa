//! Who may have tokens revoked by protocols: clients their own tokens, and senders all tokens of a user. Knows no HTTP.

mod clients;
mod senders;

pub use clients::{Clients, ClientsError, ClientsFile};
pub use senders::{Bound, Senders, SendersError, SendersFile};
