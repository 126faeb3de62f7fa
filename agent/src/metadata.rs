//! `jwt-agent metadata`: the document about a protected API (RFC 9728), for HAProxy to serve.

use clap::Args;
use jose::{Policy, ResourceMetadata};

use crate::config::Config;

/// Arguments of `jwt-agent metadata`.
#[derive(Debug, Args)]
pub struct Metadata {
    /// The policy whose API it is about, or the name of `[[mcp]]` rows; needed where policies protect several APIs.
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// The configuration has no such policy.
    #[error("--policy {name}: no policy has that name; there are: {}", .known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// No resource is configured.
    #[error(
        "JWT_RESOURCE: not set, so that it is not known which API this is; set it, or `resource` of the [[policies]] table, to the \
         URL that clients use, such as https://api.example.com/orders"
    )]
    NoResource,
    /// Several resources are configured.
    #[error("the policies protect several APIs; write --policy and one of: {}", .0.join(", "))]
    Several(Vec<String>),
}

impl Metadata {
    /// The document.
    ///
    /// # Errors
    ///
    /// The configuration tells of no API, or of several.
    pub fn document(&self, config: &Config) -> Result<ResourceMetadata, MetadataError> {
        let mut apis: Vec<&Policy> = Vec::new();
        for policy in self.policies(config)?.into_iter().filter(|policy| policy.resource.is_some()) {
            if !apis.iter().any(|known| known.resource == policy.resource) {
                apis.push(policy);
            }
        }
        match apis.as_slice() {
            [] => Err(MetadataError::NoResource),
            [one] => config.trust.metadata(one).ok_or(MetadataError::NoResource),
            several => {
                Err(MetadataError::Several(several.iter().map(|policy| policy.name.clone()).collect()))
            }
        }
    }

    /// Those that are asked about.
    fn policies<'a>(&self, config: &'a Config) -> Result<Vec<&'a Policy>, MetadataError> {
        let all = config.trust.policies();
        let Some(name) = &self.policy else {
            return Ok(all.iter().collect());
        };
        if config.mcp.has(name) {
            return Ok(config.mcp.deciders(name).filter_map(|index| all.get(index)).collect());
        }
        match config.trust.policy(Some(name)) {
            Some(policy) => Ok(vec![policy]),
            None => {
                let known = all.iter().map(|policy| policy.name.clone()).collect();
                Err(MetadataError::Unknown { name: name.clone(), known })
            }
        }
    }
}
