//! Charts as self-contained SVG documents: explanations of a model, hyperparameter searches, comparisons with intervals,
//! reports of a simulation.
//!
//! Each chart is a struct of plain data with a method `svg`: [`BarChart`], [`Beeswarm`], [`HeatMap`],
//! [`ParallelCoordinates`], [`ScatterPlot`], [`IntervalPlot`], [`LineChart`], [`Histogram`], [`ConfusionMatrix`],
//! [`ReliabilityDiagram`]. [`ChartStyle`] is what the charts of a report share.
//!
//! Invariants:
//! - The same data and style give the same bytes, on every machine.
//! - A document needs nothing else: no script, no font, no style sheet, no network. It has no ids, so that several can stand
//!   in one HTML page.
//! - **Nothing is dropped silently**: every value is drawn and every name is written in full; the page grows instead.
//!   Where too many columns or ticks have no room for all their labels, that field's documentation says so.
//! - Whatever is not finite, empty or of another length is refused with a [`ChartError`] that names the entry.
//! - Text stays text and is escaped; a title and a description say in words what is drawn.
//! - Colours tell apart what they tell apart also without colour vision, or dashes, hollow points and strokes do.
//!
//! It never sees a market or a model, computes no statistic but a histogram's counts, reads and writes no file and no clock,
//! and makes no bitmaps.
//!
//! ```
//! use charts::{Bar, BarChart, ChartStyle, Theme};
//!
//! let bars = [
//!     Bar { label: "rsi_14", value: 0.31, interval: Some((0.27, 0.35)), group: 0 },
//!     Bar { label: "log_return_1", value: 0.12, interval: Some((0.08, 0.15)), group: 0 },
//! ];
//! let chart = BarChart { title: "Importance", value_label: "mean |SHAP value|", bars: &bars, groups: &[] };
//! let svg = chart.svg(&ChartStyle { theme: Theme::Dark, ..Default::default() })?;
//! assert!(svg.starts_with("<svg") && svg.contains(">log_return_1</text>"));
//! # Ok::<(), charts::ChartError>(())
//! ```

mod axis;
mod bar_chart;
mod beeswarm;
mod colour;
mod confusion_matrix;
mod error;
mod heat_map;
mod histogram;
mod interval_plot;
mod line_chart;
mod number_format;
mod parallel_coordinates;
mod reliability_diagram;
mod scatter_plot;
mod sheet;
mod style;
mod svg;
mod swarm;
mod text_width;

pub use axis::AxisScale;
pub use bar_chart::{Bar, BarChart};
pub use beeswarm::{Beeswarm, SwarmRow};
pub use colour::ColourMap;
pub use confusion_matrix::ConfusionMatrix;
pub use error::ChartError;
pub use heat_map::HeatMap;
pub use histogram::{Bins, Histogram};
pub use interval_plot::{Estimate, IntervalPlot};
pub use line_chart::{Joined, LineChart, Series};
pub use parallel_coordinates::{ParallelAxis, ParallelCoordinates};
pub use reliability_diagram::{ReliabilityBin, ReliabilityCurve, ReliabilityDiagram};
pub use scatter_plot::{PointColour, ScatterPlot};
pub use style::{ChartStyle, Theme};
