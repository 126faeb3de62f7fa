//! Whose access tokens end by what a stream tells.

use std::time::Duration;

use jose::{IssuerName, Trust};
use service::settings::Settings;

use super::Shared;

/// The issuer of these access tokens.
pub(super) struct Subjects {
    /// All its names.
    pub(super) names: Vec<String>,
    /// How long the longest of them lives.
    pub(super) hold: Duration,
}

/// Reads `subject_issuer`. A name that no trusted issuer has would revoke nothing, so it is a fault.
pub(super) fn read(table: &mut Settings, issuer: Option<&str>, shared: &Shared<'_>) -> Option<Subjects> {
    let told = table.text("subject_issuer");
    let name = told.clone().or_else(|| issuer.map(str::to_owned))?;
    let issuers = shared.trust.map(Trust::issuers).unwrap_or_default();
    let has = |known: &IssuerName| known.as_str() == name;
    if let Some(found) = issuers.iter().find(|found| found.policy.issuers.iter().any(has)) {
        if IssuerName::is_template(&name) {
            table.fault(
                "subject_issuer",
                "is one for many tenants: write the name of the one whose subjects the stream tells of",
            );
            return None;
        }
        let lifetime = found.policy.requirements.max_lifetime;
        return Some(Subjects {
            names: found.policy.issuers.iter().map(ToString::to_string).collect(),
            hold: lifetime.map_or(shared.hold, |lifetime| lifetime.saturating_add(found.policy.leeway.end)),
        });
    }
    let is_template = |known: &IssuerName| IssuerName::is_template(known.as_str());
    let has_templates = issuers.iter().flat_map(|found| &found.policy.issuers).any(is_template);
    let is_known = issuers.iter().any(|found| !found.policy.issuers.is_empty());
    if is_known && !has_templates {
        let what = "is no trusted issuer, so that its rules would revoke nothing: write the issuer of an [[issuers]] table, letter \
                    for letter, trailing slash included";
        table.fault("subject_issuer", what);
        return None;
    }
    // Agents may trust it that this server verifies no tokens of.
    Some(Subjects { names: vec![name], hold: shared.hold })
}
