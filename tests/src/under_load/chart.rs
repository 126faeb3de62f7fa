//! Lines over time, as SVG.

use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 170.0;
const EDGE: f64 = 30.0;

/// They differ also for readers who do not see all colours.
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

/// One quantity of several processes.
#[derive(Debug)]
pub struct Panel {
    pub title: String,
    pub lines: Vec<Line>,
}

/// One process: at so many seconds, so much.
#[derive(Debug)]
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// The panels, one below the other, each with a scale of its own from zero on.
pub fn svg(panels: &[Panel]) -> String {
    let height = HEIGHT * panels.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (number, panel) in panels.iter().enumerate() {
        draw(&mut svg, panel, HEIGHT * number as f64);
    }
    svg + "</svg>\n"
}

fn draw(svg: &mut String, panel: &Panel, top: f64) {
    let points = || panel.lines.iter().flat_map(|line| &line.points);
    let end = points().map(|(at, _)| *at).fold(1.0, f64::max);
    let most = points().map(|(_, value)| *value).fold(1.0, f64::max);
    let x = |at: f64| LEFT + at / end * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| top + HEIGHT - EDGE - value / most * (HEIGHT - 2.0 * EDGE);
    let mut text = |x: f64, y: f64, anchor: &str, colour: &str, text: &str| {
        let _never = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{text}</text>"
        );
    };
    text(LEFT, top + 18.0, "start", "black", &panel.title);
    for part in [0.0, 0.5, 1.0] {
        text(LEFT - 8.0, y(most * part) + 4.0, "end", "black", &format!("{:.0}", most * part));
        text(x(end * part), top + HEIGHT - 12.0, "middle", "black", &format!("{:.0} s", end * part));
    }
    for (number, line) in panel.lines.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        text(WIDTH - RIGHT + 12.0, top + 40.0 + 18.0 * number as f64, "start", colour, &line.name);
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

    #[test]
    fn every_point_lies_inside_its_panel() {
        let line = Line { name: "agent".to_owned(), points: vec![(0.0, 0.0), (30.0, 50.0), (60.0, 100.0)] };
        let panel = || Panel { title: "MiB".to_owned(), lines: Vec::new() };
        let svg = svg(&[panel(), Panel { lines: vec![line], ..panel() }]);
        assert!(svg.contains("viewBox=\"0 0 860 520\""), "{svg}");
        assert!(svg.contains("points=\"70.0,490.0 380.0,390.0 690.0,290.0\""), "{svg}");
    }
}
