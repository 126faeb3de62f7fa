//! The two text forms of metrics: OpenMetrics 1.0, and the older one of Prometheus (0.0.4), which everything reads.
//!
//! They differ in the names of counters: OpenMetrics describes `x` and counts `x_total`, the older form describes and counts
//! `x_total`. Units and the end are comments to it.

/// A form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exposition {
    OpenMetrics,
    Prometheus,
}

impl Exposition {
    /// What an `Accept` header (RFC 9110 section 12.5.1) asks for. Prometheus names both forms with their weights; what asks
    /// for anything, or for nothing that there is, gets the older one, which a browser shows.
    pub(super) fn wanted(accept: &str) -> Self {
        let weight = |wanted: &str| {
            let ranges = accept.split(',').filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let is_it = parts.next()?.eq_ignore_ascii_case(wanted);
                let weight =
                    parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
                is_it.then(|| weight.map_or(1.0, |weight| weight.trim().parse::<f32>().unwrap_or(0.0)))
            });
            ranges.fold(0.0, f32::max)
        };
        let (open, plain) = (weight("application/openmetrics-text"), weight("text/plain"));
        if open > 0.0 && open >= plain { Self::OpenMetrics } else { Self::Prometheus }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// The text of an OpenMetrics encoder in this form.
    pub(super) fn of_openmetrics(self, text: String) -> String {
        match self {
            Self::OpenMetrics => text,
            Self::Prometheus => prometheus(&text),
        }
    }
}

fn prometheus(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut help = "";
    for line in text.lines() {
        let (first, rest) = line.split_at_checked(7).unwrap_or((line, ""));
        match first {
            // It goes with the type, which comes next and says how the metric is called.
            "# HELP " => help = rest,
            "# TYPE " => {
                let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
                let (ending, kind) = match kind {
                    "counter" => ("_total", "counter"),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    other => ("", other),
                };
                if let Some((helped, words)) = help.split_once(' ')
                    && helped == name
                {
                    out += &format!("# HELP {name}{ending} {words}\n");
                }
                out += &format!("# TYPE {name}{ending} {kind}\n");
            }
            "# UNIT " | "# EOF" => {}
            _ => {
                out += line;
                out.push('\n');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_the_one_that_is_asked_for() {
        use Exposition::{OpenMetrics, Prometheus};
        for (accept, expected) in [
            ("", Prometheus),
            ("*/*", Prometheus),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Prometheus),
            ("text/plain", Prometheus),
            ("text/plain;version=0.0.4;q=0.5, application/openmetrics-text;version=1.0.0;q=0.2", Prometheus),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.2",
                OpenMetrics,
            ),
            ("Application/OpenMetrics-Text; version=1.0.0", OpenMetrics),
            ("application/openmetrics-text;q=0", Prometheus),
            ("application/openmetrics-text;q=x", Prometheus),
        ] {
            assert_eq!(Exposition::wanted(accept), expected, "{accept}");
        }
    }

    #[test]
    fn the_older_form_describes_counters_by_the_name_that_they_have() {
        let open = "# HELP a_seconds Time.\n# TYPE a_seconds histogram\n# UNIT a_seconds seconds\na_seconds_sum 1.0\n\
                    # HELP a_b Words, of a kind.\n# TYPE a_b counter\na_b_total{x=\"# TYPE \"} 3\n\
                    # HELP a_build Build.\n# TYPE a_build info\na_build_info{version=\"1\"} 1\n\
                    # HELP a_up Up.\n# TYPE a_up gauge\na_up 1\n# EOF\n";
        assert_eq!(
            Exposition::Prometheus.of_openmetrics(open.to_owned()),
            "# HELP a_seconds Time.\n# TYPE a_seconds histogram\na_seconds_sum 1.0\n\
             # HELP a_b_total Words, of a kind.\n# TYPE a_b_total counter\na_b_total{x=\"# TYPE \"} 3\n\
             # HELP a_build_info Build.\n# TYPE a_build_info gauge\na_build_info{version=\"1\"} 1\n\
             # HELP a_up Up.\n# TYPE a_up gauge\na_up 1\n"
        );
        assert_eq!(Exposition::OpenMetrics.of_openmetrics(open.to_owned()), open);
    }
}
