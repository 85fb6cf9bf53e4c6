//! The curve of every activation and of its derivative, as SVG and PNG.

use std::error::Error;
use std::fs;
use std::path::Path;

use ndarray::{Array, Array1};
use ndarray_activations::prelude::*;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

const FUNCTION: RGBColor = RGBColor(0, 90, 181);
const DERIVATIVE: RGBColor = RGBColor(220, 80, 20);
const INK: RGBColor = RGBColor(45, 45, 50);
const AXES: RGBColor = RGBColor(150, 150, 156);
const GRID: RGBColor = RGBColor(232, 232, 236);

/// Inputs run from `-REACH` to `REACH`; outputs beyond it are cut off.
const REACH: f64 = 6.0;
const SAMPLES: usize = 2401;
/// A larger step from one sample to the next is a jump, and no line is drawn there.
const JUMP: f64 = 0.1;

const COLUMNS: usize = 8;
const TILE: (u32, u32) = (300, 230);
const HEAD: u32 = 64;

/// Draws everything into the folder and returns the number of activations.
pub fn draw_all(folder: &Path) -> Result<usize, Box<dyn Error>> {
    // A machine may have no fonts at all, so one comes along.
    register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular())
        .map_err(|_| "the font cannot be read")?;
    fs::create_dir_all(folder)?;
    for &op in Activation::ALL {
        let file = |kind: &str| folder.join(format!("{}.{kind}", op.name()));
        let (svg, png) = (file("svg"), file("png"));
        single(SVGBackend::new(&svg, (720, 480)).into_drawing_area(), op)?;
        single(BitMapBackend::new(&png, (720, 480)).into_drawing_area(), op)?;
    }
    let rows = Activation::ALL.len().div_ceil(COLUMNS) as u32;
    let size = (TILE.0 * COLUMNS as u32, HEAD + TILE.1 * rows);
    let (svg, png) = (folder.join("overview.svg"), folder.join("overview.png"));
    overview(SVGBackend::new(&svg, size).into_drawing_area(), rows as usize)?;
    overview(BitMapBackend::new(&png, size).into_drawing_area(), rows as usize)?;
    Ok(Activation::ALL.len())
}

type Result2<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

fn single<B: DrawingBackend>(area: DrawingArea<B, Shift>, op: Activation) -> Result2<B> {
    area.fill(&WHITE)?;
    tile(&area, op, 2.0)?;
    area.present()
}

fn overview<B: DrawingBackend>(area: DrawingArea<B, Shift>, rows: usize) -> Result2<B> {
    area.fill(&WHITE)?;
    let (head, body) = area.split_vertically(HEAD);
    head.draw(&Text::new(
        "ndarray-activations: every function (blue) with its derivative (orange)",
        (20, 22),
        ("sans-serif", 26).into_font().color(&INK),
    ))?;
    for (place, &op) in body.split_evenly((rows, COLUMNS)).iter().zip(Activation::ALL) {
        tile(place, op, 1.0)?;
    }
    area.present()
}

/// One chart: the name with its parameters, axes through the origin, both curves.
fn tile<B: DrawingBackend>(area: &DrawingArea<B, Shift>, op: Activation, scale: f64) -> Result2<B> {
    let px = |size: f64| (size * scale) as u32;
    let x = Array::linspace(-REACH, REACH, SAMPLES);
    let (y, slope) = (x.activate(op), op.gradient(&x));
    let range = |start: f64, pick: fn(f64, f64) -> f64| {
        y.iter().chain(&slope).fold(start, |a, &b| pick(a, b)).clamp(-REACH, REACH)
    };
    let (low, high) = (range(0.0, f64::min), range(0.0, f64::max));
    let margin = 0.08 * (high - low);
    let (low, high) = (low - margin, high + margin);

    let parameters: Vec<_> = op
        .parameters()
        .iter()
        .map(|(name, value)| format!("{name} {}", short(*value, 4)))
        .collect();
    area.draw(&Text::new(
        op.name().to_owned(),
        (px(14.0) as i32, px(8.0) as i32),
        ("sans-serif", px(17.0)).into_font().color(&INK),
    ))?;
    area.draw(&Text::new(
        parameters.join(", "),
        (px(14.0) as i32, px(29.0) as i32),
        ("sans-serif", px(11.0)).into_font().color(&AXES),
    ))?;
    let mut chart = ChartBuilder::on(area)
        .margin_top(px(44.0))
        .margin_right(px(14.0))
        .margin_bottom(px(4.0))
        .x_label_area_size(px(18.0))
        .y_label_area_size(px(34.0))
        .build_cartesian_2d(-REACH..REACH, low..high)?;
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(TRANSPARENT)
        .x_labels(7)
        .y_labels(5)
        .x_label_formatter(&label)
        .y_label_formatter(&label)
        .label_style(("sans-serif", px(11.0)).into_font().color(&AXES))
        .draw()?;
    let axes = AXES.stroke_width(px(1.0));
    chart.draw_series([
        PathElement::new([(-REACH, 0.0), (REACH, 0.0)], axes),
        PathElement::new([(0.0, low), (0.0, high)], axes),
    ])?;
    // The derivative lies below, where both coincide.
    for (values, colour) in [(&slope, DERIVATIVE), (&y, FUNCTION)] {
        let style = colour.stroke_width(px(2.0));
        chart.draw_series(
            strokes(&x, values, (low, high)).into_iter().map(|line| PathElement::new(line, style)),
        )?;
    }
    Ok(())
}

fn label(value: &f64) -> String {
    short(*value, 2)
}

/// With at most so many digits behind the point, and a true minus sign.
fn short(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    match text.trim_end_matches('0').trim_end_matches('.') {
        "-0" => "0".to_owned(),
        text => text.replace('-', "\u{2212}"),
    }
}

/// The curve in pieces: cut at jumps and where it leaves the chart.
fn strokes(x: &Array1<f64>, y: &Array1<f64>, (low, high): (f64, f64)) -> Vec<Vec<(f64, f64)>> {
    let mut lines = vec![Vec::new()];
    let mut last: Option<f64> = None;
    for (&x, &y) in x.iter().zip(y) {
        let inside = (low..=high).contains(&y);
        if !inside || last.is_some_and(|last| (y - last).abs() > JUMP) {
            lines.push(Vec::new());
        }
        if inside {
            lines.last_mut().expect("never empty").push((x, y));
        }
        last = Some(y);
    }
    lines.retain(|line: &Vec<_>| line.len() > 1);
    lines
}
