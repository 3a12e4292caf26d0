//! A small recurrent network for tests: hₜ = tanh(V xₜ + U hₜ₋₁ + b), yₜ = W hₜ + c (Elman 1990), plainly.

use super::initialisation::orthogonal;
use super::{Network, SequenceBatch};
use crate::error::RlError;
use crate::random::generator;

/// Parameters: V `[width, inputs]`, U `[width, width]`, b, W `[outputs, width]`, c.
#[derive(Clone)]
pub(crate) struct Elman {
    sizes: [usize; 3],
    parameters: Vec<f32>,
    /// Of the last forward: observations, hidden states, and those before each step after a reset.
    remembered: [Vec<f32>; 3],
    starts: Vec<bool>,
    time: usize,
}

impl Elman {
    pub(crate) fn new(inputs: usize, width: usize, outputs: usize, gain: f32, seed: u64) -> Self {
        let mut random = generator(seed, "elman", 0);
        let mut parameters = vec![0.0; width * (inputs + width + 1) + outputs * (width + 1)];
        let (input, rest) = parameters.split_at_mut(width * inputs);
        orthogonal(input, inputs, 0, inputs, 1.0, &mut random);
        let (recurrent, rest) = rest.split_at_mut(width * width);
        orthogonal(recurrent, width, 0, width, 1.0, &mut random);
        orthogonal(&mut rest[width..width + outputs * width], width, 0, width, gain, &mut random);
        let sizes = [inputs, width, outputs];
        Self { sizes, parameters, remembered: Default::default(), starts: Vec::new(), time: 0 }
    }

    /// Where V, U, b, W and c begin.
    fn offsets(&self) -> [usize; 5] {
        let [inputs, width, outputs] = self.sizes;
        let recurrent = width * inputs;
        let bias = recurrent + width * width;
        [0, recurrent, bias, bias + width, bias + width + outputs * width]
    }

    fn cell(&self, x: &[f32], state: &mut [f32], y: &mut [f32]) {
        let ([v, u, b, w, c], [inputs, width, _], p) = (self.offsets(), self.sizes, &self.parameters);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let next: Vec<f32> = (0..width)
            .map(|i| {
                let (v, u) = (v + i * inputs, u + i * width);
                (dot(&p[v..v + inputs], x) + dot(&p[u..u + width], state) + p[b + i]).tanh()
            })
            .collect();
        state.copy_from_slice(&next);
        for (o, y) in y.iter_mut().enumerate() {
            *y = dot(&p[w + o * width..w + (o + 1) * width], state) + p[c + o];
        }
    }
}

impl Network for Elman {
    fn inputs(&self) -> usize {
        self.sizes[0]
    }

    fn outputs(&self) -> usize {
        self.sizes[2]
    }

    fn state_width(&self) -> usize {
        self.sizes[1]
    }

    fn initial_state(&self, state: &mut [f32]) {
        state.fill(0.0);
    }

    fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut [f32] {
        &mut self.parameters
    }

    fn step(&mut self, observations: &[f32], states: &mut [f32], outputs: &mut [f32]) -> Result<(), RlError> {
        let [inputs, width, count] = self.sizes;
        let rows = observations.chunks(inputs).zip(states.chunks_mut(width)).zip(outputs.chunks_mut(count));
        rows.for_each(|((x, state), y)| self.cell(x, state, y));
        Ok(())
    }

    fn forward(&mut self, batch: &SequenceBatch<'_>, outputs: &mut [f32]) -> Result<(), RlError> {
        let [inputs, width, count] = self.sizes;
        let mut remembered = [batch.observations.to_vec(), Vec::new(), Vec::new()];
        for sequence in 0..batch.sequences {
            let mut state = batch.states[sequence * width..(sequence + 1) * width].to_vec();
            for row in sequence * batch.time..(sequence + 1) * batch.time {
                if batch.starts[row] {
                    self.initial_state(&mut state);
                }
                remembered[2].extend_from_slice(&state);
                let x = &batch.observations[row * inputs..(row + 1) * inputs];
                self.cell(x, &mut state, &mut outputs[row * count..(row + 1) * count]);
                remembered[1].extend_from_slice(&state);
            }
        }
        (self.remembered, self.starts, self.time) = (remembered, batch.starts.to_vec(), batch.time);
        Ok(())
    }

    fn backward(&mut self, output_gradient: &[f32], gradient: &mut [f32]) -> Result<(), RlError> {
        let ([v, u, b, w, c], [inputs, width, count], p) = (self.offsets(), self.sizes, &self.parameters);
        let [observations, hidden, before] = &self.remembered;
        for sequence in 0..self.starts.len() / self.time {
            let mut carried = vec![0.0; width];
            for row in (sequence * self.time..(sequence + 1) * self.time).rev() {
                let h = &hidden[row * width..(row + 1) * width];
                let dy = &output_gradient[row * count..(row + 1) * count];
                let mut dh = carried;
                for (o, dy) in dy.iter().enumerate() {
                    gradient[c + o] += dy;
                    for i in 0..width {
                        gradient[w + o * width + i] += dy * h[i];
                        dh[i] += dy * p[w + o * width + i];
                    }
                }
                carried = vec![0.0; width];
                for i in 0..width {
                    let dz = dh[i] * (1.0 - h[i] * h[i]);
                    gradient[b + i] += dz;
                    for k in 0..inputs {
                        gradient[v + i * inputs + k] += dz * observations[row * inputs + k];
                    }
                    for k in 0..width {
                        gradient[u + i * width + k] += dz * before[row * width + k];
                        carried[k] += dz * p[u + i * width + k];
                    }
                }
                if self.starts[row] {
                    carried.fill(0.0);
                }
            }
        }
        Ok(())
    }
}
