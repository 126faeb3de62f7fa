//! How an authorization server is told who asks.

use std::sync::Arc;

use ::keys::trust::{Authorization, CertificateFiles};
use jose::SigningKey;
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
    /// An assertion that the client's key signs for each question (RFC 7523 section 2.2).
    PrivateKeyJwt {
        /// The client ID.
        client: String,
        /// By which `kid` the server knows the key; absent: by the one of its JWK, if it is one.
        kid: Option<String>,
    },
    /// A bearer token (RFC 7662 section 2.1).
    Bearer,
    /// A client ID in the form, and a certificate (RFC 8705 section 2).
    Mtls(String),
}

impl Authentication {
    /// The client ID, if who asks has one.
    pub(super) fn client(&self) -> Option<&str> {
        match self {
            Self::Basic(client) | Self::Post(client) | Self::Mtls(client) => Some(client),
            Self::PrivateKeyJwt { client, .. } => Some(client),
            Self::Bearer => None,
        }
    }
}

/// What is read for one server.
pub(super) struct Credentials {
    pub(super) authentication: Authentication,
    pub(super) secret: Option<Arc<SecretFile<Secret>>>,
    pub(super) key: Option<Arc<SecretFile<SigningKey>>>,
    pub(super) authorization: Option<Authorization>,
    pub(super) certificate: Option<CertificateFiles>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Way {
    #[default]
    Basic,
    Post,
    PrivateKeyJwt,
    Bearer,
    Mtls,
}

impl Way {
    const ALL: [Self; 5] = [Self::Basic, Self::Post, Self::PrivateKeyJwt, Self::Bearer, Self::Mtls];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Post => "post",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::Bearer => "bearer",
            Self::Mtls => "mtls",
        }
    }

    /// The settings that it needs.
    const fn needs(self, names: &Names) -> [Option<&'static str>; 3] {
        match self {
            Self::Basic | Self::Post => [Some(names.client_id), Some(names.client_secret_file), None],
            Self::PrivateKeyJwt => [Some(names.client_id), Some(names.key_file), None],
            Self::Bearer => [Some(names.token_file), None, None],
            Self::Mtls => [Some(names.client_id), Some(names.cert_file), Some(names.key_file)],
        }
    }

    /// The setting that it can do without.
    const fn may_have(self, names: &Names) -> Option<&'static str> {
        match self {
            Self::PrivateKeyJwt => Some(names.key_id),
            Self::Basic | Self::Post | Self::Bearer | Self::Mtls => None,
        }
    }
}

/// Reads them; where `wanted`, those that the way needs are required, and others are a mistake.
pub(super) fn read(settings: &mut Settings, names: &Names, wanted: bool) -> Option<Credentials> {
    let way = settings.word(names.auth, &Way::ALL.map(|way| (way.as_str(), way))).unwrap_or_default();
    let [id, kid, token, cert, key] =
        [names.client_id, names.key_id, names.token_file, names.cert_file, names.key_file]
            .map(|name| settings.text(name));
    let secret = secret_file(settings, names.client_secret_file, line);
    if !wanted {
        return None;
    }
    let needs = way.needs(names);
    let all = [
        names.client_id,
        names.client_secret_file,
        names.token_file,
        names.cert_file,
        names.key_file,
        names.key_id,
    ];
    for name in all {
        let told = format!("{}={}", names.auth, way.as_str());
        match (needs.contains(&Some(name)), settings.is_set(name)) {
            (true, false) => settings.fault(name, format!("is missing: {told} needs it")),
            (false, true) if way.may_have(names) != Some(name) => {
                settings.fault(name, format!("has no effect with {told}; leave it out"));
            }
            (true, true) | (false, true | false) => {}
        }
    }
    let signs = way == Way::PrivateKeyJwt;
    let authentication = match way {
        Way::Basic => Authentication::Basic(id?),
        Way::Post => Authentication::Post(id?),
        Way::PrivateKeyJwt => Authentication::PrivateKeyJwt { client: id?, kid },
        Way::Bearer => Authentication::Bearer,
        Way::Mtls => Authentication::Mtls(id?),
    };
    let certificate =
        cert.zip(key).map(|(cert, key)| CertificateFiles { cert: cert.into(), key: key.into() });
    let authorization = token.map(|path| Authorization::Bearer(path.into()));
    let key = signs.then(|| secret_file(settings, names.key_file, signing_key)).flatten();
    Some(Credentials { authentication, secret, key, authorization, certificate })
}

fn secret_file<T: 'static>(
    settings: &mut Settings,
    name: &'static str,
    parse: fn(&[u8]) -> Result<T, String>,
) -> Option<Arc<SecretFile<T>>> {
    let path = settings.text(name)?;
    let setting = format!("{}{name}", settings.place());
    SecretFile::one(NamedFile::new(setting, path), parse)
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

fn signing_key(content: &[u8]) -> Result<SigningKey, String> {
    SigningKey::parse(content).map_err(|error| error.to_string())
}
