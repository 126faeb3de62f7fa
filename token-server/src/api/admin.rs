//! The routes of operators, each with the role that it needs: one table, of which the router is made.

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::{MethodFilter, MethodRouter, on};

use super::access::AdminAccess;
use super::app::App;
use super::layers::{self, Guard};
use super::needs::Needs;
use super::{agents, audit, decisions, error, explain, key_sources, me, revoked, rules, streams, subject};
use crate::caller::Role;

/// A route and who may use it.
pub(super) struct Route {
    pub(super) path: &'static str,
    pub(super) method: MethodFilter,
    pub(super) needs: Needs,
    handler: fn(MethodFilter) -> MethodRouter<Arc<App>>,
}

/// Every route. What changes the rules of one subject needs [`Role::Revoke`], what changes those of several [`Role::Admin`].
pub(super) fn table() -> Vec<Route> {
    use Needs::{Always, ToWrite};
    use Role::{Admin, Read, Revoke};
    let route = |method, path, needs, handler| Route { path, method, needs, handler };
    vec![
        route(MethodFilter::GET, "/v1/rules", Always(Read), |method| on(method, rules::list_groups)),
        // The subject is named in the body, which refuses everybody's group.
        route(MethodFilter::POST, "/v1/rules", ToWrite(Revoke), |method| {
            on(method, rules::write_to_named_group)
        }),
        route(MethodFilter::GET, "/v1/rules/{group}", Always(Read), |method| on(method, rules::list_group)),
        route(MethodFilter::POST, "/v1/rules/{group}", ToWrite(Revoke), |method| {
            on(method, rules::write_to_group)
        }),
        route(MethodFilter::DELETE, "/v1/rules/{group}", Always(Revoke), |method| on(method, rules::delete)),
        route(MethodFilter::GET, "/v1/everybody/rules", Always(Read), |method| {
            on(method, rules::list_everybody)
        }),
        route(MethodFilter::POST, "/v1/everybody/rules", ToWrite(Admin), |method| {
            on(method, rules::write_for_everybody)
        }),
        route(MethodFilter::DELETE, "/v1/everybody/rules", Always(Admin), |method| {
            on(method, rules::delete_for_everybody)
        }),
        route(MethodFilter::POST, "/v1/import", Always(Admin), |method| on(method, rules::import)),
        route(MethodFilter::GET, "/v1/audit", Always(Read), |method| on(method, audit::list)),
        // What concerns everybody's rules needs more, which the entry tells.
        route(MethodFilter::POST, "/v1/audit/{id}/undo", Always(Revoke), |method| on(method, audit::undo)),
        route(MethodFilter::GET, "/v1/revoked", Always(Read), |method| on(method, revoked::list)),
        route(MethodFilter::GET, "/v1/subjects/{subject}", Always(Read), |method| on(method, subject::view)),
        route(MethodFilter::POST, "/v1/explain", Always(Read), |method| on(method, explain::explain)),
        route(MethodFilter::GET, "/v1/signals", Always(Read), |method| on(method, streams::list)),
        // It changes no rule, and has others send something.
        route(MethodFilter::POST, "/v1/signals/{stream}/verify", Always(Admin), |method| {
            on(method, streams::verify)
        }),
        route(MethodFilter::GET, "/v1/signals/{stream}/verifications/{state}", Always(Read), |method| {
            on(method, streams::verification)
        }),
        route(MethodFilter::GET, "/v1/keys", Always(Read), |method| on(method, key_sources::view)),
        route(MethodFilter::GET, "/v1/agents", Always(Read), |method| on(method, agents::list)),
        route(MethodFilter::GET, "/v1/decisions", Always(Read), |method| on(method, decisions::read)),
        route(MethodFilter::GET, "/v1/me", Always(Read), |method| on(method, me::view)),
    ]
}

/// The routes of the table, each behind its guard.
pub(super) fn routes(app: &Arc<App>, access: AdminAccess) -> Router<Arc<App>> {
    let guarded = |router: Router<Arc<App>>, Route { path, method, needs, handler }: Route| {
        let guard = Guard { app: Arc::clone(app), access, needs };
        router.route(path, handler(method).route_layer(from_fn_with_state(guard, layers::guard)))
    };
    table().into_iter().fold(Router::new(), guarded).route_layer(map_response(error::tell_operators))
}
