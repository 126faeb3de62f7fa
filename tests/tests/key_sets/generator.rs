//! Key sets as an issuer might write them: real keys, [changed](super::changes) in the ways that are known and in others, by a
//! seed.

use serde_json::json;

use super::changes::Written;
use super::pool::{Member, STRANGERS};

/// Random numbers that are the same in each run (SplitMix64).
pub(crate) struct Dice(pub u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(limit).unwrap()).unwrap()
    }

    pub(crate) fn one_in(&mut self, chance: usize) -> bool {
        self.below(chance) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub(super) fn word(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len())]
    }
}

/// A token, and whose it is.
pub(crate) struct Token {
    pub(crate) text: String,
    /// The place in the set of the key that made it; none if a stranger has.
    pub(crate) place: Option<usize>,
    /// Whether its key is a secret shorter than the hash.
    pub(crate) is_short: bool,
}

/// One document with tokens about it.
pub(crate) struct Case {
    /// `set`, `list`, `key` or `map`.
    pub(crate) form: &'static str,
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
    /// The names of the changes to each of its keys.
    pub(crate) changes: Vec<Vec<&'static str>>,
    /// The names of the changes to the document.
    pub(crate) of_document: Vec<&'static str>,
}

const KIDS: [&str; 8] =
    [r#""a""#, r#""b""#, r#""2026-11""#, r#""k\u00e9y""#, r#""""#, "42", "2.50", r#""with space""#];

impl Case {
    pub(crate) fn roll(dice: &mut Dice, pool: &[Member]) -> Self {
        let (usual, strangers) = pool.split_at(pool.len() - STRANGERS);
        match dice.below(10) {
            0 => Self::map(dice, usual, strangers),
            1 => Self::document(dice, usual, strangers, "list"),
            2 => Self::document(dice, usual, strangers, "key"),
            _ => Self::document(dice, usual, strangers, "set"),
        }
    }

    fn document(dice: &mut Dice, usual: &[Member], strangers: &[Member], form: &'static str) -> Self {
        let count = if form == "key" { 1 } else { 1 + dice.below(4) };
        // Each member once, so that a token's key is at one place.
        let mut members: Vec<&Member> = usual.iter().collect();
        let mut keys: Vec<Written<'_>> = Vec::new();
        for _ in 0..count {
            let member = members.swap_remove(dice.below(members.len()));
            keys.push(written(dice, member, usual));
        }
        let mut of_document = Vec::new();
        if keys.len() > 1 && dice.one_in(8) {
            let (kid, last) = (keys[0].get("kid"), keys.len() - 1);
            let kid = kid.unwrap_or_else(|| r#""a""#.to_owned());
            if kid.starts_with(['4', '2']) {
                keys[last].changes.push("a number as kid");
            }
            keys[last].set("kid", &kid);
            of_document.push("the kid of another");
        }
        let mut tokens = Vec::new();
        for (place, key) in keys.iter().enumerate() {
            for algorithm in algorithms(dice, key.member) {
                tokens.push(about(dice, key, key.member, algorithm, Some(place)));
            }
            let stranger = dice.pick(strangers);
            let algorithm = *dice.pick(&stranger.algorithms);
            tokens.push(about(dice, key, stranger, algorithm, None));
        }
        let mut texts: Vec<String> = keys.iter().map(Written::text).collect();
        let mut changes: Vec<_> = keys.iter().map(|key| key.changes.clone()).collect();
        if form != "key" && dice.one_in(10) {
            let junk = dice.word(&[
                "null",
                "7",
                r#""x""#,
                "[]",
                "{}",
                r#"{"kty":"AKP","alg":"ML-DSA-99","kid":"pq"}"#,
            ]);
            texts.push(junk.to_owned());
            changes.push(vec!["no key at all"]);
            of_document.push("no key at all");
        }
        if form == "set" && dice.one_in(12) {
            texts.push(texts[0].clone());
            changes.push(vec!["a key twice"]);
            of_document.push("a key twice");
        }
        let (space, list) = (*dice.pick(&["", " ", "\n  ", "\r\n\t"]), texts);
        let list = format!("[{space}{}{space}]", list.join(&format!(",{space}")));
        let mut text = match form {
            "list" => list,
            "key" => keys[0].text(),
            _ if dice.one_in(4) => format!(r#"{{"issuer":"x","keys":{list},"x":[{{"kty":"RSA"}}]}}"#),
            _ => format!(r#"{{{space}"keys"{space}:{list}}}"#),
        };
        if dice.one_in(8) {
            text.insert(0, '\u{feff}');
            of_document.push("byte order mark");
        }
        Self { form, text, tokens, changes, of_document }
    }

    /// A map from `kid` to certificate or public key, as Google publishes it.
    fn map(dice: &mut Dice, usual: &[Member], strangers: &[Member]) -> Self {
        let mut certified: Vec<&Member> =
            usual.iter().filter(|member| member.certificate.is_some()).collect();
        let count = 1 + dice.below(3);
        let (mut entries, mut tokens) = (serde_json::Map::new(), Vec::new());
        for place in 0..count {
            let (kid, member) = (format!("k{place}"), certified.swap_remove(dice.below(certified.len())));
            entries.insert(kid.clone(), json!(member.certificate.as_ref().unwrap().0));
            let stranger = dice.pick(strangers);
            for (signer, place) in [(member, Some(place)), (stranger, None)] {
                let algorithm = *dice.pick(&signer.algorithms);
                let header = json!({"alg": algorithm, "kid": kid}).to_string();
                tokens.push(Token {
                    text: signer.token(algorithm, &header),
                    place,
                    is_short: signer.is_shorter_than(algorithm),
                });
            }
        }
        let text = serde_json::Value::Object(entries).to_string();
        Self { form: "map", text, tokens, changes: vec![Vec::new(); count], of_document: Vec::new() }
    }
}

fn algorithms<'a>(dice: &mut Dice, member: &'a Member) -> Vec<&'a str> {
    let first = dice.below(member.algorithms.len());
    let second = (first + 1) % member.algorithms.len();
    let both = [member.algorithms[first], member.algorithms[second]];
    if first == second { vec![both[0]] } else { both.to_vec() }
}

/// A token that means this key, made by `signer`.
fn about(
    dice: &mut Dice,
    key: &Written<'_>,
    signer: &Member,
    algorithm: &str,
    place: Option<usize>,
) -> Token {
    let kid = key.get("kid").filter(|kid| kid.starts_with(['"', '4', '2']) && !dice.one_in(5));
    let header = match kid {
        Some(kid) => format!(r#"{{"alg":"{algorithm}","kid":{kid}}}"#),
        None => format!(r#"{{"alg":"{algorithm}"}}"#),
    };
    Token { text: signer.token(algorithm, &header), place, is_short: signer.is_shorter_than(algorithm) }
}

fn written<'a>(dice: &mut Dice, member: &'a Member, usual: &[Member]) -> Written<'a> {
    let quoted = |(name, value): &(&str, String)| ((*name).to_owned(), json!(value).to_string());
    let mut key = Written { member, jwk: member.jwk.iter().map(quoted).collect(), changes: Vec::new() };
    if !dice.one_in(4) {
        let kid = *dice.pick(&KIDS);
        if kid.starts_with(['4', '2']) {
            key.changes.push("a number as kid");
        }
        key.set("kid", kid);
    }
    if dice.one_in(2) {
        let algorithm = *dice.pick(&member.algorithms);
        key.set("alg", &json!(algorithm).to_string());
    }
    if dice.one_in(2) {
        key.set("use", r#""sig""#);
    }
    for _ in 0..*dice.pick(&[0, 0, 1, 1, 1, 2, 3]) {
        key.change(dice, usual);
    }
    let turn = dice.below(key.jwk.len());
    key.jwk.rotate_left(turn);
    key
}
