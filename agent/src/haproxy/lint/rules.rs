//! The rules of a proxy, and what they say of the agent's answer.

use super::condition::{Condition, Term, Test};
use super::sections::{Line, Proxy};

/// A line `http-request ..`.
#[derive(Debug, Clone)]
pub struct Rule<'a> {
    pub line: &'a Line,
    pub action: &'a [String],
    pub when: Condition,
}

impl Rule<'_> {
    pub fn verb(&self) -> &str {
        self.action.first().map_or("", String::as_str)
    }

    /// The word behind another one.
    pub fn value(&self, name: &str) -> Option<&str> {
        let position = self.action.iter().position(|word| word == name)?;
        self.action.get(position.saturating_add(1)).map(String::as_str)
    }

    /// `set-var(NAME)` or `set-var-fmt(NAME)`: the name, and what it is set to.
    pub fn sets(&self) -> Option<(&str, String)> {
        let rest =
            self.verb().strip_prefix("set-var(").or_else(|| self.verb().strip_prefix("set-var-fmt("))?;
        let name = rest.strip_suffix(')')?.split(',').next()?;
        Some((name, self.action.get(1..).unwrap_or_default().join(" ")))
    }

    /// The status of an answer of HAProxy's own.
    fn status(&self) -> u16 {
        let given = self.value("status").or_else(|| self.value("deny_status"));
        given.and_then(|text| text.parse().ok()).unwrap_or(200)
    }

    /// Whether the request does not go on.
    pub fn refuses(&self) -> bool {
        match self.verb() {
            "deny" | "tarpit" | "reject" | "silent-drop" | "redirect" | "auth" => true,
            "return" => self.status() >= 400,
            _ => false,
        }
    }

    /// Whether it answers with what HAProxy itself has, or lets the request by the rules below.
    pub fn admits(&self) -> bool {
        let has_content = ["file", "lf-file"].iter().any(|word| self.value(word).is_some());
        match self.verb() {
            "allow" | "use-service" => true,
            "return" => self.status() < 400 && has_content,
            _ => false,
        }
    }
}

/// The `http-request` rules of a proxy, in their order.
pub fn rules(proxy: &Proxy) -> Vec<Rule<'_>> {
    proxy
        .with(&["http-request"])
        .map(|line| {
            let (action, when) = Condition::split(line.from(1));
            Rule { line, action, when }
        })
        .collect()
}

/// What is known of the answer where the token is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// There is none: the agent is down, late or broken.
    Absent,
    /// It says that the token is refused.
    Refused,
}

/// What a term says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// The token is good.
    Good,
    /// There is an answer.
    Found,
    /// The token is refused.
    Bad,
    /// It always holds.
    Always,
    /// An exception of our kind.
    Exception,
    /// Something else.
    Other,
}

impl Says {
    /// Whether it holds for an answer that is not good; unknown for what says nothing of it.
    fn holds(self, answer: Answer) -> Option<bool> {
        match (self, answer) {
            (Self::Good, _) | (Self::Found | Self::Bad, Answer::Absent) => Some(false),
            (Self::Found | Self::Bad, Answer::Refused) | (Self::Always, _) => Some(true),
            (Self::Exception | Self::Other, _) => None,
        }
    }
}

/// Reads terms of one proxy.
#[derive(Debug)]
pub struct Reader<'a> {
    pub proxy: &'a Proxy,
    /// What the variables begin with, such as `txn.tkn`.
    pub stem: String,
}

/// How much of what is not good a rule refuses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage {
    pub absent: bool,
    pub refused: bool,
    /// What else must hold, or must not, where it would refuse more otherwise.
    pub unless: Option<String>,
}

impl<'a> Reader<'a> {
    /// The words of each definition of an ACL, those of the `defaults` included.
    pub fn definitions(&self, name: &str) -> Vec<&'a Line> {
        self.proxy.lines.iter().filter(|line| line.begins(&["acl", name])).collect()
    }

    pub fn says(&self, term: &Term) -> Says {
        match &term.test {
            Test::Anonymous(words) => self.words_say(words),
            Test::Named(name) if name == "TRUE" => Says::Always,
            Test::Named(name) => {
                let definitions = self.definitions(name);
                let mut said = definitions.iter().map(|line| self.words_say(line.from(2)));
                // One of several is enough for HAProxy: `acl-ored` tells where the others say something else.
                let about = said.find(|says| !matches!(says, Says::Other | Says::Exception | Says::Always));
                match about {
                    Some(about) => about,
                    None if name.starts_with("tkn_") => Says::Exception,
                    None => Says::Other,
                }
            }
        }
    }

    fn words_say(&self, words: &[String]) -> Says {
        let Some((sample, rest)) = words.split_first() else { return Says::Other };
        let valid = format!("var({}.valid)", self.stem);
        let reason = format!("var({}.reason)", self.stem);
        let rest: Vec<&str> =
            rest.iter().map(String::as_str).filter(|word| !["-i", "--"].contains(word)).collect();
        if *sample == "always_true" || (*sample == "bool(true)") {
            return Says::Always;
        }
        if *sample == valid {
            return match rest.as_slice() {
                ["-m", "found"] => Says::Found,
                ["-m", "bool"]
                | ["-m", "bool" | "str" | "int", "1" | "true"]
                | ["-m", "int", "eq", "1"]
                | ["-m", "int", "gt", "0"]
                | ["eq", "1"]
                | ["gt", "0"] => Says::Good,
                ["-m", "bool" | "str" | "int", "0" | "false"] | ["-m", "int", "eq", "0"] | ["eq", "0"] => {
                    Says::Bad
                }
                _ => Says::Other,
            };
        }
        if *sample == reason {
            return match rest.as_slice() {
                ["-m", "found"] => Says::Found,
                ["-m", "str", "ok"] => Says::Good,
                _ => Says::Other,
            };
        }
        Says::Other
    }

    /// Whether a rule does nothing where the token is not good.
    pub fn needs_a_good_token(&self, when: &Condition) -> bool {
        let is_good = |term: &Term| self.says(term) == Says::Good && !term.is_negated;
        if when.is_unless {
            return when.alternatives.iter().any(|terms| {
                matches!(terms.as_slice(), [term] if self.says(term) == Says::Good && term.is_negated)
            });
        }
        !when.is_always() && when.alternatives.iter().all(|terms| terms.iter().any(is_good))
    }

    /// Whether a rule is for what a named condition of ours (`tkn_...`) says to be open.
    pub fn is_declared_open(&self, when: &Condition) -> bool {
        let is_declared = |term: &Term| self.says(term) == Says::Exception && !term.is_negated;
        !when.is_unless
            && !when.is_always()
            && when.alternatives.iter().all(|terms| terms.iter().any(is_declared))
    }

    /// What a refusing rule refuses.
    pub fn coverage(&self, when: &Condition) -> Coverage {
        if when.is_always() {
            return Coverage { absent: true, refused: true, unless: None };
        }
        let mut coverage = Coverage::default();
        if when.is_unless {
            let passes = |answer| {
                when.alternatives
                    .iter()
                    .find(|terms| !self.is_false(terms, answer) && !self.is_exception(terms))
            };
            let says_something = when.terms().any(|term| self.says(term) == Says::Good);
            if !says_something {
                return coverage;
            }
            let [absent, refused] = [Answer::Absent, Answer::Refused].map(passes);
            coverage.absent = absent.is_none();
            coverage.refused = refused.is_none();
            coverage.unless = absent.or(refused).map(|terms| texts(terms.iter()));
            return coverage;
        }
        for terms in &when.alternatives {
            let about: Vec<_> = terms.iter().filter(|term| self.known(term)).collect();
            let others: Vec<_> = terms
                .iter()
                .filter(|term| match self.says(term) {
                    Says::Other => true,
                    Says::Exception => !term.is_negated,
                    Says::Good | Says::Found | Says::Bad | Says::Always => false,
                })
                .collect();
            if about.is_empty() {
                continue;
            }
            let fires = |answer| about.iter().all(|term| self.holds(term, answer) == Some(true));
            let (absent, refused) = (fires(Answer::Absent), fires(Answer::Refused));
            if others.is_empty() {
                coverage.absent |= absent;
                coverage.refused |= refused;
            } else if absent || refused {
                coverage.unless = Some(texts(others.into_iter()));
            }
        }
        coverage
    }

    fn known(&self, term: &Term) -> bool {
        !matches!(self.says(term), Says::Other | Says::Exception | Says::Always)
    }

    fn holds(&self, term: &Term, answer: Answer) -> Option<bool> {
        self.says(term).holds(answer).map(|holds| holds != term.is_negated)
    }

    fn is_false(&self, terms: &[Term], answer: Answer) -> bool {
        terms.iter().any(|term| self.holds(term, answer) == Some(false))
    }

    fn is_exception(&self, terms: &[Term]) -> bool {
        !terms.is_empty() && terms.iter().all(|term| self.says(term) == Says::Exception && !term.is_negated)
    }
}

fn texts<'t>(terms: impl Iterator<Item = &'t Term>) -> String {
    terms.map(Term::text).collect::<Vec<_>>().join(" ")
}
