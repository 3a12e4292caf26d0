//! Small networks with gradients written by hand.

use std::cell::Cell;

use rand::RngExt;

use super::differentiable_model::DifferentiableModel;
use super::windows::Windows;
use crate::error::SupervisedError;
use crate::random::generator;

/// A perceptron of tanh layers over the whole window and a linear last one, in f64.
pub(super) struct Perceptron {
    /// `[inputs, outputs]` of each layer.
    pub(super) weights: Vec<Vec<f64>>,
    pub(super) biases: Vec<Vec<f64>>,
    /// Windows whose gradients were asked for, counted per output.
    pub(super) gradient_rows: Cell<usize>,
}

/// Numbers from a generator, within ±`scale`.
pub(super) fn uniform(count: usize, scale: f64, index: u64) -> Vec<f64> {
    let mut rng = generator(2, "test/explanation", index);
    (0..count).map(|_| rng.random_range(-scale..scale)).collect()
}

/// As [`uniform`], for inputs.
pub(super) fn inputs(count: usize, index: u64) -> Vec<f32> {
    uniform(count, 2.0, index).into_iter().map(|value| value as f32).collect()
}

impl Perceptron {
    pub(super) fn new(weights: Vec<Vec<f64>>, biases: Vec<Vec<f64>>) -> Self {
        Self { weights, biases, gradient_rows: Cell::new(0) }
    }

    /// Random weights whose size is `steepness / √inputs` of a layer.
    pub(super) fn random(sizes: &[usize], steepness: f64, index: u64) -> Self {
        let layer = |(at, pair): (usize, &[usize])| {
            uniform(pair[0] * pair[1], steepness * (3.0 / pair[0] as f64).sqrt(), 100 * index + at as u64)
        };
        let weights = sizes.windows(2).enumerate().map(layer).collect();
        let bias = |(at, size): (usize, &usize)| uniform(*size, 0.5, 100 * index + 50 + at as u64);
        Self::new(weights, sizes[1..].iter().enumerate().map(bias).collect())
    }

    /// Activations of every layer, the input first.
    fn activations(&self, window: &[f32]) -> Vec<Vec<f64>> {
        let mut layers = vec![window.iter().copied().map(f64::from).collect::<Vec<f64>>()];
        for (at, (weight, bias)) in self.weights.iter().zip(&self.biases).enumerate() {
            let mut next = bias.clone();
            for (input, row) in layers[at].iter().zip(weight.chunks(bias.len())) {
                next.iter_mut().zip(row).for_each(|(sum, weight)| *sum += input * weight);
            }
            if at + 1 < self.weights.len() {
                next.iter_mut().for_each(|value| *value = value.tanh());
            }
            layers.push(next);
        }
        layers
    }
}

impl DifferentiableModel for Perceptron {
    fn outputs(&self) -> usize {
        self.biases[self.biases.len() - 1].len()
    }

    fn evaluate(&self, windows: Windows<'_>) -> Result<Vec<f32>, SupervisedError> {
        let last = |window| self.activations(windows.window(window)).pop().unwrap();
        Ok((0..windows.count()).flat_map(last).map(|value| value as f32).collect())
    }

    fn input_gradients(&self, windows: Windows<'_>, upstream: &[f32]) -> Result<Vec<f32>, SupervisedError> {
        self.gradient_rows.set(self.gradient_rows.get() + windows.count());
        let mut gradients = Vec::with_capacity(windows.values().len());
        for window in 0..windows.count() {
            let layers = self.activations(windows.window(window));
            let mut gradient: Vec<f64> = upstream.iter().copied().map(f64::from).collect();
            for at in (0..self.weights.len()).rev() {
                let rows = self.weights[at].chunks(gradient.len());
                let before: Vec<f64> = rows
                    .map(|row| row.iter().zip(&gradient).map(|(weight, value)| weight * value).sum())
                    .collect();
                let slope = |value: f64| if at == 0 { 1.0 } else { 1.0 - value * value };
                gradient = before.iter().zip(&layers[at]).map(|(sum, value)| sum * slope(*value)).collect();
            }
            gradients.extend(gradient.into_iter().map(|value| value as f32));
        }
        Ok(gradients)
    }
}

/// A model whose two outputs are functions of single numbers of a window: each output is `Σ scale f(input at
/// place)`.
pub(super) struct Places {
    /// `[outputs]` of places in the window and their scales.
    pub(super) places: Vec<Vec<(usize, f64)>>,
    pub(super) function: fn(f64) -> f64,
    pub(super) slope: fn(f64) -> f64,
}

impl DifferentiableModel for Places {
    fn outputs(&self) -> usize {
        self.places.len()
    }

    fn evaluate(&self, windows: Windows<'_>) -> Result<Vec<f32>, SupervisedError> {
        let mut outputs = Vec::new();
        for window in 0..windows.count() {
            let input = |place: usize| f64::from(windows.window(window)[place]);
            for places in &self.places {
                let sum: f64 =
                    places.iter().map(|(place, scale)| scale * (self.function)(input(*place))).sum();
                outputs.push(sum as f32);
            }
        }
        Ok(outputs)
    }

    fn input_gradients(&self, windows: Windows<'_>, upstream: &[f32]) -> Result<Vec<f32>, SupervisedError> {
        let mut gradients = vec![0.0; windows.values().len()];
        for (window, gradient) in gradients.chunks_mut(windows.size()).enumerate() {
            for (places, upstream) in self.places.iter().zip(upstream) {
                for (place, scale) in places {
                    let slope = (self.slope)(f64::from(windows.window(window)[*place]));
                    gradient[*place] += (f64::from(*upstream) * scale * slope) as f32;
                }
            }
        }
        Ok(gradients)
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let network = Perceptron::random(&[6, 9, 5, 2], 1.5, 7);
    let point = inputs(6, 9);
    let windows = Windows::new(&point, 3, 2).unwrap();
    let gradients = network.output_gradients(windows).unwrap();
    let step = 1.0 / 1024.0;
    for input in 0..6 {
        let at = |shift: f32| {
            let mut moved = point.clone();
            moved[input] += shift;
            network.activations(&moved).pop().unwrap()
        };
        let (above, below) = (at(step), at(-step));
        for output in 0..2 {
            let wanted = (above[output] - below[output]) / (2.0 * f64::from(step));
            let seen = f64::from(gradients[output * 6 + input]);
            assert!((seen - wanted).abs() < 1e-4, "{seen} {wanted}");
        }
    }
}
