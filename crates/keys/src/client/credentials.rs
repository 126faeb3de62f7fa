//! What a fetch shows of who asks. Files are read at each fetch, since what is in them is replaced while we run
//! (Kubernetes' projected tokens every hour).

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use service::trust::{Authorization, Fetch, FetchNames, header_line};

use super::FetchFault;

/// The largest file of credentials.
const MAX_BYTES: u64 = 64 * 1024;

/// The headers that say who asks.
pub(super) fn read(fetch: &Fetch) -> Result<HeaderMap, FetchFault> {
    let mut headers = HeaderMap::new();
    let mut add = |setting: fn(&FetchNames) -> &'static str, (name, value): (HeaderName, HeaderValue)| {
        if headers.contains_key(&name) {
            let why = format!("{name} is said twice; leave one out");
            return Err(FetchFault { setting: fetch.setting(setting), why });
        }
        headers.insert(name, value);
        Ok(())
    };
    match &fetch.authorization {
        Some(Authorization::Bearer(path)) => {
            let fault = |why| FetchFault { setting: fetch.setting(|names| names.token_file), why };
            let text = text(path).map_err(fault)?;
            add(|names| names.token_file, (AUTHORIZATION, bearer(&text).map_err(fault)?))?;
        }
        Some(Authorization::Basic(path)) => {
            let fault = |why| FetchFault { setting: fetch.setting(|names| names.basic_file), why };
            let text = text(path).map_err(fault)?;
            add(|names| names.basic_file, (AUTHORIZATION, basic(&text).map_err(fault)?))?;
        }
        None => {}
    }
    for (name, value) in &fetch.headers {
        add(|names| names.headers, (name.clone(), value.clone()))?;
    }
    if let Some(path) = &fetch.headers_file {
        let fault = |why| FetchFault { setting: fetch.setting(|names| names.headers_file), why };
        let text = text(path).map_err(fault)?;
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

fn text(path: &Path) -> Result<String, String> {
    let failed = |error| format!("cannot read the file: {error}");
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_BYTES {
        return Err(format!("the file is over {MAX_BYTES} bytes"));
    }
    std::fs::read_to_string(path).map_err(failed)
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
