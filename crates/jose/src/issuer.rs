//! Whose tokens are meant: an issuer's name, or a template of the names that a provider of many tenants has.
//!
//! In a template `{tenantid}` stands for a tenant. A token's `iss` must be the template with the token's own `tid` in its
//! place, letter for letter, and that tenant must be one of those that are trusted. A tenant is a GUID as text, so that
//! nothing in it can move the path.

use std::collections::BTreeSet;
use std::fmt;

use crate::uuid::is_uuid as is_guid;
use crate::{Claim, Claims, Key};

/// What stands for a tenant in a template.
const PLACEHOLDER: &str = "{tenantid}";
/// The claim that names a token's tenant.
const CLAIM: &str = "tid";

/// A name that an issuer's tokens have in `iss`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerName {
    /// This text.
    Exact(String),
    /// One for each tenant.
    Template(Template),
}

/// The names of the tenants of one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    before: String,
    after: String,
    tenants: Tenants,
}

/// The tenants that are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tenants {
    /// Every one: each owner of a tenant at the provider can make tokens.
    Every,
    /// These, in small letters.
    These(BTreeSet<String>),
}

/// Why a text cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The placeholder is not a part of the path.
    #[error(
        "expected {{tenantid}} once, as a whole part of the path, such as https://login.example/{{tenantid}}/v2.0"
    )]
    Place,
    /// A tenant is no GUID.
    #[error("expected tenants as GUIDs, such as 72f988bf-86f1-41af-91ab-2d7cd011db47, or \"*\" alone")]
    Tenant,
}

impl Tenants {
    /// Those of a list; `*` alone is every one. Letter case does not matter.
    ///
    /// # Errors
    ///
    /// One is no GUID, or the list is empty.
    pub fn parse(list: &[String]) -> Result<Self, TemplateError> {
        if let [only] = list
            && only == "*"
        {
            return Ok(Self::Every);
        }
        let tenants: BTreeSet<String> = list.iter().map(|tenant| tenant.to_ascii_lowercase()).collect();
        if tenants.is_empty() || !tenants.iter().all(|tenant| is_guid(tenant)) {
            return Err(TemplateError::Tenant);
        }
        Ok(Self::These(tenants))
    }

    fn admits(&self, tenant: &str) -> bool {
        match self {
            Self::Every => is_guid(tenant),
            Self::These(tenants) => tenants.contains(tenant),
        }
    }

    fn meet(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::These(these), Self::These(those)) => !these.is_disjoint(those),
            (Self::Every, _) | (_, Self::Every) => true,
        }
    }
}

/// The first part of a path that is a GUID, in small letters.
fn tenant_in(name: &str) -> Option<String> {
    name.split('/').map(str::to_ascii_lowercase).find(|part| is_guid(part))
}

impl Template {
    /// A template and the tenants that may stand in it.
    ///
    /// # Errors
    ///
    /// `{tenantid}` is not there once, as a whole part of the path.
    pub fn new(text: &str, tenants: Tenants) -> Result<Self, TemplateError> {
        let (before, after) = text.split_once(PLACEHOLDER).ok_or(TemplateError::Place)?;
        let (_, rest) = before.split_once("://").ok_or(TemplateError::Place)?;
        let starts =
            rest.len() > 1 && !rest.starts_with('/') && rest.ends_with('/') && !rest.contains(['?', '#']);
        let ends = after.is_empty() || after.starts_with('/');
        if !starts || !ends || before.contains(['{', '}']) || after.contains(['{', '}']) {
            return Err(TemplateError::Place);
        }
        Ok(Self { text: text.to_owned(), before: before.to_owned(), after: after.to_owned(), tenants })
    }

    /// The tenant whose name this is, if it is one of those that are trusted.
    fn tenant_of<'n>(&self, name: &'n str) -> Option<&'n str> {
        let tenant = name.strip_prefix(&self.before)?.strip_suffix(&self.after)?;
        self.tenants.admits(tenant).then_some(tenant)
    }

    /// Whether some tenant's name is a name in both.
    fn meets(&self, other: &Self) -> bool {
        let (shorter, longer) =
            if self.before.len() <= other.before.len() { (self, other) } else { (other, self) };
        match longer.before.strip_prefix(&shorter.before) {
            Some("") => shorter.after == longer.after && shorter.tenants.meet(&longer.tenants),
            // The longer one has a tenant of the shorter one in its own text.
            Some(more) => more.split('/').next().is_some_and(|tenant| {
                shorter.tenants.admits(tenant)
                    && longer.has(&format!("{}{tenant}{}", shorter.before, shorter.after))
            }),
            None => false,
        }
    }

    fn has(&self, name: &str) -> bool {
        self.tenant_of(name).is_some()
    }
}

impl IssuerName {
    /// The name, or the template with `tenants`.
    ///
    /// # Errors
    ///
    /// The text has the placeholder, and cannot be used as a template.
    pub fn with_tenants(text: &str, tenants: &Tenants) -> Result<Self, TemplateError> {
        match Self::is_template(text) {
            true => Template::new(text, tenants.clone()).map(Self::Template),
            false => Ok(Self::Exact(text.to_owned())),
        }
    }

    /// Whether the text has the placeholder, so that it is no name of itself.
    pub fn is_template(text: &str) -> bool {
        text.contains(PLACEHOLDER)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Exact(name) => name,
            Self::Template(template) => &template.text,
        }
    }

    /// Whether a token with this `iss` and these claims has this name.
    pub(crate) fn accepts(&self, iss: &str, claims: &Claims) -> bool {
        match self {
            Self::Exact(name) => name == iss,
            Self::Template(template) => match claims.get(CLAIM) {
                Some(Claim::String(tenant)) => template.tenant_of(iss) == Some(&*tenant),
                _ => false,
            },
        }
    }

    /// Whether these claims, whether they are verified or not, have this name in `iss`.
    pub fn is_told_by(&self, claims: &Claims) -> bool {
        matches!(claims.get("iss"), Some(Claim::String(iss)) if self.accepts(&iss, claims))
    }

    /// All names that the issuer with these `names` has where these claims come from: of templates those of the claims' tenant.
    pub fn all_of(names: &[Self], claims: &Claims) -> Vec<String> {
        match Owner::of(names, claims) {
            Owner::Issuer(names) => names.iter().map(Self::to_string).collect(),
            Owner::Tenant { names, .. } => names,
        }
    }

    /// All names of the issuer with these `names` that is called `name`: of templates those of the tenant that `name` has in it.
    /// Empty: it is not called so.
    pub fn beside(names: &[Self], name: &str) -> Vec<String> {
        let called = names.iter().find_map(|own| match own {
            Self::Exact(own) => (own == name).then_some(None),
            Self::Template(template) => template.tenant_of(name).map(Some),
        });
        let Some(tenant) = called else { return Vec::new() };
        let told = |own: &Self| match (own, tenant) {
            (Self::Exact(own), _) => Some(own.clone()),
            (Self::Template(template), Some(tenant)) if template.tenants.admits(tenant) => {
                Some(template.text.replace(PLACEHOLDER, tenant))
            }
            (Self::Template(_), _) => None,
        };
        names.iter().filter_map(told).collect()
    }

    /// Whether some token could have both names.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(name), Self::Exact(other)) => name == other,
            (Self::Exact(name), Self::Template(template)) | (Self::Template(template), Self::Exact(name)) => {
                template.has(name)
            }
            (Self::Template(template), Self::Template(other)) => template.meets(other),
        }
    }

    /// Whether it is one for each of many tenants.
    pub(crate) fn has_tenants(&self) -> bool {
        matches!(self, Self::Template(_))
    }

    /// Whether tokens of every tenant are accepted.
    pub(crate) fn is_every_tenant(&self) -> bool {
        matches!(self, Self::Template(Template { tenants: Tenants::Every, .. }))
    }
}

impl From<String> for IssuerName {
    /// The text itself, whatever it holds.
    fn from(name: String) -> Self {
        Self::Exact(name)
    }
}

impl From<&str> for IssuerName {
    fn from(name: &str) -> Self {
        Self::Exact(name.to_owned())
    }
}

impl fmt::Display for IssuerName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Which keys of its issuer a token may be tried with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner<'n> {
    /// All of an issuer that is one, but for those that say they are another tenant's than its names tell.
    Issuer(&'n [IssuerName]),
    /// Those of no particular tenant, and those of this one.
    Tenant {
        /// The token's tenant.
        id: String,
        /// The names that the issuer has there.
        names: Vec<String>,
    },
}

impl<'n> Owner<'n> {
    /// Of a token with these claims, which has one of these names. A tenant that is not trusted, or no GUID, has no name.
    pub(crate) fn of(names: &'n [IssuerName], claims: &Claims) -> Self {
        if !names.iter().any(IssuerName::has_tenants) {
            return Self::Issuer(names);
        }
        let id = match claims.get(CLAIM) {
            Some(Claim::String(id)) => id.into_owned(),
            _ => String::new(),
        };
        let name = |name: &IssuerName| match name {
            IssuerName::Exact(name) => Some(name.clone()),
            IssuerName::Template(template) => {
                template.tenants.admits(&id).then(|| template.text.replace(PLACEHOLDER, &id))
            }
        };
        Self::Tenant { names: names.iter().filter_map(name).collect(), id }
    }

    /// Whether the key may sign for it: one that says whose it is (`issuer`) signs for that tenant alone.
    pub(crate) fn may_use(&self, key: &Key) -> bool {
        let Some(issuer) = key.issuer() else {
            return true;
        };
        match self {
            // A tenant's names in both versions are two texts with one GUID, so the GUIDs are compared.
            Self::Issuer(names) => tenant_in(issuer).is_none_or(|tenant| {
                let mut tenants = names.iter().filter_map(|name| tenant_in(name.as_str())).peekable();
                tenants.peek().is_none() || tenants.any(|own| own == tenant)
            }),
            Self::Tenant { id, names } => names.contains(&issuer.replace(PLACEHOLDER, id)),
        }
    }
}

#[cfg(test)]
mod tests;
