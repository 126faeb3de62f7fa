//! The figures as a picture for docs/BENCH.md: a bar for each way to decide on a token, a group for each HAProxy.

use std::fmt::Write as _;

use crate::cell::Way;
use crate::row::{self, Row, Wanted};

/// The bars of a group: their name, where their figure is, and their colour.
const BARS: [(&str, Way, &str, &str); 10] = [
    ("jwt_verify HS256 + claims", Way::NativeFull, "HS256", OTHERS),
    ("jwt_verify RS256 + claims", Way::NativeFull, "RS256", OTHERS),
    ("jwt_verify ES256 + claims", Way::NativeFull, "ES256", OTHERS),
    ("known token, kept in HAProxy", Way::EdgeOne, "HS256", OURS),
    ("10,000 tokens, kept in HAProxy", Way::EdgeMany, "HS256", OURS),
    ("an agent that does nothing", Way::Nothing, "HS256", FLOOR),
    ("jwt-agent, known token", Way::Hit, "HS256", OURS),
    ("jwt-agent, 10,000 tokens", Way::Tokens, "HS256", OURS),
    ("jwt-agent, new RS256 token", Way::New, "RS256", OURS),
    ("jwt-agent, new ES256 token", Way::New, "ES256", OURS),
];

const OTHERS: &str = "#8a94a6";
const FLOOR: &str = "#c9ced8";
const OURS: &str = "#2f6fde";

const LINE: f64 = 20.0;
const NAMES: f64 = 210.0;
const WIDTH: f64 = 720.0;

/// An SVG of the rows, and of those of verdicts that are kept in HAProxy.
pub(crate) fn draw(rows: &[Row], kept: &[Row]) -> String {
    let releases = row::releases(rows);
    let figure = |haproxy, way: Way, algorithm| {
        let rows = if way.keeps_verdicts() { kept } else { rows };
        Wanted { algorithm, ..Wanted::usual(haproxy, way) }.find(rows).map(|row| row.above_plain_us)
    };
    let all = releases
        .iter()
        .flat_map(|haproxy| BARS.map(|(_, way, algorithm, _)| figure(haproxy, way, algorithm)));
    let most = all.flatten().map(|spread| spread.max).fold(1.0, f64::max);
    let scale = (WIDTH - NAMES - 90.0) / most;
    let mut body = String::new();
    let mut y = 30.0;
    for haproxy in releases {
        y += LINE * 1.4;
        text(&mut body, 12.0, y, "start", "600", &format!("HAProxy {haproxy}"));
        for (name, way, algorithm, colour) in BARS {
            let Some(spread) = figure(haproxy, way, algorithm) else { continue };
            y += LINE;
            text(&mut body, NAMES - 8.0, y, "end", "400", name);
            let width = (spread.median * scale).max(1.0);
            let (top, height) = (y - LINE * 0.7, LINE * 0.72);
            let _infallible = writeln!(
                body,
                r#"<rect x="{NAMES}" y="{top:.1}" width="{width:.1}" height="{height:.1}" fill="{colour}"/>"#
            );
            let (from, to) = (NAMES + (spread.min * scale).max(0.0), NAMES + spread.max.max(0.0) * scale);
            let middle = top + height / 2.0;
            let _infallible = writeln!(
                body,
                r##"<path d="M{from:.1} {middle:.1}H{to:.1}" stroke="#1b2333" stroke-width="1.5"/>"##
            );
            text(&mut body, to.max(NAMES + width) + 6.0, y, "start", "400", &format!("{:.1}", spread.median));
        }
    }
    let height = y + LINE;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"22\" font-weight=\"600\" font-size=\"15\" fill=\"#1b2333\">Cost of a decision: processor \
         time per request, microseconds, above plain HAProxy</text>\n{body}</svg>\n"
    )
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, weight: &str, text: &str) {
    let _infallible = writeln!(
        out,
        r##"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-weight="{weight}" fill="#1b2333">{text}</text>"##
    );
}
