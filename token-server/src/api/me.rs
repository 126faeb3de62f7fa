//! `GET /v1/me`: who asks, as logs and the audit trail name the caller, and what the caller may do.

use axum::Json;
use serde::Serialize;

use crate::caller::Access;

#[derive(Serialize)]
pub(super) struct MeView {
    name: String,
    role: &'static str,
}

pub(super) async fn view(access: Access) -> Json<MeView> {
    Json(MeView { name: access.caller.name, role: access.role.as_str() })
}
