//! What refused clients are told, and how users must have logged in: flat settings for every policy, fields of
//! `[[policies]]` for one.

use std::num::NonZeroU32;

use jose::{
    AlgorithmSet, Binding, ChallengeFault, Challenges, IssuerPolicy, ListedValue, MetadataUrl,
    OfferedSchemes, Policy, ProofRules, Realm, Requirements, Resource, StepUp, Told, TrustedIssuer,
};
use service::settings::Settings;

/// The names of the flat settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChallengeNames {
    /// The identifier of the API that is protected.
    pub resource: &'static str,
    /// Where its metadata is found.
    pub resource_metadata: &'static str,
    /// The realm of challenges.
    pub realm: &'static str,
    /// The scopes of challenges.
    pub scopes: &'static str,
    /// Accepted `acr`.
    pub acr_values: &'static str,
    /// The most seconds since `auth_time`.
    pub max_age: &'static str,
}

/// The names of the fields of a table.
pub(super) const TABLE: ChallengeNames = ChallengeNames {
    resource: "resource",
    // Only the flat settings have it: a table's is found by its own resource.
    resource_metadata: "",
    realm: "realm",
    scopes: "challenge_scopes",
    acr_values: "acr_values",
    max_age: "max_age",
};

/// The longest `max_age`, seconds: a year.
pub(super) const MAX_AGE: u32 = 31_536_000;
/// A scope that no challenge may ask for: it is the client's own business whether it stays without its user.
const OFFLINE: &str = "offline_access";

/// What is set.
#[derive(Debug, Clone, Default)]
pub struct Challenged {
    resource: Option<Resource>,
    metadata: Option<MetadataUrl>,
    realm: Realm,
    /// Absent: those that the policy asks for.
    scopes: Option<Vec<ListedValue>>,
    /// Absent: the usual ones, and clients are not known to have proofs.
    proof_algorithms: Option<AlgorithmSet>,
}

impl Challenged {
    /// What the flat settings say.
    pub(super) fn read(settings: &mut Settings, names: &ChallengeNames) -> Self {
        let resource = resource(settings, names);
        let metadata = parsed(settings, names.resource_metadata);
        Self {
            metadata: metadata.or_else(|| resource.as_ref().map(MetadataUrl::from)),
            resource,
            realm: parsed(settings, names.realm).unwrap_or_default(),
            scopes: scopes(settings, names),
            proof_algorithms: None,
        }
    }

    /// The same for clients that have proofs of possession, by these algorithms.
    pub(super) fn offer_proofs(&mut self, algorithms: AlgorithmSet) {
        self.proof_algorithms = Some(algorithms);
    }

    /// What a policy's table says, and for what it leaves out these here.
    pub(super) fn of_table(&self, table: &mut Settings) -> Self {
        let resource = resource(table, &TABLE);
        Self {
            metadata: resource.as_ref().map(MetadataUrl::from).or_else(|| self.metadata.clone()),
            resource: resource.or_else(|| self.resource.clone()),
            realm: parsed(table, TABLE.realm).unwrap_or_else(|| self.realm.clone()),
            scopes: scopes(table, &TABLE).or_else(|| self.scopes.clone()),
            proof_algorithms: self.proof_algorithms,
        }
    }

    /// The policy with all of this: its challenges are made, and its resource is its audience where none is listed. Faults have
    /// these names.
    pub(super) fn complete(
        self,
        mut policy: Policy,
        issuers: &[TrustedIssuer],
        settings: &mut Settings,
        names: &ChallengeNames,
    ) -> Policy {
        let indexes = policy.issuers.iter();
        let accepted: Vec<&IssuerPolicy> =
            indexes.filter_map(|index| issuers.get(*index)).map(|issuer| &issuer.policy).collect();
        if let Some(resource) = &self.resource {
            accept(resource, &mut policy.audiences, &accepted, settings, names);
        }
        let own = &policy.requirements;
        let max_ages = accepted.iter().map(|issuer| &issuer.requirements).chain([own]);
        let bindings: Vec<Binding> = accepted.iter().map(|issuer| issuer.binding).collect();
        let told = Told {
            realm: self.realm,
            scopes: self.scopes.unwrap_or_else(|| scopes_of(own, &accepted, settings, names)),
            resource_metadata: self.metadata,
            acr_values: acr_values(&own.step_up, &accepted, settings, names),
            max_age: max_ages.filter_map(|asked| asked.step_up.max_age).min(),
            schemes: OfferedSchemes::of(&bindings, policy.binding, self.proof_algorithms.is_some()),
            proof_algorithms: self.proof_algorithms.unwrap_or(ProofRules::ALGORITHMS),
        };
        match Challenges::new(told) {
            Ok(challenges) => policy.challenges = challenges,
            Err(fault) => settings.fault(names.scopes, fault.to_string()),
        }
        policy.resource = self.resource;
        policy
    }
}

/// Has tokens for the resource accepted, and where nothing else is listed no others.
fn accept(
    resource: &Resource,
    audiences: &mut Vec<String>,
    accepted: &[&IssuerPolicy],
    settings: &mut Settings,
    names: &ChallengeNames,
) {
    let admits =
        |list: &[String]| list.is_empty() || list.iter().any(|audience| audience == resource.as_str());
    if !admits(audiences) || !accepted.iter().all(|issuer| admits(&issuer.audiences)) {
        let what = "clients ask tokens for it, which the accepted audiences do not hold; add it to each list of them";
        settings.fault(names.resource, what);
    } else if audiences.is_empty() && accepted.iter().any(|issuer| issuer.audiences.is_empty()) {
        audiences.push(resource.as_str().to_owned());
    }
}

/// How users must have logged in, by the settings of these names.
pub(super) fn step_up(settings: &mut Settings, names: &ChallengeNames) -> StepUp {
    StepUp {
        acr_values: listed(settings, names.acr_values).unwrap_or_default(),
        max_age: max_age(settings, names),
    }
}

/// The same by an issuer's table; `flat` is for what it leaves out.
pub(super) fn step_up_of_issuer(table: &mut Settings, flat: &StepUp) -> StepUp {
    StepUp {
        acr_values: listed(table, TABLE.acr_values).unwrap_or_else(|| flat.acr_values.clone()),
        max_age: flat.max_age,
    }
}

fn max_age(settings: &mut Settings, names: &ChallengeNames) -> Option<NonZeroU32> {
    let expected = format!("seconds, 1 to {MAX_AGE}");
    let seconds: u32 = settings.parse(names.max_age, &expected)?;
    let found = NonZeroU32::new(seconds).filter(|seconds| seconds.get() <= MAX_AGE);
    if found.is_none() {
        settings.fault(names.max_age, format!("expected {expected}"));
    }
    found
}

fn resource(settings: &mut Settings, names: &ChallengeNames) -> Option<Resource> {
    parsed(settings, names.resource)
}

/// A text that is parsed, with its own word for a fault.
fn parsed<T: std::str::FromStr<Err: ToString>>(settings: &mut Settings, name: &'static str) -> Option<T> {
    let text = settings.text(name)?;
    text.parse().map_err(|fault: T::Err| settings.fault(name, fault.to_string())).ok()
}

fn listed(settings: &mut Settings, name: &'static str) -> Option<Vec<ListedValue>> {
    let texts = settings.list(name)?;
    let values: Result<Vec<ListedValue>, _> = texts.iter().map(|text| text.parse()).collect();
    values.map_err(|fault: ChallengeFault| settings.fault(name, fault.to_string())).ok()
}

fn scopes(settings: &mut Settings, names: &ChallengeNames) -> Option<Vec<ListedValue>> {
    let scopes = listed(settings, names.scopes)?;
    if scopes.iter().any(|scope| scope.as_str() == OFFLINE) {
        let what = format!("{OFFLINE} is for clients to ask for, and opens no API: leave it out");
        settings.fault(names.scopes, what);
    }
    Some(scopes)
}

/// The scopes that the policy asks for, and its issuers': all of those that are needed, else those of which one is.
fn scopes_of(
    own: &Requirements,
    accepted: &[&IssuerPolicy],
    settings: &mut Settings,
    names: &ChallengeNames,
) -> Vec<ListedValue> {
    let asking = accepted.iter().map(|issuer| &issuer.requirements).chain([own]);
    let mut found: Vec<ListedValue> = Vec::new();
    for asked in asking {
        let needed = if asked.all_scopes.is_empty() { &asked.any_scope } else { &asked.all_scopes };
        for scope in needed {
            match scope.parse() {
                Ok(scope) if found.contains(&scope) => {}
                Ok(scope) => found.push(scope),
                Err(fault) => {
                    let fault: ChallengeFault = fault;
                    let what = format!(
                        "must be set, since a scope that is asked for cannot stand in a challenge: {fault}"
                    );
                    settings.fault(names.scopes, what);
                }
            }
        }
    }
    found
}

/// The `acr` by which a token of some issuer would be accepted, in the policy's order, else in the issuers'.
fn acr_values(
    own: &StepUp,
    accepted: &[&IssuerPolicy],
    settings: &mut Settings,
    names: &ChallengeNames,
) -> Vec<ListedValue> {
    let mut found: Vec<ListedValue> = Vec::new();
    for issuer in accepted {
        let theirs = &issuer.requirements.step_up.acr_values;
        let both = match (own.acr_values.as_slice(), theirs.as_slice()) {
            (own, []) => own.to_vec(),
            ([], theirs) => theirs.to_vec(),
            (own, theirs) => own.iter().filter(|value| theirs.contains(value)).cloned().collect(),
        };
        if both.is_empty() && !theirs.is_empty() {
            settings.fault(
                names.acr_values,
                "has none of those that its issuer's table asks for, so that no token is accepted",
            );
        }
        let new: Vec<ListedValue> = both.into_iter().filter(|value| !found.contains(value)).collect();
        found.extend(new);
    }
    found
}

#[cfg(test)]
mod tests;
