//! Issuers and policies as an operator writes them: flat settings for one issuer, tables of the file for more.
//!
//! ```toml
//! [[issuers]]
//! issuer = "https://id.example.com"
//! discovery = true                          # or discovery_url = "..", keys_file = "..", keys_url = ".."
//! audiences = ["my-api"]
//!
//! [[policies]]
//! name = "admin"                            # what HAProxy's `policy` argument says
//! all_scopes = ["write"]
//! claims = { "realm_access.roles" = ["admin", "root"] }
//! ```
//!
//! Both programs read the same tables; what they mean is [`jose::Trust`]'s.

use std::path::PathBuf;
use std::time::Duration;

use jose::{
    AlgorithmSet, Binding, ClaimCondition, ClaimNames, ClaimRule, ClaimValue, IssuerPolicy, Policy, Profile,
    Requirements, StepUp, Trust, TrustedIssuer,
};
use service::settings::{Scalar, Settings};

mod challenges;
pub mod description;
mod discovery;
mod fetch;
mod flat;
mod issuer_keys;
mod key_sources;
mod load_balancers;
mod names;
mod preset;
mod together;
mod trust_names;
mod values;

pub use challenges::{ChallengeNames, Challenged};
use challenges::{step_up, step_up_of_issuer};
pub use discovery::Discovery;
pub use fetch::{Authorization, CertificateFiles, Fetch, FetchNames, ProxyChoice, header_line};
pub use flat::{Flat, http_urls};
pub use issuer_keys::IssuerKeys;
pub use key_sources::KeySources;
pub use load_balancers::KID;
pub use names::every_tenant_warning;
pub use preset::{Preset, UnknownPreset};
use together::{Parts, together};
pub use trust_names::TrustNames;
use values::{algorithms, binding, leeway, opaque, present};

/// The field of both tables that says whether tokens must be bound.
const BINDING: &str = "binding";

/// The field of policies that says what becomes of tokens that are no JWT, and the one of issuers that have no other tokens.
const OPAQUE: &str = "opaque";

/// Puts the flat settings and the tables `[[issuers]]` and `[[policies]]` together; the keys are in the order of the
/// issuers. `None` after a fault, or when no issuer is trusted.
pub fn read(settings: &mut Settings, flat: Flat) -> Option<(Trust, Vec<IssuerKeys>)> {
    let profile = flat.policy.profile;
    let mut issuers = Vec::new();
    let mut keys = Vec::new();
    for mut table in settings.tables("issuers") {
        if let Some((policy, own, signers)) = issuer(&mut table, &flat) {
            issuers.push(TrustedIssuer { policy, keys: keys.len(), signers });
            keys.push(own);
        }
        settings.adopt(table);
    }
    if !issuers.is_empty() && profile == Profile::MsUsers {
        settings.fault("[[issuers]]", "the ms-users profile judges no issuer; use the standard profile");
        return None;
    }
    load_balancers::judge_flat(settings, &flat.keys);
    if !flat.keys.is_empty() {
        if flat.policy.issuers.is_empty() && !issuers.is_empty() {
            let what = format!(
                "beside [[issuers]] its keys would be good for any issuer; set {}, or move them into a table",
                flat.names.issuers
            );
            settings.fault(flat.names.file, what);
            return None;
        }
        issuers.push(TrustedIssuer { policy: flat.policy.clone(), keys: keys.len(), signers: Vec::new() });
        keys.push(flat.keys.clone());
    }
    let mut policies = Vec::new();
    for mut table in settings.tables("policies") {
        policies.extend(policy(&mut table, &issuers, &flat));
        settings.adopt(table);
    }
    if issuers.is_empty() {
        return None;
    }
    let opaque = flat.opaque.unwrap_or_default();
    let parts = Parts { issuers, keys, policies, challenged: flat.challenged, opaque };
    together(settings, flat.names, parts)
}

fn issuer(table: &mut Settings, flat: &Flat) -> Option<(IssuerPolicy, IssuerKeys, Vec<String>)> {
    let base = &flat.policy;
    let name = required(table, "issuer");
    let aliases = table.list("issuer_aliases").unwrap_or_default();
    let keys = IssuerKeys {
        file: table.text("keys_file").map(PathBuf::from),
        urls: table.list("keys_url").unwrap_or_default(),
        discovery: Discovery::of_table(table, name.as_deref(), &aliases).into_iter().collect(),
        fetch: Fetch::of_table(table, &flat.keys.fetch),
        optional: false,
    };
    keys.judge_fetch(table);
    let is_opaque = table.flag(OPAQUE).unwrap_or(false);
    match (keys.is_empty(), is_opaque) {
        (true, false) => {
            let what = "has no keys: set keys_file, keys_url, discovery = true or discovery_url; or opaque = true, if none of its \
                        tokens is a JWT";
            table.fault("issuer", what);
        }
        (false, true) => {
            table.fault(OPAQUE, "is for an issuer without keys; this one has some, so leave it out")
        }
        (true, true) | (false, false) => {}
    }
    let signers = load_balancers::of_table(table, &keys);
    let names = names::of_table(table, name.as_deref(), &aliases);
    let leeway = leeway(table, "leeway");
    let own_algorithms = algorithms(table, "algorithms").unwrap_or(AlgorithmSet::ALL);
    let policy = IssuerPolicy {
        name: Trust::DEFAULT.to_owned(),
        profile: base.profile,
        // What names an issuer of opaque tokens is no JWT of it, whatever made the signature.
        algorithms: if is_opaque {
            AlgorithmSet::EMPTY
        } else {
            own_algorithms.intersection(base.algorithms)
        },
        audiences: table.list("audiences").unwrap_or_else(|| base.audiences.clone()),
        leeway: leeway.unwrap_or(base.leeway),
        binding: binding(table, BINDING).unwrap_or(base.binding),
        kind: base.kind,
        requirements: Requirements {
            step_up: step_up_of_issuer(table, &base.requirements.step_up),
            ..requirements(table, &base.requirements.claims)
        },
        issuers: name.map(|_| names)?,
    };
    Some((policy, keys, signers))
}

fn policy(table: &mut Settings, issuers: &[TrustedIssuer], flat: &Flat) -> Option<Policy> {
    let accepted = match table.list("issuers") {
        None => (0..issuers.len()).collect(),
        Some(names) => {
            let index_of = |name: &String| {
                issuers
                    .iter()
                    .position(|issuer| issuer.policy.issuers.first().is_some_and(|own| own.as_str() == name))
            };
            let found: Option<Vec<usize>> = names.iter().map(index_of).collect();
            if found.is_none() {
                // An alias would look as if it let in the tokens of that name alone.
                let what = "names what is the issuer of no [[issuers]] table; an issuer with aliases is named by its issuer";
                table.fault("issuers", what);
            }
            found.unwrap_or_default()
        }
    };
    let asked = Policy {
        algorithms: algorithms(table, "algorithms").unwrap_or(AlgorithmSet::ALL),
        audiences: table.list("audiences").unwrap_or_default(),
        binding: policys_binding(table),
        opaque: opaque(table, OPAQUE).or(flat.opaque).unwrap_or_default(),
        requirements: Requirements {
            step_up: step_up(table, &challenges::TABLE),
            ..requirements(table, &[])
        },
        ..Policy::of(String::new(), accepted)
    };
    let challenged = flat.challenged.of_table(table);
    let name = required(table, "name")?;
    Some(challenged.complete(Policy { name, ..asked }, issuers, table, &challenges::TABLE))
}

/// A policy asks on top of what issuers ask for.
fn policys_binding(table: &mut Settings) -> Option<Binding> {
    let own = binding(table, BINDING);
    if own == Some(Binding::Ignore) {
        let what = "a policy cannot ask for less than its issuers do; leave it out, and write binding = \"ignore\" into the \
                    [[issuers]] table of those whose bound tokens any client may use";
        table.fault(BINDING, what);
    }
    own
}

fn required(table: &mut Settings, name: &'static str) -> Option<String> {
    let text = table.text(name);
    if text.is_none() {
        table.fault(name, "is required");
    }
    text
}

/// What the table asks for; `required` fills in for what it leaves out.
fn requirements(table: &mut Settings, required: &[ClaimRule]) -> Requirements {
    let mut claims = present(table, "required").unwrap_or_else(|| required.to_vec());
    let absent = table.list("forbidden").unwrap_or_default();
    claims.extend(absent.into_iter().map(|path| ClaimRule { path, condition: ClaimCondition::Absent }));
    for (name, condition) in
        [("claims", ClaimCondition::OneOf as fn(_) -> _), ("not_claims", ClaimCondition::NoneOf)]
    {
        for (path, values) in table.values(name) {
            let values = values.into_iter().map(claim_value).collect();
            claims.push(ClaimRule { path, condition: condition(values) });
        }
    }
    Requirements {
        types: table.list("types").unwrap_or_default(),
        max_lifetime: table.parse("max_lifetime", "seconds").map(Duration::from_secs),
        subjects: table.list("subjects").unwrap_or_default(),
        all_scopes: table.list("all_scopes").unwrap_or_default(),
        any_scope: table.list("any_scope").unwrap_or_default(),
        scope_claims: table.list("scope_claim").unwrap_or_default(),
        claims,
        names: claim_names(table),
        step_up: StepUp::default(),
    }
}

fn claim_names(table: &mut Settings) -> ClaimNames {
    const NAME: &str = "claim_names";
    let pairs = table.values(NAME).into_iter().map(|(short, claims)| match claims.as_slice() {
        [Scalar::Text(claim)] => (short, claim.clone()),
        // It stands for no claim.
        _ => (short, String::new()),
    });
    let pairs: Vec<_> = pairs.collect();
    ClaimNames::new(pairs).map_err(|error| table.fault(NAME, error.to_string())).unwrap_or_default()
}

fn claim_value(scalar: Scalar) -> ClaimValue {
    match scalar {
        Scalar::Text(text) => ClaimValue::String(text),
        Scalar::Int(number) => ClaimValue::Int(number),
        Scalar::Bool(truth) => ClaimValue::Bool(truth),
    }
}

#[cfg(test)]
pub(crate) mod tests;
