//! How the marks of a rule look.

/// Colours that colour-blind people can tell apart (Okabe and Ito), by rule.
const COLOURS: [&str; 7] = ["#d55e00", "#0072b2", "#cc79a7", "#009e73", "#e69f00", "#7b3ff2", "#56b4e9"];

/// Where there are more rules than colours, the shape tells them apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) colour: &'static str,
    shape: Shape,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Circle,
    Square,
    Diamond,
}

impl Look {
    pub(super) fn of(index: usize) -> Self {
        let shape = match index / COLOURS.len() % 3 {
            0 => Shape::Circle,
            1 => Shape::Square,
            _ => Shape::Diamond,
        };
        Self { colour: COLOURS.get(index % COLOURS.len()).copied().unwrap_or("#555"), shape }
    }
}

/// A rule that has no look of its own, and labels in the legend.
pub(super) const PLAIN: Look = Look { colour: "#555", shape: Shape::Circle };

/// Filled where it is right, or nobody knows; an outline where it lies outside every label.
pub(super) fn mark((x, y): (f64, f64), look: Look, filled: bool, title: Option<&str>) -> String {
    let (fill, stroke) = if filled { (look.colour, "#fff") } else { ("#fff", look.colour) };
    let width = if filled { 0.8 } else { 1.8 };
    let (element, place) = match look.shape {
        Shape::Circle => ("circle", format!("cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"")),
        Shape::Square => ("path", format!("d=\"M{:.1} {:.1}h7.4v7.4h-7.4z\"", x - 3.7, y - 3.7)),
        Shape::Diamond => ("path", format!("d=\"M{x:.1} {:.1}l5 5l-5 5l-5 -5z\"", y - 5.0)),
    };
    let style = format!("class=\"mark\" {place} fill=\"{fill}\" stroke=\"{stroke}\" stroke-width=\"{width}\"");
    match title {
        Some(title) => format!("<{element} {style}><title>{title}</title></{element}>"),
        None => format!("<{element} {style}/>"),
    }
}
