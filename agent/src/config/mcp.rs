//! The tables `[[mcp]]`: which policy judges which calls of the Model Context Protocol.

use jose::{Trust, matches_pattern};
use service::description::{Default, Kind, Setting, Table};
use service::settings::Settings;

use crate::mcp::{FIRST_VERSION, NAMED_METHODS, Row, Rows, has_headers};

/// Reads the rows, in the order of their tables. Without `trust`, a fault is known already.
pub(super) fn read(settings: &mut Settings, trust: Option<&Trust>) -> Rows {
    let mut rows = Vec::new();
    for mut table in settings.tables("mcp") {
        rows.extend(row(&mut table, trust));
        settings.adopt(table);
    }
    rows.into()
}

fn row(table: &mut Settings, trust: Option<&Trust>) -> Option<Row> {
    let policy = required(table.text("policy"), table, "policy");
    let decider = required(table.text("use"), table, "use");
    let methods = required(table.list("methods"), table, "methods");
    let names = table.list("names");
    let versions = table.list("versions");
    if versions.iter().flatten().any(|version| !has_headers(version)) {
        let what = format!(
            "expected revisions from {FIRST_VERSION} on, as dates; the calls of older ones have no headers to tell them apart: \
             protect such a server by one policy for all calls"
        );
        table.fault("versions", what);
    }
    if let (Some(methods), Some(_)) = (&methods, &names) {
        let is_named = |pattern: &String| NAMED_METHODS.iter().any(|method| matches_pattern(pattern, method));
        if !methods.iter().any(is_named) {
            table.fault(
                "names",
                format!("none of the methods has names, which only {} have", NAMED_METHODS.join(", ")),
            );
        }
    }
    let (policy, decider, methods, trust) = (policy?, decider?, methods?, trust?);
    if trust.policy(Some(&policy)).is_some() {
        let what =
            "is the name of a policy too, which would judge any call; give the calls a name of their own";
        table.fault("policy", what);
    }
    let Some(decider) = trust.policies().iter().position(|known| known.name == decider) else {
        table.fault("use", "names a policy that is not configured; write a [[policies]] table of that name");
        return None;
    };
    Some(Row { policy, decider, methods, names, versions })
}

fn required<T>(value: Option<T>, table: &mut Settings, name: &'static str) -> Option<T> {
    if value.is_none() {
        table.fault(name, "is required");
    }
    value
}

/// The description of the table.
pub(super) fn table() -> Table {
    Table {
        name: "mcp",
        meaning: "A row about calls of the Model Context Protocol: the policy that judges them. Rows are looked at in their order, and the first that is for a call decides; a call that none is for is refused (`mcp`) ([more](MCP.md))".into(),
        fields: vec![
            Setting::new("policy", Kind::Text("name"), "mcp", "What HAProxy's `policy` argument says; rows of one name belong together. No policy has this name")
                .or(Default::Required),
            Setting::new("use", Kind::Text("name of a policy"), "mcp-read", "The policy that judges these calls").or(Default::Required),
            Setting::new("methods", Kind::List("patterns"), "tools/call", "Their `Mcp-Method`, letter for letter; `*` stands for any characters")
                .or(Default::Required),
            Setting::new("names", Kind::List("patterns"), "read_*", "Their `Mcp-Name`, in the same way. Only `tools/call`, `resources/read` and `prompts/get` have one, so that a row with names is for no other method")
                .or(Default::unset("any name, or none")),
            Setting::new("versions", Kind::List("dates"), "2026-07-28", "Their `MCP-Protocol-Version`")
                .or(Default::unset("2026-07-28 and all later ones")),
        ],
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tests::load;

    const BASE: &str =
        "[[issuers]]\nissuer = 'i'\nkeys_file = '/k'\naudiences = ['a']\n[[policies]]\nname = 'mcp-read'\n";

    fn faults(row: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{BASE}[[mcp]]\n{row}\n")).unwrap();
        match load(&[("JWT_CONFIG", &file.path().display().to_string())]) {
            Ok(_) => String::new(),
            Err(faults) => faults.to_string(),
        }
    }

    #[test]
    fn a_row_names_what_exists_and_can_be_for_a_call() {
        const GOOD: &str = "policy = 'mcp'\nuse = 'mcp-read'\nmethods = ['tools/call']\n";
        assert_eq!(faults(GOOD), "");
        assert_eq!(
            faults(&format!("{GOOD}names = ['a', 'b*']\nversions = ['2026-07-28', '2027-01-31']")),
            ""
        );
        assert_eq!(faults("policy = 'mcp'\nuse = 'default'\nmethods = ['*']\nnames = ['a']"), "");
        for (row, faulty) in [
            ("use = 'mcp-read'\nmethods = ['*']", "mcp[0].policy: is required"),
            ("policy = 'mcp'\nmethods = ['*']", "mcp[0].use: is required"),
            ("policy = 'mcp'\nuse = 'mcp-read'", "mcp[0].methods: is required"),
            ("policy = 'mcp'\nuse = 'mcp-write'\nmethods = ['*']", "mcp[0].use: names a policy"),
            ("policy = 'mcp'\nuse = 'mcp'\nmethods = ['*']", "mcp[0].use: names a policy"),
            ("policy = 'mcp-read'\nuse = 'mcp-read'\nmethods = ['*']", "mcp[0].policy: is the name"),
            ("policy = 'default'\nuse = 'mcp-read'\nmethods = ['*']", "mcp[0].policy: is the name"),
            ("policy = 'mcp'\nuse = 'mcp-read'\nmethods = []", "mcp[0].methods"),
            ("policy = 'mcp'\nuse = 'mcp-read'\nmethods = ['*']\nnames = []", "mcp[0].names"),
            ("policy = 'mcp'\nuse = 'mcp-read'\nmethods = ['tools/list']\nnames = ['a']", "mcp[0].names"),
            (
                "policy = 'mcp'\nuse = 'mcp-read'\nmethods = ['*']\nversions = ['2025-11-25']",
                "mcp[0].versions",
            ),
            ("policy = 'mcp'\nuse = 'mcp-read'\nmethods = ['*']\nversions = ['latest']", "mcp[0].versions"),
            ("policy = 'mcp'\nuse = 'mcp-read'\nmethods = ['*']\ntools = ['a']", "mcp[0].tools"),
        ] {
            let faults = faults(row);
            assert!(faults.contains(faulty), "{row}: {faults}");
        }
    }
}
