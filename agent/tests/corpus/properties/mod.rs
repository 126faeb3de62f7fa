//! What must hold for every input, wherever it comes from: one function for each kind of input, which panics if it does not.

pub mod connection;
pub mod frame;
pub mod rewritten;
pub mod settings;
