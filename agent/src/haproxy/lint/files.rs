//! The files that are looked at: those that were given, and the SPOE files that they name.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::finding::Place;
use super::sections::Text;
use super::spoe::is_spoe;

/// The texts that are looked at: configurations, then SPOE files.
#[derive(Debug)]
pub struct Files {
    texts: Vec<Text>,
    configurations: usize,
    /// Where a SPOE file stands among them, by the name that it has there.
    spoe: BTreeMap<String, usize>,
}

impl Files {
    /// Takes what was given, in any order.
    pub fn new(given: Vec<Text>) -> Self {
        let (spoe, configurations): (Vec<_>, Vec<_>) =
            given.into_iter().partition(|text| is_spoe(&text.text));
        let mut files =
            Self { configurations: configurations.len(), spoe: BTreeMap::new(), texts: configurations };
        for text in spoe {
            files.spoe.insert(text.name.clone(), files.texts.len());
            files.texts.push(text);
        }
        files
    }

    /// What they are called.
    pub fn names(&self) -> Vec<String> {
        self.texts.iter().map(|text| text.name.clone()).collect()
    }

    /// One of them.
    pub fn text(&self, index: usize) -> Option<&Text> {
        self.texts.get(index)
    }

    /// Those that are one configuration.
    pub fn configurations(&self) -> &[Text] {
        self.texts.get(..self.configurations).unwrap_or_default()
    }

    /// The SPOE file that a line of a configuration names: one that was given, or one on this machine.
    pub fn spoe(&mut self, named: &str, place: Place) -> Option<usize> {
        let named = Path::new(named);
        let same =
            |name: &String| Path::new(name) == named || Path::new(name).file_name() == named.file_name();
        if let Some((_, index)) = self.spoe.iter().find(|(name, _)| same(name)) {
            return Some(*index);
        }
        let beside = self.texts.get(place.file).and_then(|text| {
            let folder = Path::new(&text.name).parent()?;
            Some(folder.join(named.file_name()?))
        });
        let found = [Some(named.to_owned()), beside].into_iter().flatten().find_map(|path| {
            let text = fs::read_to_string(&path).ok()?;
            Some(Text { name: path.display().to_string(), text })
        })?;
        let index = self.texts.len();
        self.spoe.insert(found.name.clone(), index);
        self.texts.push(found);
        Some(index)
    }
}
