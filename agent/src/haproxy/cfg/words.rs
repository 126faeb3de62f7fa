//! A line of haproxy.cfg as words, with the manual's quoting (section 2.2). What stands for a variable is put in later.

/// A part of a word: text, or a variable that HAProxy would have put in, with what stands for it where it is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::haproxy) enum Piece {
    Text(String),
    Variable(String, String),
}

/// Splits a line into words as HAProxy does. White space of ASCII separates, and `#` outside of quotes ends the line. `'..'` is
/// literal. Elsewhere `\` makes blanks, quotes, `#` and itself plain, and between double quotes `$` too; `\n`, `\r`, `\t` and
/// `\x41` stand for a character; before any other it is a character itself. `".."` expands `$NAME`, `${NAME}` and
/// `${NAME-default}`.
pub(in crate::haproxy) fn split_words(line: &str) -> Result<Vec<Vec<Piece>>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut is_quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\x0b' | '\x0c' | '\r' if !is_quoted => words.extend(word.take().map(Word::finish)),
            '#' if !is_quoted => break,
            '\\' => {
                let escaped = escape(&mut chars, is_quoted)?;
                word.get_or_insert_default().text.push_str(&escaped);
            }
            '\'' if !is_quoted => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or("a single quote is not closed")? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            '$' if is_quoted => {
                let (name, default) = variable(&mut chars)?;
                word.get_or_insert_default().variable(name, default);
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    if is_quoted {
        return Err("a double quote is not closed");
    }
    words.extend(word.map(Word::finish));
    Ok(words)
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// What stands for a backslash and what follows it.
fn escape(chars: &mut Chars<'_>, is_quoted: bool) -> Result<String, &'static str> {
    let simple = |c| match c {
        ' ' | '\\' | '#' | '\'' | '"' => Some(c),
        '$' if is_quoted => Some(c),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        _ => None,
    };
    if let Some(c) = chars.peek().copied().and_then(simple) {
        chars.next();
        return Ok(c.into());
    }
    if chars.next_if_eq(&'x').is_none() {
        return Ok("\\".to_owned());
    }
    const HEX: &str = "\\x is not followed by two hexadecimal digits of an ASCII character";
    let mut digit = || chars.next().and_then(|c| c.to_digit(16)).ok_or(HEX);
    let code = digit()? * 16 + digit()?;
    u8::try_from(code)
        .ok()
        .filter(|code| code.is_ascii() && *code != 0)
        .map(|code| char::from(code).into())
        .ok_or(HEX)
}

/// The name behind a `$`, and what stands for it where it is not set.
fn variable(chars: &mut Chars<'_>) -> Result<(String, String), &'static str> {
    let has_braces = chars.next_if_eq(&'{').is_some();
    let (mut name, mut default) = (String::new(), String::new());
    if !chars.peek().is_some_and(|c| c.is_ascii_alphabetic() || *c == '_') {
        return Err("a variable's name begins with a letter or _; a $ that is none is written \\$");
    }
    while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
        name.push(c);
    }
    if has_braces {
        if chars.peek() == Some(&'[') {
            return Err("${NAME[*]} may stand for several words; write the value here");
        }
        if chars.next_if_eq(&'-').is_some() {
            while let Some(c) = chars.next_if(|c| *c != '}') {
                default.push(c);
            }
        }
        chars.next_if_eq(&'}').ok_or("${NAME} is not closed")?;
    }
    Ok((name, default))
}

#[derive(Default)]
struct Word {
    pieces: Vec<Piece>,
    text: String,
}

impl Word {
    fn push(&mut self, c: char) {
        self.text.push(c);
    }

    fn variable(&mut self, name: String, default: String) {
        if !self.text.is_empty() {
            self.pieces.push(Piece::Text(std::mem::take(&mut self.text)));
        }
        self.pieces.push(Piece::Variable(name, default));
    }

    fn finish(mut self) -> Vec<Piece> {
        if !self.text.is_empty() || self.pieces.is_empty() {
            self.pieces.push(Piece::Text(self.text));
        }
        self.pieces
    }
}

/// The word, if it holds no variable.
pub(in crate::haproxy) fn plain(word: &[Piece]) -> Option<&str> {
    match word {
        [Piece::Text(text)] => Some(text),
        _ => None,
    }
}
