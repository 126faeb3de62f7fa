//! The page for operators: its files, as they are sent. They hold nothing but themselves: what the page shows it asks of the
//! admin API, as any client does, with what its user has shown. Knows no HTTP.

#[cfg(test)]
mod tests;

/// A file of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct File {
    /// Its name behind `/ui/`; the document itself has none.
    pub(crate) name: &'static str,
    pub(crate) media_type: &'static str,
    pub(crate) bytes: &'static [u8],
}

const FILES: &[File] = &[
    of("", "text/html; charset=utf-8", include_bytes!("ui/page.html")),
    of("page.css", "text/css; charset=utf-8", include_bytes!("ui/page.css")),
    of("icon.svg", "image/svg+xml", include_bytes!("ui/icon.svg")),
    script("page.js", include_bytes!("ui/page.js")),
    script("api.js", include_bytes!("ui/api.js")),
    script("dom.js", include_bytes!("ui/dom.js")),
    script("words.js", include_bytes!("ui/words.js")),
    script("rules.js", include_bytes!("ui/rules.js")),
    script("measures.js", include_bytes!("ui/measures.js")),
    script("overview.js", include_bytes!("ui/overview.js")),
    script("live.js", include_bytes!("ui/live.js")),
    script("revoke.js", include_bytes!("ui/revoke.js")),
    script("revoked.js", include_bytes!("ui/revoked.js")),
    script("audit.js", include_bytes!("ui/audit.js")),
    script("explain.js", include_bytes!("ui/explain.js")),
    script("keys.js", include_bytes!("ui/keys.js")),
    script("agents.js", include_bytes!("ui/agents.js")),
    script("signals.js", include_bytes!("ui/signals.js")),
];

const fn of(name: &'static str, media_type: &'static str, bytes: &'static [u8]) -> File {
    File { name, media_type, bytes }
}

const fn script(name: &'static str, bytes: &'static [u8]) -> File {
    of(name, "text/javascript; charset=utf-8", bytes)
}

/// The file of that name.
pub(crate) fn file(name: &str) -> Option<File> {
    FILES.iter().find(|file| file.name == name).copied()
}
