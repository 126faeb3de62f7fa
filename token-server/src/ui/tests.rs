//! What the page's files may hold, so that its policy (CSP) has nothing to stop, and no text of others is ever read as markup.

use std::collections::BTreeSet;

use super::*;

fn text(file: &File) -> &'static str {
    std::str::from_utf8(file.bytes).unwrap()
}

fn scripts() -> Vec<&'static File> {
    FILES.iter().filter(|file| file.name.ends_with(".js")).collect()
}

/// The names that a script imports, and those that the document loads.
fn loaded(file: &File) -> BTreeSet<&'static str> {
    let quoted = |line: &'static str, before: &str, mark: char| {
        line.split_once(before).and_then(|(_, rest)| rest.split(mark).next())
    };
    let imports = text(file).lines().filter_map(|line| quoted(line, "from './", '\''));
    let linked = text(file)
        .lines()
        .flat_map(|line| [quoted(line, "src=\"", '"'), quoted(line, "href=\"", '"')].into_iter().flatten());
    if file.name.is_empty() {
        linked.filter(|name| !name.starts_with('#')).collect()
    } else {
        imports.collect()
    }
}

#[test]
fn each_file_is_loaded_by_another_and_each_that_is_loaded_is_there() {
    let served: BTreeSet<&str> = FILES.iter().map(|file| file.name).filter(|name| !name.is_empty()).collect();
    assert_eq!(served.len() + 1, FILES.len(), "a name comes twice");
    let loaded: BTreeSet<&str> = FILES.iter().flat_map(loaded).collect();
    assert_eq!(served, loaded);
}

#[test]
fn the_document_has_no_script_and_no_style_of_its_own() {
    let document = text(&FILES[0]);
    for line in document.lines() {
        let line = line.trim();
        assert!(!line.contains("<script") || line.contains("src=\"page.js\"></script>"), "{line}");
        assert!(!line.contains("<style") && !line.contains(" style="), "{line}");
        assert!(!line.contains(" on"), "a listener in markup: {line}");
    }
}

#[test]
fn no_script_makes_markup_or_code_of_a_text_stores_anything_or_speaks_with_another_origin() {
    for file in scripts() {
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "DOMParser",
            "createContextualFragment",
            "srcdoc",
            "eval(",
            "new Function",
            "setAttribute('style",
            "localStorage",
            "sessionStorage",
            "indexedDB",
            "document.cookie",
            "http://",
            "https://",
            "XMLHttpRequest",
            "EventSource",
            "new WebSocket",
            "sendBeacon",
            "window.open",
        ] {
            assert!(!text(file).contains(word), "{} has {word}", file.name);
        }
    }
}

#[test]
fn no_script_imports_one_that_imports_it_again() {
    let mut rest: Vec<(&str, BTreeSet<&str>)> =
        scripts().into_iter().map(|file| (file.name, loaded(file))).collect();
    while !rest.is_empty() {
        let names: BTreeSet<&str> = rest.iter().map(|(name, _)| *name).collect();
        let before = rest.len();
        rest.retain(|(_, imports)| imports.iter().any(|name| names.contains(name)));
        assert!(rest.len() < before, "a circle among {names:?}");
    }
}
