//! Secrets in files, read again while the program runs: bearer tokens, certificates, keys.
//!
//! A file that cannot be used changes nothing: what it said before stays in use, the log tells the file and the cause
//! once, and a metric shows it until the file is mended. Files that belong together, such as a certificate and its key, are
//! read together: between the moments at which the one and the other are replaced they do not fit, and that is no news to
//! anybody.

mod fresh;
mod metrics;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;

pub use fresh::SecretFiles;
pub use metrics::SecretMetrics;

/// Bytes of one file: a bundle of certificates, or keys by the dozen.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// A file, and the setting that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// The setting.
    pub setting: String,
    /// The file.
    pub path: PathBuf,
}

impl NamedFile {
    /// A file that this setting names.
    pub fn new(setting: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self { setting: setting.into(), path: path.into() }
    }
}

/// Why a file cannot be used, without a word of what it holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {why}")]
pub struct FileFault {
    /// The setting that names the file.
    pub setting: String,
    /// The file.
    pub path: PathBuf,
    /// Cause and cure.
    pub why: String,
}

/// What is wrong with the content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// The setting that names the file.
    pub setting: String,
    /// Cause and cure, without a word of what it holds.
    pub why: String,
}

impl Unusable {
    /// In the file of this setting.
    pub fn new(setting: impl Into<String>, why: impl Into<String>) -> Self {
        Self { setting: setting.into(), why: why.into() }
    }
}

type Parse<T> = Box<dyn Fn(&[Vec<u8>]) -> Result<T, Unusable> + Send + Sync>;

/// What files say, as they were last read well.
pub struct SecretFile<T> {
    files: Vec<NamedFile>,
    parse: Parse<T>,
    current: ArcSwap<T>,
    last: Mutex<Last>,
    metrics: OnceLock<SecretMetrics>,
}

/// What was read last.
struct Last {
    /// The bytes that are in use: the same again are no news.
    good: Vec<Vec<u8>>,
    /// Why what was read since cannot be used.
    fault: Option<FileFault>,
}

/// Files that can be read again.
pub trait Reload: Send + Sync {
    /// Reads the files, and says whether something else is valid now. What cannot be used is told in the log, and changes
    /// nothing.
    fn reload(&self) -> bool;

    /// The files.
    fn files(&self) -> &[NamedFile];

    /// Shows in these metrics whether the files can be used.
    fn report_to(&self, metrics: &SecretMetrics);
}

impl<T> SecretFile<T> {
    /// Reads files that belong together for the first time. `parse` gets their bytes in the same order.
    ///
    /// # Errors
    ///
    /// The first that cannot be used.
    pub fn load(
        files: Vec<NamedFile>,
        parse: impl Fn(&[Vec<u8>]) -> Result<T, Unusable> + Send + Sync + 'static,
    ) -> Result<Self, FileFault> {
        let parse: Parse<T> = Box::new(parse);
        let good = read(&files)?;
        let current = parse(&good).map_err(|unusable| fault(&files, unusable))?;
        let last = Mutex::new(Last { good, fault: None });
        let current = ArcSwap::from_pointee(current);
        Ok(Self { files, parse, current, last, metrics: OnceLock::new() })
    }

    /// Reads a single file for the first time.
    ///
    /// # Errors
    ///
    /// Why it cannot be used.
    pub fn one(
        file: NamedFile,
        parse: impl Fn(&[u8]) -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Self, FileFault> {
        let setting = file.setting.clone();
        Self::load(vec![file], move |bytes| {
            let bytes = bytes.first().map(Vec::as_slice).unwrap_or_default();
            parse(bytes).map_err(|why| Unusable::new(setting.clone(), why))
        })
    }

    /// What is valid now.
    pub fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Why the files cannot be used as they are now, so that what they said before is in use.
    pub fn fault(&self) -> Option<FileFault> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).fault.clone()
    }

    fn refuse(&self, last: &mut Last, fault: FileFault) {
        if last.fault.as_ref() == Some(&fault) {
            return;
        }
        let FileFault { setting, path, why } = &fault;
        let path = path.display();
        tracing::error!(setting, %path, why, "files cannot be used; what they said before stays valid");
        if let Some(metrics) = self.metrics.get() {
            metrics.refused(setting);
        }
        self.mend(last);
        if let Some(metrics) = self.metrics.get() {
            metrics.shows(&fault.setting, 1);
        }
        last.fault = Some(fault);
    }

    fn mend(&self, last: &mut Last) {
        let Some(before) = last.fault.take() else { return };
        if let Some(metrics) = self.metrics.get() {
            metrics.shows(&before.setting, -1);
        }
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.files.iter().map(|file| file.setting.as_str()).collect();
        names.join(", ")
    }
}

impl<T: Send + Sync> Reload for SecretFile<T> {
    fn reload(&self) -> bool {
        // Held throughout, so that an older reading never overtakes a newer one.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = match read(&self.files) {
            Ok(bytes) => bytes,
            Err(fault) => {
                self.refuse(&mut last, fault);
                return false;
            }
        };
        if bytes == last.good {
            if last.fault.is_some() {
                tracing::info!(setting = self.names(), "files hold again what is in use");
                self.mend(&mut last);
            }
            return false;
        }
        match (self.parse)(&bytes) {
            Ok(new) => {
                self.current.store(Arc::new(new));
                last.good = bytes;
                self.mend(&mut last);
                tracing::info!(setting = self.names(), "files were read again");
                if let (Some(metrics), Some(file)) = (self.metrics.get(), self.files.first()) {
                    metrics.applied(&file.setting);
                }
                true
            }
            Err(unusable) => {
                self.refuse(&mut last, fault(&self.files, unusable));
                false
            }
        }
    }

    fn files(&self) -> &[NamedFile] {
        &self.files
    }

    fn report_to(&self, metrics: &SecretMetrics) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if self.metrics.set(metrics.clone()).is_err() {
            return;
        }
        for file in &self.files {
            metrics.begins(&file.setting);
        }
        if let Some(fault) = &last.fault {
            metrics.shows(&fault.setting, 1);
        }
    }
}

impl<T> Drop for SecretFile<T> {
    /// Files that are used no longer are no operator's concern.
    fn drop(&mut self) {
        let last = self.last.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let (Some(fault), Some(metrics)) = (last.fault.take(), self.metrics.get()) {
            metrics.shows(&fault.setting, -1);
        }
    }
}

impl<T> fmt::Debug for SecretFile<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SecretFile").field("files", &self.files).finish_non_exhaustive()
    }
}

fn fault(files: &[NamedFile], Unusable { setting, why }: Unusable) -> FileFault {
    let path = files.iter().find(|file| file.setting == setting).map(|file| file.path.clone());
    FileFault { setting, path: path.unwrap_or_default(), why }
}

fn read(files: &[NamedFile]) -> Result<Vec<Vec<u8>>, FileFault> {
    let failed = |file: &NamedFile, error: &io::Error| FileFault {
        setting: file.setting.clone(),
        path: file.path.clone(),
        why: format!("cannot read the file: {error}"),
    };
    files.iter().map(|file| read_one(&file.path).map_err(|error| failed(file, &error))).collect()
}

fn read_one(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read > MAX_FILE_BYTES) {
        return Err(io::Error::other(format!("it is larger than {MAX_FILE_BYTES} bytes")));
    }
    Ok(bytes)
}
