//! Lines over time, as SVG.

use std::fmt::Write as _;

/// The whole picture: about as wide as a page of text.
const WIDTH: f64 = 900.0;
const PLOT: f64 = 150.0;
const TITLE: f64 = 28.0;
const SCALE: f64 = 24.0;
const LEGEND: f64 = 15.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 14.0;

/// More lines than these are drawn without their names, which would leave no room for the next panel.
const MAX_NAMES: usize = 8;
/// Of a longer name the end is cut.
const CHARACTER: f64 = 5.6;

/// They differ also for readers who do not see all colours.
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

/// What the numbers of a panel are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Number,
    PerSecond,
    Seconds,
    Bytes,
    /// A part of one.
    Share,
}

/// One quantity of several processes.
#[derive(Debug)]
pub struct Panel {
    pub title: String,
    pub unit: Unit,
    pub lines: Vec<Line>,
}

/// One process: at so many seconds, so much.
#[derive(Debug)]
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// The panels in so many columns, each with a scale of its own from zero on, above the names of its lines.
pub fn svg(panels: &[Panel], columns: usize) -> String {
    let width = WIDTH / columns as f64;
    let (mut drawn, mut top) = (String::new(), 0.0);
    for row in panels.chunks(columns) {
        let names = row.iter().map(|panel| names(panel).len()).max().unwrap_or_default();
        for (column, panel) in row.iter().enumerate() {
            draw(&mut drawn, panel, width * column as f64, top, width);
        }
        top += TITLE + PLOT + SCALE + LEGEND * names as f64 + LEGEND;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {top}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{drawn}</svg>\n"
    )
}

/// A number with its unit, short enough to stand beside a scale.
fn told(value: f64, unit: Unit) -> String {
    let scaled = |value: f64, steps: &[(f64, &str)]| {
        let (size, name) = steps.iter().find(|(size, _)| value >= *size).unwrap_or(&steps[steps.len() - 1]);
        let value = value / size;
        let digits = usize::from(value < 10.0 && value.fract() > 0.04);
        format!("{value:.digits$}{name}")
    };
    let numbers = [(1e6, "M"), (1e3, "k"), (1.0, "")];
    match unit {
        Unit::Share => format!("{:.0} %", value * 100.0),
        _ if value <= 0.0 => "0".to_owned(),
        Unit::Number | Unit::PerSecond if value < 0.1 => format!("{value:.3}"),
        Unit::Number => scaled(value, &numbers),
        Unit::PerSecond => scaled(value, &numbers) + "/s",
        Unit::Seconds => scaled(value, &[(60.0, " min"), (1.0, " s"), (1e-3, " ms"), (1e-6, " us")]),
        Unit::Bytes => scaled(value, &[(1_048_576.0, " MiB"), (1024.0, " KiB"), (1.0, " B")]),
    }
}

/// The names that are written, and behind the last one how many are not.
fn names(panel: &Panel) -> Vec<String> {
    let mut names: Vec<String> = panel.lines.iter().take(MAX_NAMES).map(|line| line.name.clone()).collect();
    if panel.lines.len() > MAX_NAMES {
        names.push(format!("and {} more", panel.lines.len() - MAX_NAMES));
    }
    names
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn draw(svg: &mut String, panel: &Panel, left: f64, top: f64, width: f64) {
    let points = || panel.lines.iter().flat_map(|line| &line.points);
    let end = points().map(|(at, _)| *at).fold(1.0, f64::max);
    let most = points().map(|(_, value)| *value).fold(0.0, f64::max);
    // A panel whose lines are all at zero has a scale all the same.
    let most = if most > 0.0 { most } else { 1.0 };
    let bottom = top + TITLE + PLOT;
    let x = |at: f64| left + LEFT + at / end * (width - LEFT - RIGHT);
    let y = |value: f64| bottom - value / most * PLOT;
    let mut text = |x: f64, y: f64, anchor: &str, colour: &str, text: &str| {
        let text = escaped(text);
        let _never = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{text}</text>"
        );
    };
    text(left + 10.0, top + 18.0, "start", "black", &panel.title);
    for part in [0.0, 0.5, 1.0] {
        text(left + LEFT - 6.0, y(most * part) + 4.0, "end", "#555", &told(most * part, panel.unit));
        text(x(end * part), bottom + 15.0, "middle", "#555", &format!("{:.0} s", end * part));
    }
    let room = ((width - 2.0 * RIGHT) / CHARACTER) as usize;
    for (number, name) in names(panel).iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let name: String = name.chars().take(room).collect();
        text(left + RIGHT, bottom + SCALE + 8.0 + LEGEND * number as f64, "start", colour, &name);
    }
    for part in [0.0, 0.5, 1.0] {
        let (from, to, at) = (x(0.0), x(end), y(most * part));
        let _never = writeln!(
            svg,
            "<line x1=\"{from:.1}\" y1=\"{at:.1}\" x2=\"{to:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>"
        );
    }
    for (number, line) in panel.lines.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let points: Vec<String> =
            line.points.iter().map(|(at, value)| format!("{:.1},{:.1}", x(*at), y(*value))).collect();
        let points = points.join(" ");
        let _never = writeln!(
            svg,
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(points: &[(f64, f64)]) -> Line {
        Line { name: "agent".to_owned(), points: points.to_vec() }
    }

    fn panel(lines: Vec<Line>) -> Panel {
        Panel { title: "MiB".to_owned(), unit: Unit::Number, lines }
    }

    #[test]
    fn every_point_lies_inside_its_panel() {
        let drawn =
            svg(&[panel(Vec::new()), panel(vec![line(&[(0.0, 0.0), (30.0, 50.0), (60.0, 100.0)])])], 1);
        // A panel without names is 217 high, one with a name 232.
        assert!(drawn.contains("viewBox=\"0 0 900 449\""), "{drawn}");
        assert!(drawn.contains("points=\"62.0,395.0 474.0,320.0 886.0,245.0\""), "{drawn}");
        let side_by_side = svg(&[panel(Vec::new()), panel(vec![line(&[(0.0, 0.0), (60.0, 100.0)])])], 2);
        assert!(side_by_side.contains("points=\"512.0,178.0 886.0,28.0\""), "{side_by_side}");
    }

    #[test]
    fn names_are_written_as_text_and_are_no_more_than_there_is_room_for() {
        let mut lines: Vec<Line> = (0..10).map(|_| line(&[(0.0, 0.0)])).collect();
        lines[0].name = "<b> & c".to_owned();
        let drawn = svg(&[panel(lines)], 3);
        assert!(drawn.contains(">&lt;b&gt; &amp; c<") && drawn.contains(">and 2 more<"), "{drawn}");
        assert_eq!(drawn.matches(">agent<").count(), 7);
    }

    #[test]
    fn numbers_have_their_unit() {
        for (value, unit, expected) in [
            (0.0, Unit::Seconds, "0"),
            (0.000_35, Unit::Seconds, "350 us"),
            (0.004, Unit::Seconds, "4 ms"),
            (90.0, Unit::Seconds, "1.5 min"),
            (3_145_728.0, Unit::Bytes, "3 MiB"),
            (0.5, Unit::Share, "50 %"),
            (12_500.0, Unit::PerSecond, "12k/s"),
            (2.5, Unit::PerSecond, "2.5/s"),
            (0.02, Unit::Number, "0.020"),
        ] {
            assert_eq!(told(value, unit), expected);
        }
    }
}
