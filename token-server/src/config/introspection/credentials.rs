//! How an authorization server is told who asks.

use std::str::FromStr;
use std::sync::Arc;

use ::keys::trust::{Authorization, CertificateFiles};
use service::secret::Secret;
use service::secret_file::{NamedFile, SecretFile};
use service::settings::Settings;

use super::Names;

/// How it is told who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Authentication {
    /// A client ID and a secret in `Authorization` (RFC 6749 section 2.3.1).
    Basic(String),
    /// The same in the form.
    Post(String),
    /// A bearer token (RFC 7662 section 2.1).
    Bearer,
    /// A client ID in the form, and a certificate (RFC 8705 section 2).
    Mtls(String),
}

/// What is read for one server.
pub(super) struct Credentials {
    pub(super) authentication: Authentication,
    pub(super) secret: Option<Arc<SecretFile<Secret>>>,
    pub(super) authorization: Option<Authorization>,
    pub(super) certificate: Option<CertificateFiles>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Way {
    #[default]
    Basic,
    Post,
    Bearer,
    Mtls,
}

impl FromStr for Way {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "basic" => Ok(Self::Basic),
            "post" => Ok(Self::Post),
            "bearer" => Ok(Self::Bearer),
            "mtls" => Ok(Self::Mtls),
            _ => Err(()),
        }
    }
}

impl Way {
    /// The settings that it needs.
    const fn needs(self, names: &Names) -> [Option<&'static str>; 3] {
        match self {
            Self::Basic | Self::Post => [Some(names.client_id), Some(names.client_secret_file), None],
            Self::Bearer => [Some(names.token_file), None, None],
            Self::Mtls => [Some(names.client_id), Some(names.cert_file), Some(names.key_file)],
        }
    }
}

/// Reads them; where `wanted`, those that the way needs are required, and others are a mistake.
pub(super) fn read(settings: &mut Settings, names: &Names, wanted: bool) -> Option<Credentials> {
    let way: Way = settings.parse(names.auth, "basic, post, bearer or mtls").unwrap_or_default();
    let id = settings.text(names.client_id);
    let secret = secret(settings, names.client_secret_file);
    let [token, cert, key] =
        [names.token_file, names.cert_file, names.key_file].map(|name| settings.text(name));
    if !wanted {
        return None;
    }
    let needs = way.needs(names);
    let all = [names.client_id, names.client_secret_file, names.token_file, names.cert_file, names.key_file];
    for name in all {
        match (needs.contains(&Some(name)), settings.is_set(name)) {
            (true, false) => settings.fault(name, format!("is missing: {} needs it", told(names, way))),
            (false, true) => {
                settings.fault(name, format!("has no effect with {}; leave it out", told(names, way)))
            }
            (true, true) | (false, false) => {}
        }
    }
    let authentication = match way {
        Way::Basic => Authentication::Basic(id?),
        Way::Post => Authentication::Post(id?),
        Way::Bearer => Authentication::Bearer,
        Way::Mtls => Authentication::Mtls(id?),
    };
    let certificate =
        cert.zip(key).map(|(cert, key)| CertificateFiles { cert: cert.into(), key: key.into() });
    let authorization = token.map(|path| Authorization::Bearer(path.into()));
    Some(Credentials { authentication, secret, authorization, certificate })
}

fn told(names: &Names, way: Way) -> String {
    let word = match way {
        Way::Basic => "basic",
        Way::Post => "post",
        Way::Bearer => "bearer",
        Way::Mtls => "mtls",
    };
    format!("{}={word}", names.auth)
}

fn secret(settings: &mut Settings, name: &'static str) -> Option<Arc<SecretFile<Secret>>> {
    let path = settings.text(name)?;
    let setting = format!("{}{name}", settings.place());
    SecretFile::one(NamedFile::new(setting, path), line)
        .map(Arc::new)
        .map_err(|fault| settings.fault(name, fault.why))
        .ok()
}

/// One line that is a secret; spaces may be a part of it (RFC 6749 appendix A.2).
pub(super) fn line(content: &[u8]) -> Result<Secret, String> {
    let text = std::str::from_utf8(content).unwrap_or_default().trim_end_matches(['\r', '\n']);
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("expected the client's secret on one line".to_owned());
    }
    Ok(Secret::new(text))
}
