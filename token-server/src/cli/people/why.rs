//! Why a change is made, and for whom: the words of every command that makes one.

use clap::Args;
use serde_json::{Value, json};

#[derive(Debug, Args)]
pub(super) struct Why {
    /// Why
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// For whom, where that is not the one who is logged in
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

impl Why {
    /// As the API takes it.
    pub(super) fn members(&self) -> impl Iterator<Item = (String, Value)> {
        let named = [("note", &self.note), ("by", &self.by)];
        named.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?))))
    }
}
