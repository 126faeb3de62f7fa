//! What must hold for every input, wherever it comes from: one function for each kind of input, which panics if it does not.

pub mod forwarded;
pub mod security_event;
pub mod settings;
