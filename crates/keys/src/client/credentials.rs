//! What a fetch shows of who asks: headers, some of them from files.

use crate::trust::{Authorization, Fetch, FetchNames, header_line};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use service::secret_file::{FileFault, NamedFile, SecretFile, Unusable};

/// The largest file of credentials.
const MAX_BYTES: usize = 64 * 1024;

/// The name of a setting.
type Setting = fn(&FetchNames) -> &'static str;

/// The headers that say who asks, as the files say.
pub(super) fn load(fetch: &Fetch) -> Result<SecretFile<HeaderMap>, FileFault> {
    let mut files = Vec::new();
    files.extend(fetch.authorization.as_ref().map(|authorization| match authorization {
        Authorization::Bearer(path) => NamedFile::new(fetch.setting(|names| names.token_file), path),
        Authorization::Basic(path) => NamedFile::new(fetch.setting(|names| names.basic_file), path),
    }));
    let lines = fetch.headers_file.as_ref();
    files.extend(lines.map(|path| NamedFile::new(fetch.setting(|names| names.headers_file), path)));
    let fetch = fetch.clone();
    SecretFile::load(files, move |files| headers(&fetch, files))
}

fn headers(fetch: &Fetch, files: &[Vec<u8>]) -> Result<HeaderMap, Unusable> {
    let mut files = files.iter();
    let mut headers = HeaderMap::new();
    let unusable = |setting: Setting, why: String| Unusable::new(fetch.setting(setting), why);
    let mut add = |setting: Setting, (name, value): (HeaderName, HeaderValue)| {
        if headers.contains_key(&name) {
            return Err(unusable(setting, format!("{name} is said twice; leave one out")));
        }
        headers.insert(name, value);
        Ok(())
    };
    if let Some(authorization) = &fetch.authorization {
        let text = files.next().map_or(Ok(""), |file| text(file));
        let (setting, value): (Setting, _) = match authorization {
            Authorization::Bearer(_) => (|names| names.token_file, text.and_then(bearer)),
            Authorization::Basic(_) => (|names| names.basic_file, text.and_then(basic)),
        };
        add(setting, (AUTHORIZATION, value.map_err(|why| unusable(setting, why))?))?;
    }
    for (name, value) in &fetch.headers {
        add(|names| names.headers, (name.clone(), value.clone()))?;
    }
    if fetch.headers_file.is_some() {
        let fault = |why| unusable(|names| names.headers_file, why);
        let text = files.next().map_or(Ok(""), |file| text(file)).map_err(fault)?;
        let mut lines =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).peekable();
        if lines.peek().is_none() {
            return Err(fault("the file holds no header".to_owned()));
        }
        for line in lines {
            add(
                |names| names.headers_file,
                header_line(line).map_err(|why| fault(format!("in the file: {why}")))?,
            )?;
        }
    }
    Ok(headers)
}

fn text(file: &[u8]) -> Result<&str, String> {
    if file.len() > MAX_BYTES {
        return Err(format!("the file is over {MAX_BYTES} bytes"));
    }
    std::str::from_utf8(file).map_err(|_| "the file is not UTF-8".to_owned())
}

fn bearer(text: &str) -> Result<HeaderValue, String> {
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("expected one bearer token in the file".to_owned());
    }
    hidden(&format!("Bearer {token}"))
}

fn basic(text: &str) -> Result<HeaderValue, String> {
    let pair = text.trim_end_matches(['\r', '\n']);
    if !pair.contains(':') || pair.contains(char::is_control) {
        return Err("expected user:password on one line in the file".to_owned());
    }
    hidden(&format!("Basic {}", STANDARD.encode(pair)))
}

fn hidden(value: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(value).map_err(|_| "holds what no header may".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}
