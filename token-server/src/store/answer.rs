//! What a store answers.

use std::pin::Pin;

use super::error::StoreError;

/// An answer in the store's own time. Callers set the deadlines.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;
