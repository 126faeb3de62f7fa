//! The names that an issuer goes by, as an operator writes them.

use std::collections::BTreeSet;

use jose::{IssuerName, TemplateError, Tenants, Trust};

use service::settings::Settings;

/// Reads `tenants` of one issuer's table, for its names as they were written: the issuer first, then its aliases.
pub(super) fn of_table(table: &mut Settings, issuer: Option<&str>, aliases: &[String]) -> Vec<IssuerName> {
    const TENANTS: &str = "tenants";
    let is_template = |name: &str| IssuerName::is_template(name);
    let has_tenants = issuer.is_some_and(is_template) || aliases.iter().any(|alias| is_template(alias));
    let tenants = match (table.list(TENANTS), has_tenants) {
        (Some(list), true) => {
            Tenants::parse(&list).map_err(|error| table.fault(TENANTS, error.to_string())).ok()
        }
        (Some(_), false) => {
            table.fault(
                TENANTS,
                "are for an issuer with {tenantid} in it, such as https://login.example/{tenantid}/v2.0",
            );
            None
        }
        (None, true) => {
            let what = "is required: {tenantid} in issuer stands for a tenant. Name those that you trust, such as \
                        tenants = [\"72f988bf-86f1-41af-91ab-2d7cd011db47\"], or all that there are with tenants = \"*\"";
            table.fault(TENANTS, what);
            None
        }
        (None, false) => None,
    };
    // Without tenants a template is a fault already, and names nothing.
    let tenants = tenants.unwrap_or(Tenants::These(BTreeSet::new()));
    let mut named = |field: &'static str, name: &str| {
        let read = IssuerName::with_tenants(name, &tenants);
        read.map_err(|error: TemplateError| table.fault(field, error.to_string())).ok()
    };
    let mut names: Vec<IssuerName> = issuer.and_then(|issuer| named("issuer", issuer)).into_iter().collect();
    names.extend(aliases.iter().filter_map(|alias| named("issuer_aliases", alias)));
    names
}

/// What an operator should know who trusts every tenant of a provider.
pub fn every_tenant_warning(trust: &Trust) -> Option<String> {
    trust.every_tenant_of().map(|name| {
        format!(
            "tenants = \"*\": tokens of every tenant of {name} are accepted, and anyone can create a tenant there and \
             make tokens; name the tenants that you trust, or have the application judge the claim tid"
        )
    })
}

/// The issuers that the flat setting `name` names. It has no place for tenants.
pub(super) fn flat_names(settings: &mut Settings, name: &'static str) -> Vec<String> {
    let issuers = settings.list(name).unwrap_or_default();
    if issuers.iter().any(|issuer| IssuerName::is_template(issuer)) {
        let what = "{tenantid} stands for a tenant, and which are trusted is not said here: write an [[issuers]] table \
                    with issuer, tenants and discovery_url";
        settings.fault(name, what);
    }
    issuers
}
