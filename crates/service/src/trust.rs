//! Issuers and policies as an operator writes them: flat settings for one issuer, tables of the file for more.
//!
//! ```toml
//! [[issuers]]
//! issuer = "https://id.example.com"
//! discovery = true                          # or keys_file = "..", keys_url = ".."
//! audiences = ["my-api"]
//!
//! [[policies]]
//! name = "admin"                            # what HAProxy's `policy` argument says
//! all_scopes = ["write"]
//! claims = { "realm_access.roles" = ["admin", "root"] }
//! ```
//!
//! Both programs read the same tables; what they mean is [`jose::Trust`]'s.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jose::{
    Algorithm, AlgorithmSet, ClaimCondition, ClaimRule, ClaimValue, Policy, Profile, Requirements, Route,
    Trust, TrustedIssuer,
};

use crate::settings::{Scalar, Settings};

/// The largest clock skew that may be granted, seconds.
pub const MAX_LEEWAY: u64 = 300;

/// Where the keys of one issuer come from; what is given adds up.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct IssuerKeys {
    /// A file.
    pub file: Option<PathBuf>,
    /// URLs that answer with keys.
    pub urls: Vec<String>,
    /// Issuers whose discovery document names such a URL.
    pub discovery: Vec<String>,
}

impl fmt::Debug for IssuerKeys {
    // A query or a password in a URL is a secret.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = out.debug_struct("IssuerKeys");
        shown.field("file", &self.file).field("urls", &self.urls.len()).field("discovery", &self.discovery);
        shown.finish()
    }
}

impl IssuerKeys {
    /// Whether there is nowhere to get a key from.
    pub fn is_empty(&self) -> bool {
        self.file.is_none() && self.urls.is_empty() && self.discovery.is_empty()
    }
}

/// What the flat settings say.
#[derive(Debug, Clone)]
pub struct Flat {
    /// The policy of the one issuer that they may name; also what tables leave out.
    pub policy: Policy,
    /// Its keys; without any it is no issuer, and the policy only fills in for the tables.
    pub keys: IssuerKeys,
    /// The setting to name when its keys would be good for any issuer.
    pub keys_setting: &'static str,
    /// The setting that names its issuer.
    pub issuer_setting: &'static str,
}

/// Puts the flat settings and the tables `[[issuers]]` and `[[policies]]` together; the keys are in the order of the
/// issuers. `None` after a fault, or when nobody is trusted.
pub fn read(settings: &mut Settings, flat: Flat) -> Option<(Trust, Vec<IssuerKeys>)> {
    let profile = flat.policy.profile;
    let mut issuers = Vec::new();
    let mut keys = Vec::new();
    for mut table in settings.tables("issuers") {
        if let Some((policy, own)) = issuer(&mut table, &flat.policy) {
            issuers.push(TrustedIssuer { policy, keys: keys.len() });
            keys.push(own);
        }
        settings.adopt(table);
    }
    if !issuers.is_empty() && profile == Profile::MsUsers {
        settings.fault("[[issuers]]", "the ms-users profile judges no issuer; use the standard profile");
        return None;
    }
    if !flat.keys.is_empty() {
        if flat.policy.issuers.is_empty() && !issuers.is_empty() {
            let what = format!(
                "beside [[issuers]] its keys would be good for any issuer; set {}, or move them into a table",
                flat.issuer_setting
            );
            settings.fault(flat.keys_setting, what);
            return None;
        }
        issuers.push(TrustedIssuer { policy: flat.policy.clone(), keys: keys.len() });
        keys.push(flat.keys);
    }
    let everybody: Vec<usize> = (0..issuers.len()).collect();
    let mut routes = vec![Route {
        name: Trust::DEFAULT.to_owned(),
        issuers: everybody.clone(),
        algorithms: AlgorithmSet::ALL,
        audiences: Vec::new(),
        requirements: Requirements::default(),
    }];
    for mut table in settings.tables("policies") {
        match route(&mut table, &issuers) {
            Some(route) if route.name == Trust::DEFAULT => *routes.first_mut()? = route,
            Some(route) => routes.push(route),
            None => {}
        }
        settings.adopt(table);
    }
    if issuers.is_empty() {
        return None;
    }
    match Trust::new(profile, issuers, routes) {
        Ok(trust) => Some((trust, keys)),
        Err(error) => {
            settings.fault("[[issuers]], [[policies]]", error.to_string());
            None
        }
    }
}

fn issuer(table: &mut Settings, base: &Policy) -> Option<(Policy, IssuerKeys)> {
    let name = required(table, "issuer");
    let discovery = table.flag("discovery").unwrap_or(false);
    let keys = IssuerKeys {
        file: table.text("keys_file").map(PathBuf::from),
        urls: table.list("keys_url").unwrap_or_default(),
        discovery: name.iter().filter(|_| discovery).cloned().collect(),
    };
    if keys.is_empty() {
        table.fault("issuer", "has no keys: set keys_file, keys_url or discovery = true");
    }
    let leeway = table.parse("leeway", "seconds").map(Duration::from_secs);
    if leeway.is_some_and(|leeway| leeway > Duration::from_secs(MAX_LEEWAY)) {
        table.fault("leeway", format!("expected seconds, at most {MAX_LEEWAY}"));
    }
    let policy = Policy {
        name: Trust::DEFAULT.to_owned(),
        profile: base.profile,
        algorithms: algorithms(table).map_or(base.algorithms, |own| own.intersection(base.algorithms)),
        audiences: table.list("audiences").unwrap_or_else(|| base.audiences.clone()),
        leeway: leeway.unwrap_or(base.leeway),
        binding: base.binding,
        requirements: requirements(table),
        issuers: vec![name?],
    };
    Some((policy, keys))
}

fn route(table: &mut Settings, issuers: &[TrustedIssuer]) -> Option<Route> {
    let accepted = match table.list("issuers") {
        None => (0..issuers.len()).collect(),
        Some(names) => {
            let index_of =
                |name: &String| issuers.iter().position(|issuer| issuer.policy.issuers.contains(name));
            let found: Option<Vec<usize>> = names.iter().map(index_of).collect();
            if found.is_none() {
                table.fault("issuers", "names an issuer that is in no [[issuers]] table");
            }
            found.unwrap_or_default()
        }
    };
    let route = Route {
        issuers: accepted,
        algorithms: algorithms(table).unwrap_or(AlgorithmSet::ALL),
        audiences: table.list("audiences").unwrap_or_default(),
        requirements: requirements(table),
        name: required(table, "name")?,
    };
    Some(route)
}

fn required(table: &mut Settings, name: &'static str) -> Option<String> {
    let text = table.text(name);
    if text.is_none() {
        table.fault(name, "is required");
    }
    text
}

fn algorithms(table: &mut Settings) -> Option<AlgorithmSet> {
    let list =
        table.parse_list::<Algorithm>("algorithms", "algorithms such as RS256 (RFC 7518 section 3.1)")?;
    Some(list.into_iter().collect())
}

fn requirements(table: &mut Settings) -> Requirements {
    let mut claims = Vec::new();
    for (name, condition) in [("required", ClaimCondition::Present), ("forbidden", ClaimCondition::Absent)] {
        let paths = table.list(name).unwrap_or_default();
        claims.extend(paths.into_iter().map(|path| ClaimRule { path, condition: condition.clone() }));
    }
    for (name, condition) in
        [("claims", ClaimCondition::OneOf as fn(_) -> _), ("not_claims", ClaimCondition::NoneOf)]
    {
        for (path, values) in table.values(name) {
            let values = values.into_iter().map(claim_value).collect();
            claims.push(ClaimRule { path, condition: condition(values) });
        }
    }
    Requirements {
        types: table.list("types").unwrap_or_default(),
        max_lifetime: table.parse("max_lifetime", "seconds").map(Duration::from_secs),
        subjects: table.list("subjects").unwrap_or_default(),
        all_scopes: table.list("all_scopes").unwrap_or_default(),
        any_scope: table.list("any_scope").unwrap_or_default(),
        claims,
    }
}

fn claim_value(scalar: Scalar) -> ClaimValue {
    match scalar {
        Scalar::Text(text) => ClaimValue::String(text),
        Scalar::Int(number) => ClaimValue::Int(number),
        Scalar::Bool(truth) => ClaimValue::Bool(truth),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jose::Binding;
    use std::io::Write as _;

    fn load(
        toml: &str,
        profile: Profile,
        flat_issuers: &[&str],
        flat_keys: bool,
    ) -> Result<(Trust, Vec<IssuerKeys>), String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(toml.as_bytes()).unwrap();
        let variable = ("APP_CONFIG".into(), file.path().into());
        let mut settings = Settings::load("APP_", "APP_CONFIG", [variable]).unwrap();
        let flat = Flat {
            policy: Policy {
                name: Trust::DEFAULT.to_owned(),
                profile,
                algorithms: AlgorithmSet::ALL,
                issuers: flat_issuers.iter().map(|name| (*name).to_owned()).collect(),
                audiences: vec!["base".to_owned()],
                leeway: Duration::from_secs(3),
                binding: Binding::Ignore,
                requirements: Requirements::default(),
            },
            keys: IssuerKeys { file: flat_keys.then(|| "/flat".into()), ..IssuerKeys::default() },
            keys_setting: "APP_KEYS",
            issuer_setting: "APP_ISSUERS",
        };
        let read = read(&mut settings, flat);
        settings.finish().map_err(|error| error.to_string())?;
        read.ok_or_else(|| "nobody is trusted".to_owned())
    }

    #[test]
    fn tables_become_issuers_and_policies() {
        let (trust, keys) = load(
            r#"
            [[issuers]]
            issuer = "https://a.example"
            discovery = true
            audiences = ["api"]
            algorithms = ["RS256", "ES256"]
            leeway = 7
            required = ["email"]

            [[issuers]]
            issuer = "b"
            keys_file = "/b.json"
            keys_url = ["https://b.example/1", "https://b.example/2"]

            [[policies]]
            name = "admin"
            issuers = ["b"]
            audiences = ["admin"]
            types = ["at+jwt"]
            max_lifetime = 900
            subjects = ["user-*"]
            all_scopes = ["read", "write"]
            any_scope = ["eu"]
            forbidden = ["act"]
            claims = { "realm.roles" = ["root", 7], verified = true }
            not_claims = { tenant = "guest" }
            "#,
            Profile::Standard,
            &["flat"],
            true,
        )
        .unwrap();
        let names: Vec<_> = trust.issuers().iter().map(|issuer| issuer.policy.issuers[0].as_str()).collect();
        assert_eq!(names, ["https://a.example", "b", "flat"]);
        assert_eq!(keys[0].discovery, ["https://a.example"]);
        assert_eq!((keys[1].urls.len(), keys[2].file.clone()), (2, Some("/flat".into())));
        let [first, second, _] = trust.issuers() else { panic!("{trust:?}") };
        assert_eq!((first.policy.leeway.as_secs(), second.policy.leeway.as_secs()), (7, 3));
        assert!(trust.issuers().iter().all(|issuer| issuer.policy.binding == Binding::Ignore));
        assert_eq!(
            (first.policy.audiences[0].as_str(), second.policy.audiences[0].as_str()),
            ("api", "base")
        );
        assert_eq!(first.policy.algorithms.iter().count(), 2);
        assert_eq!(first.policy.requirements.claims.len(), 1);

        assert_eq!(trust.route(None).unwrap().issuers, [0, 1, 2]);
        let admin = trust.route(Some("admin")).unwrap();
        assert_eq!((admin.issuers.as_slice(), admin.audiences[0].as_str()), (&[1][..], "admin"));
        let wanted = &admin.requirements;
        assert_eq!(wanted.max_lifetime, Some(Duration::from_secs(900)));
        assert_eq!((wanted.types.len(), wanted.subjects.len()), (1, 1));
        assert_eq!((wanted.all_scopes.len(), wanted.any_scope.len()), (2, 1));
        let conditions: Vec<_> =
            wanted.claims.iter().map(|rule| format!("{} {:?}", rule.path, rule.condition)).collect();
        assert_eq!(
            conditions,
            [
                "act Absent",
                r#"realm.roles OneOf([String("root"), Int(7)])"#,
                "verified OneOf([Bool(true)])",
                r#"tenant NoneOf([String("guest")])"#
            ]
        );
    }

    #[test]
    fn a_default_policy_can_be_written_and_the_flat_settings_alone_suffice() {
        let table = "[[policies]]\nname = \"default\"\nall_scopes = [\"read\"]";
        let (trust, keys) = load(table, Profile::MsUsers, &[], true).unwrap();
        assert_eq!((trust.routes().len(), keys.len()), (1, 1));
        assert_eq!(trust.route(None).unwrap().requirements.all_scopes, ["read"]);
    }

    #[test]
    fn faults_say_which_table_and_field() {
        use Profile::{MsUsers, Standard};
        let good = "[[issuers]]\nissuer = \"a\"\nkeys_file = \"/a\"\n";
        for (toml, profile, flat_issuers, flat_keys, expected) in [
            (String::new(), Standard, &[][..], false, "nobody is trusted"),
            (
                "[[issuers]]\nkeys_file = \"/a\"".into(),
                Standard,
                &[],
                false,
                "issuers[0].issuer: is required",
            ),
            ("[[issuers]]\nissuer = \"a\"".into(), Standard, &[], false, "issuers[0].issuer: has no keys"),
            (
                format!("{good}leeway = 301"),
                Standard,
                &[],
                false,
                "issuers[0].leeway: expected seconds, at most",
            ),
            (
                format!("{good}algorithms = [\"none\"]"),
                Standard,
                &[],
                false,
                "issuers[0].algorithms: expected",
            ),
            (format!("{good}audience = \"x\""), Standard, &[], false, "did you mean audiences?"),
            (format!("{good}{good}"), Standard, &[], false, "a comes twice"),
            (good.into(), Standard, &[], true, "APP_KEYS: beside [[issuers]]"),
            (good.into(), MsUsers, &[], false, "[[issuers]]: the ms-users profile"),
            (
                format!("{good}[[policies]]\nall_scopes = [\"x\"]"),
                Standard,
                &[],
                false,
                "policies[0].name: is required",
            ),
            (
                format!("{good}[[policies]]\nname = \"p\"\nissuers = [\"z\"]"),
                Standard,
                &[],
                false,
                "policies[0].issuers: names",
            ),
            (
                format!("{good}[[policies]]\nname = \"p\"\nclaims = [\"x\"]"),
                Standard,
                &[],
                false,
                "policies[0].claims: expected a table",
            ),
        ] {
            let text = load(&toml, profile, flat_issuers, flat_keys).unwrap_err();
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }
}
