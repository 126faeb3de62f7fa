//! Markdown as a terminal shows it.

/// How a link begins that only leads further.
const MORE: &str = " ([more](";

/// A text of one line without the marks of Markdown: of a link its words, of code what stands in it.
pub fn plain(markdown: &str) -> String {
    let mut text = String::with_capacity(markdown.len());
    let further =
        markdown.split_once(MORE).and_then(|(before, after)| Some((before, after.split_once("))")?.1)));
    let markdown = further.map_or_else(|| markdown.to_owned(), |(before, after)| format!("{before}{after}"));
    let mut rest = markdown.as_str();
    while let Some((before, after)) = rest.split_once('[') {
        let link =
            after.split_once("](").and_then(|(words, behind)| Some((words, behind.split_once(')')?.1)));
        text.push_str(before);
        match link.filter(|(words, _)| !words.contains(['[', ']', '`'])) {
            Some((words, behind)) => {
                text.push_str(words);
                rest = behind;
            }
            None => {
                text.push('[');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text.replace("**", "").replace('`', "")
}

/// Lines of at most `width` letters; a word that is longer has a line of its own.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count().saturating_add(word.chars().count()) < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
