//! The plot: each rate as a bar next to its limit.

use crate::row::{Measure, Row};
use anyhow::{Result, anyhow};
use plotters::prelude::*;
use std::path::Path;

const WIDTH: u32 = 860;
const BAR: i32 = 18;
const GAP: i32 = 26;
const LEFT: i32 = 190;
const RIGHT: i32 = 150;
const TOP: i32 = 50;
const OURS: RGBColor = RGBColor(0xb7, 0x41, 0x0e);
const LIMIT: RGBColor = RGBColor(0x9a, 0xa5, 0xb1);
const TEXT: RGBColor = RGBColor(0x57, 0x60, 0x6a);

/// The rows that are counted in messages per second, up to some millions, so that trimming does not dwarf the others.
pub(crate) fn draw(rows: &[Row], file: &Path) -> Result<()> {
    let bars: Vec<&Row> = rows.iter().filter(|row| row.measure == Measure::Rate && row.limit < 5e6).collect();
    let height = TOP + i32::try_from(bars.len())? * (2 * BAR + GAP);
    let area = SVGBackend::new(file, (WIDTH, u32::try_from(height)?)).into_drawing_area();
    paint(&area, &bars).map_err(|error| anyhow!("could not draw {}: {error}", file.display()))
}

fn paint(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    bars: &[&Row],
) -> Result<(), Box<dyn std::error::Error>> {
    let font = |size: i32| ("sans-serif", size).into_font().color(&TEXT);
    area.fill(&WHITE)?;
    area.draw(&Text::new(
        "Messages a second: Redstream, and Redis's own benchmark in the same run",
        (12, 14),
        font(16),
    ))?;
    let most = bars.iter().flat_map(|row| [row.ours, row.limit]).fold(1.0, f64::max);
    let room = f64::from(i32::try_from(WIDTH)? - LEFT - RIGHT);
    let mut top = TOP;
    for row in bars {
        area.draw(&Text::new(row.name.replace('_', " "), (12, top + BAR - 6), font(15)))?;
        for (value, color, label) in [(row.ours, OURS, "ours"), (row.limit, LIMIT, "redis-benchmark")] {
            #[expect(clippy::cast_possible_truncation, reason = "less than the plot's width")]
            let right = LEFT + (value / most * room) as i32;
            area.draw(&Rectangle::new([(LEFT, top), (right, top + BAR - 2)], color.filled()))?;
            let text = format!("{} {label}", super::table::figure(value));
            area.draw(&Text::new(text, (right + 6, top + 2), font(13)))?;
            top += BAR;
        }
        top += GAP;
    }
    area.present()?;
    Ok(())
}
