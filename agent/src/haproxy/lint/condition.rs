//! What stands behind `if` and `unless`: alternatives of terms that must all hold.

/// One term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    pub is_negated: bool,
    pub test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// An ACL by its name.
    Named(String),
    /// What stands between braces.
    Anonymous(Vec<String>),
}

impl Term {
    /// As it is written.
    pub fn text(&self) -> String {
        let not = if self.is_negated { "!" } else { "" };
        match &self.test {
            Test::Named(name) => format!("{not}{name}"),
            Test::Anonymous(words) => format!("{not}{{ {} }}", words.join(" ")),
        }
    }
}

/// When a rule counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Condition {
    /// It begins with `unless`.
    pub is_unless: bool,
    /// One of them must hold; none: always.
    pub alternatives: Vec<Vec<Term>>,
}

impl Condition {
    /// Splits a rule's words: what it does, and when.
    pub fn split(words: &[String]) -> (&[String], Self) {
        let mut depth = 0_usize;
        for (index, word) in words.iter().enumerate() {
            match word.as_str() {
                "{" | "!{" => depth = depth.saturating_add(1),
                "}" => depth = depth.saturating_sub(1),
                "if" | "unless" if depth == 0 && index.saturating_add(1) < words.len() => {
                    let (action, condition) = words.split_at(index);
                    let terms = condition.get(1..).unwrap_or_default();
                    return (action, Self { is_unless: word == "unless", alternatives: alternatives(terms) });
                }
                _ => {}
            }
        }
        (words, Self::default())
    }

    pub fn is_always(&self) -> bool {
        self.alternatives.is_empty()
    }

    pub fn terms(&self) -> impl Iterator<Item = &Term> {
        self.alternatives.iter().flatten()
    }
}

fn alternatives(words: &[String]) -> Vec<Vec<Term>> {
    let mut found = vec![Vec::new()];
    let mut anonymous: Option<(bool, Vec<String>)> = None;
    let mut is_negated = false;
    let push = |found: &mut Vec<Vec<Term>>, term| {
        if let Some(last) = found.last_mut() {
            last.push(term);
        }
    };
    for word in words {
        if let Some((is_negated, inside)) = &mut anonymous {
            if word == "}" {
                push(
                    &mut found,
                    Term { is_negated: *is_negated, test: Test::Anonymous(std::mem::take(inside)) },
                );
                anonymous = None;
            } else {
                inside.push(word.clone());
            }
            continue;
        }
        match word.as_str() {
            "||" | "or" => found.push(Vec::new()),
            "!" => is_negated = !is_negated,
            "{" => anonymous = Some((std::mem::take(&mut is_negated), Vec::new())),
            "!{" => anonymous = Some((!std::mem::take(&mut is_negated), Vec::new())),
            name => {
                let bare = name.trim_start_matches('!');
                let marks = name.len().saturating_sub(bare.len());
                let is_negated = (marks % 2 == 1) != std::mem::take(&mut is_negated);
                push(&mut found, Term { is_negated, test: Test::Named(bare.to_owned()) });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_what_it_does_and_alternatives_of_terms() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let rule = words("deny status 401 unless a !b || { path if } or !{ x } ! c");
        let (action, condition) = Condition::split(&rule);
        assert_eq!(action, words("deny status 401"));
        assert!(condition.is_unless);
        let texts: Vec<Vec<String>> =
            condition.alternatives.iter().map(|terms| terms.iter().map(Term::text).collect()).collect();
        assert_eq!(texts, [vec!["a", "!b"], vec!["{ path if }"], vec!["!{ x }", "!c"]]);
        assert!(Condition::split(&words("deny")).1.is_always());
    }
}
