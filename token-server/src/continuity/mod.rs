//! Whether everything that is in the store is known here: since when, and until when, every change of it has been heard.

mod session;
mod untold;

pub use session::{MAX_SILENCE, Session, Sessions, Source};
pub use untold::Untold;
