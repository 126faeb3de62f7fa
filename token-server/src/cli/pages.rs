//! Lists of the admin API, page by page.

use serde_json::Value;

use super::admin::Admin;
use super::error::CliError;
use super::percent::percent_encoded;

/// One page, after the one whose `next` this is.
pub(super) async fn page(admin: &Admin, path: &str, after: Option<&str>) -> Result<Value, CliError> {
    let after = after.map(|after| format!("&after={}", percent_encoded(after))).unwrap_or_default();
    admin.get(&format!("{path}?limit=1000{after}")).await
}

/// The `after` of the next page.
pub(super) fn next(page: &Value) -> Option<String> {
    page.get("next").and_then(Value::as_str).map(str::to_owned)
}

/// The rows of a page.
pub(super) fn rows_of<'a>(page: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    page.get(name).and_then(Value::as_array).into_iter().flatten()
}
