//! The shipped lines of a protected backend, changed as the options say.

use super::edge;
use super::names::{AgentAddress, Version};
use super::paths::expressions;
use super::shipped::{self, Absent};
use super::streams;
use super::wanted::{INDENT, Wanted};

/// What asks the agent by a rule.
const ASK: &str = "http-request send-spoe-group jwt-group jwt";

/// The lines of the place that is protected.
pub(super) fn protected(wanted: &Wanted<'_>) -> Result<String, Absent> {
    let base = for_version(shipped::backend()?, wanted.version);
    let column = base.iter().find(|line| is_about(line, "set-header x-tkn-")).and_then(|_| {
        base.iter().filter(|line| is_about(line, "set-header x-tkn-")).find_map(|line| line.find(" if "))
    });
    let mut lines: Vec<String> = Vec::new();
    let mut is_trailers = false;
    for line in base {
        let rule = line.trim_start();
        // The application's, and what a frontend cannot have.
        is_trailers |= wanted.in_frontend && is_trailers_line(rule);
        if rule.starts_with("server ") || (wanted.in_frontend && is_trailers) {
            continue;
        }
        if rule == ASK {
            lines.extend(public_paths(wanted)?);
            lines.extend(chosen_policies(wanted)?);
            if wanted.streams {
                lines.extend(streams::names(wanted)?);
            }
            if let Some(maps) = &wanted.edge {
                lines.extend(edge::lines(wanted, maps)?);
            } else if wanted.streams {
                lines.extend(streams::questions(wanted)?);
            } else if !wanted.is_asked_by_event() {
                let unless = if wanted.open.is_empty() { "" } else { " unless tkn_public" };
                lines.push(format!("{line}{unless}"));
            }
            continue;
        }
        if rule.starts_with("# Your rate limits") && wanted.in_frontend {
            lines.push(shipped::frontend_limits()?.to_owned());
            continue;
        }
        let line = line.replace("\"${SPOE_CONF}\"", &format!("\"{}\"", wanted.spoe_file));
        let line = if wanted.is_asked_by_event() {
            line.replace("filter spoe engine jwt-group ", "filter spoe engine jwt ")
        } else {
            line
        };
        let is_decision = DECISIONS.iter().any(|decision| is_about(&line, decision));
        let line = if is_decision && !wanted.open.is_empty() { guarded(&line, column) } else { line };
        let is_filter = wanted.streams && rule.starts_with("filter spoe engine jwt-group ");
        let is_refused_page = wanted.streams && rule.starts_with("# Refusals have the pages ");
        if is_refused_page {
            lines.extend(owned(shipped::streams_unasked()?));
            lines.push(String::new());
        }
        let is_passed = rule == "http-request unset-var(txn.tkn.challenge)";
        let is_last_header = is_about(&line, "return status 431");
        let is_answered = is_about(&line, "unset-var(txn.tkn.spoe_error)");
        lines.push(line);
        if is_filter {
            lines.push(streams::filter(wanted)?);
        }
        if is_answered && wanted.edge.is_some() {
            lines.push(shipped::edge_source()?.to_owned());
        }
        if is_passed {
            lines.extend(policy_check(wanted)?);
        }
        if is_last_header {
            lines.extend(claim_headers(wanted)?);
            if wanted.streams && !wanted.in_frontend {
                lines.push(String::new());
                lines.extend(owned(shipped::streams_silent()?));
            }
        }
    }
    Ok(joined(lines))
}

/// What a public path is not asked.
const DECISIONS: [&str; 7] = [
    "deny status 503",
    "set-var(txn.tkn_challenge)",
    "deny status 403",
    "deny status 401",
    "set-header x-tkn-",
    "set-var(txn.tkn.reason) str(E_TKN_TOO_LARGE)",
    "return status 431",
];

fn is_about(line: &str, action: &str) -> bool {
    line.trim_start().strip_prefix("http-request ").is_some_and(|rest| rest.starts_with(action))
}

/// The same line, without effect for a public path. That comes last: most requests are decided by what stands before it, which
/// costs HAProxy less than an expression over the path.
fn guarded(line: &str, column: Option<usize>) -> String {
    if let Some((rule, condition)) = line.split_once(" unless ") {
        return format!("{rule} unless {condition} || tkn_public");
    }
    if let Some((rule, condition)) = line.split_once(" if ") {
        return format!("{rule} if {} !tkn_public", condition.replace(" || ", " !tkn_public || "));
    }
    format!("{line:<width$} if !tkn_public", width = column.unwrap_or_default())
}

fn public_paths(wanted: &Wanted<'_>) -> Result<Vec<String>, Absent> {
    if wanted.open.is_empty() {
        return Ok(Vec::new());
    }
    let mut lines = owned(shipped::public_comment()?);
    let paths = expressions(&wanted.open.iter().collect::<Vec<_>>());
    lines.push(format!("{INDENT}acl tkn_public  path -m reg {}", paths.join(" ")));
    if !wanted.is_asked_by_event() {
        lines.push(String::new());
    }
    Ok(lines)
}

fn chosen_policies(wanted: &Wanted<'_>) -> Result<Vec<String>, Absent> {
    let Some(policies) = &wanted.policies else { return Ok(Vec::new()) };
    let mut lines = owned(shipped::policy_comment()?);
    lines.push(format!("{INDENT}http-request set-var(txn.tkn_policy) str({})", policies.rest));
    lines.extend(policies.lists.iter().map(|(name, paths)| {
        let paths = expressions(paths).join(" ");
        format!("{INDENT}http-request set-var(txn.tkn_policy) str({name}) if {{ path -i -m reg {paths} }}")
    }));
    Ok(lines)
}

fn policy_check(wanted: &Wanted<'_>) -> Result<Vec<String>, Absent> {
    if wanted.policies.is_none() {
        return Ok(Vec::new());
    }
    let (comment, check) = shipped::policy_check()?;
    let check = if wanted.open.is_empty() { check.to_owned() } else { guarded(check, None) };
    Ok([String::new()].into_iter().chain(owned(comment)).chain([check]).collect())
}

/// What is plain text in a header.
const PLAIN: &str = "'^[!-$&-+.-~-]+( [!-$&-+.-~-]+)*$'";

fn claim_headers(wanted: &Wanted<'_>) -> Result<Vec<String>, Absent> {
    if wanted.claims.is_empty() {
        return Ok(Vec::new());
    }
    let mut lines = vec![String::new()];
    lines.extend(owned(shipped::claims_comment()?));
    let open = if wanted.open.is_empty() { "" } else { " !tkn_public" };
    for claim in &wanted.claims {
        let (variable, header) = (claim.variable(), claim.header());
        let any_spelling = header.replace('-', "[^A-Za-z0-9]+");
        lines.extend([
            format!("{INDENT}http-request del-header ^{any_spelling}$ -m reg"),
            format!(
                "{INDENT}http-request set-header {header} %[var({variable}),url_enc] if {{ var({variable}) -m len ge 1 }} !{{ var({variable}) -m str null }}{open}"
            ),
            format!(
                "{INDENT}http-request set-header {header} %[var({variable})] if {{ var({variable}) -m reg {PLAIN} }} !{{ var({variable}) -m str null }}{open}"
            ),
        ]);
    }
    Ok(lines)
}

/// Lines that do not work in a frontend, for the backends behind it.
pub(super) fn behind_a_frontend(wanted: &Wanted<'_>) -> Result<Option<String>, Absent> {
    if !wanted.in_frontend {
        return Ok(None);
    }
    let lines = for_version(shipped::backend()?, wanted.version);
    let trailers = lines.into_iter().skip_while(|line| !is_trailers_line(line.trim_start()));
    let trailers = trailers.filter(|line| !line.trim_start().starts_with("server "));
    let silent = if wanted.streams { shipped::streams_silent()? } else { Vec::new() };
    let lines: Vec<_> = silent.into_iter().chain(trailers).collect();
    Ok((!lines.is_empty()).then(|| joined(owned(lines))))
}

/// The first of the lines about trailers, which are the last ones of a backend.
fn is_trailers_line(rule: &str) -> bool {
    rule.starts_with(".if version_atleast(3.2)")
        || rule.starts_with("# Trailers come after")
        || rule.starts_with("option http-drop-request-trailers")
}

/// The backend of agents.
pub(super) fn agents(addresses: &[AgentAddress], version: Option<Version>) -> Result<String, Absent> {
    let lines = for_version(shipped::agents()?, version);
    let mut lines: Vec<String> = lines
        .into_iter()
        .filter(|line| !line.trim_start().starts_with("server "))
        .map(str::to_owned)
        .collect();
    let addresses = match addresses {
        [] => vec![shipped::preset("AGENT_1")?.to_owned(), shipped::preset("AGENT_2")?.to_owned()],
        given => given.iter().map(ToString::to_string).collect(),
    };
    let servers = addresses.iter().enumerate();
    lines
        .extend(servers.map(|(index, address)| {
            format!("{INDENT}server agent{} \"{address}\"", index.saturating_add(1))
        }));
    Ok(joined(lines))
}

/// The lines that hold for a version, without the conditions about it; all of them where the version is not known.
fn for_version(lines: Vec<&'static str>, version: Option<Version>) -> Vec<&'static str> {
    let Some(version) = version else { return lines };
    let mut is_on = true;
    lines
        .into_iter()
        .filter(|line| {
            let atleast = line.strip_prefix(".if version_atleast(").and_then(|rest| rest.strip_suffix(')'));
            match *line {
                ".else" => is_on = !is_on,
                ".endif" => is_on = true,
                line if line.starts_with(".if") => {
                    // What is not understood is kept, as the shipped files have nothing else.
                    is_on = atleast
                        .and_then(|text| text.parse().ok())
                        .is_none_or(|least: Version| version >= least);
                }
                _ => return is_on,
            }
            false
        })
        .collect()
}

fn owned(lines: Vec<&str>) -> Vec<String> {
    lines.into_iter().map(str::to_owned).collect()
}

/// As text, without two empty lines in a row or one at the end.
fn joined(lines: Vec<String>) -> String {
    let mut text = String::new();
    let mut is_gap = true;
    for line in &lines {
        if line.trim().is_empty() && is_gap {
            continue;
        }
        is_gap = line.trim().is_empty();
        text.push_str(line);
        text.push('\n');
    }
    while text.ends_with("\n\n") {
        text.pop();
    }
    text
}
