//! States as plain rows of numbers, for whoever keeps them outside tensors.
//!
//! A row holds one sequence: the tensors of the state in the order of the layers, each row-major. Numbers of 64 bits (the
//! normaliser of an mLSTM on a CPU) stand as two of 32, the rounded number and what rounding left over, which loses nothing
//! that the network would see.

use burn::tensor::{DType, Device, Tensor, TensorData};
use xlstm::XlstmState;
use xlstm::state::LayerState;

use crate::error::NetworkError;
use crate::lstm::LstmLayerState;
use crate::network::{Network, NetworkState};

impl Network {
    /// Numbers in the row of one sequence.
    ///
    /// # Errors
    /// [`NetworkError::Data`] where the state is not of floats.
    pub fn state_width(&self, device: &Device) -> Result<usize, NetworkError> {
        Ok(self.empty_state(1, device).to_rows()?.len())
    }

    /// The state of `rows` `[batch, state width]`.
    ///
    /// # Errors
    /// [`NetworkError::Data`] where they are not as many as a state of this network has.
    pub fn state_from_rows(
        &self,
        rows: &[f32],
        batch: usize,
        device: &Device,
    ) -> Result<NetworkState, NetworkError> {
        let template = self.empty_state(batch, device);
        let width = rows.len() / batch.max(1);
        let mut source = Source { rows, width, batch, offset: 0 };
        let state = template.map(&mut source)?;
        if source.offset != width || width * batch != rows.len() {
            return Err(other_state(rows.len(), batch, source.offset));
        }
        Ok(state)
    }
}

impl NetworkState {
    /// All of it, `[batch, state width]`.
    ///
    /// # Errors
    /// [`NetworkError::Data`] where a tensor is not of floats.
    pub fn to_rows(&self) -> Result<Vec<f32>, NetworkError> {
        let mut collected = Collected::default();
        self.clone().map(&mut collected)?;
        let width: usize = collected.parts.iter().map(|part| part.len() / collected.batch.max(1)).sum();
        let mut rows = Vec::with_capacity(width * collected.batch);
        for sequence in 0..collected.batch {
            for part in &collected.parts {
                let width = part.len() / collected.batch;
                rows.extend_from_slice(&part[sequence * width..(sequence + 1) * width]);
            }
        }
        Ok(rows)
    }

    /// Every tensor in order, replaced by what the mapper makes of it.
    fn map(self, mapper: &mut impl StateMapper) -> Result<Self, NetworkError> {
        Ok(match self {
            Self::Rows(rows) => Self::Rows(mapper.map(rows)?),
            Self::Lstm(layers) => {
                let layer = |layer: LstmLayerState| {
                    Ok(LstmLayerState { hidden: mapper.map(layer.hidden)?, cell: mapper.map(layer.cell)? })
                };
                Self::Lstm(layers.into_iter().map(layer).collect::<Result<_, NetworkError>>()?)
            }
            Self::Xlstm(state) => {
                let layers = state.layers.into_iter().map(|layer| map_layer(layer, mapper));
                Self::Xlstm(XlstmState { layers: layers.collect::<Result<_, NetworkError>>()? })
            }
        })
    }
}

fn map_layer(layer: LayerState, mapper: &mut impl StateMapper) -> Result<LayerState, NetworkError> {
    Ok(match layer {
        LayerState::Mlstm(mut state) => {
            state.window = mapper.map(state.window)?;
            state.memory = mapper.map(state.memory)?;
            state.normaliser = mapper.map(state.normaliser)?;
            state.stabiliser = mapper.map(state.stabiliser)?;
            LayerState::Mlstm(state)
        }
        LayerState::Slstm(mut state) => {
            state.window = mapper.map(state.window)?;
            state.output = mapper.map(state.output)?;
            state.cell = mapper.map(state.cell)?;
            state.normaliser = mapper.map(state.normaliser)?;
            state.stabiliser = mapper.map(state.stabiliser)?;
            LayerState::Slstm(state)
        }
        LayerState::Attention(mut state) => {
            state.keys = mapper.map(state.keys)?;
            state.values = mapper.map(state.values)?;
            state.present = mapper.map(state.present)?;
            LayerState::Attention(state)
        }
    })
}

trait StateMapper {
    fn map<const D: usize>(&mut self, tensor: Tensor<D>) -> Result<Tensor<D>, NetworkError>;
}

/// The tensors as they come, each `[batch, its width]`.
#[derive(Default)]
struct Collected {
    parts: Vec<Vec<f32>>,
    batch: usize,
}

impl StateMapper for Collected {
    fn map<const D: usize>(&mut self, tensor: Tensor<D>) -> Result<Tensor<D>, NetworkError> {
        self.batch = tensor.dims()[0];
        let data = tensor.clone().into_data();
        let part = if tensor.dtype() == DType::F64 {
            let wide: Vec<f64> = data.try_into_vec().map_err(|error| unreadable(&error))?;
            wide.into_iter().flat_map(halves).collect()
        } else {
            data.try_into_vec().map_err(|error| unreadable(&error))?
        };
        self.parts.push(part);
        Ok(tensor)
    }
}

/// Rows that tensors are cut from.
struct Source<'a> {
    rows: &'a [f32],
    width: usize,
    batch: usize,
    /// Numbers of each row that are taken.
    offset: usize,
}

impl StateMapper for Source<'_> {
    fn map<const D: usize>(&mut self, tensor: Tensor<D>) -> Result<Tensor<D>, NetworkError> {
        let shape = tensor.dims();
        let wide = tensor.dtype() == DType::F64;
        let count = shape.iter().skip(1).product::<usize>() * if wide { 2 } else { 1 };
        let (from, to) = (self.offset, self.offset + count);
        if to > self.width {
            return Err(other_state(self.rows.len(), self.batch, to));
        }
        self.offset = to;
        let part: Vec<f32> =
            self.rows.chunks_exact(self.width.max(1)).flat_map(|row| &row[from..to]).copied().collect();
        let device = tensor.device();
        Ok(if wide {
            let whole: Vec<f64> = part.chunks_exact(2).map(|halves| whole(halves[0], halves[1])).collect();
            Tensor::from_data(TensorData::new(whole, shape), (&device, DType::F64))
        } else {
            Tensor::from_data(TensorData::new(part, shape), &device)
        })
    }
}

/// A number of 64 bits as the nearest of 32 and the rest.
fn halves(value: f64) -> [f32; 2] {
    let high = value as f32;
    // An infinity has no rest, and one minus itself would be no number.
    let low = if high.is_finite() { (value - f64::from(high)) as f32 } else { 0.0 };
    [high, low]
}

fn whole(high: f32, low: f32) -> f64 {
    f64::from(high) + f64::from(low)
}

fn unreadable(error: &impl std::fmt::Debug) -> NetworkError {
    NetworkError::data("the state", format!("it is not of floats: {error:?}"))
}

fn other_state(numbers: usize, batch: usize, needed: usize) -> NetworkError {
    let reason = format!(
        "{numbers} numbers for {batch} sequences are not {needed} for each; it is of another network"
    );
    NetworkError::data("the state", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_of_32_bits_hold_one_of_64() {
        for value in [0.0, 1.0 / 3.0, -1e10 / 7.0, 123_456.789_012_345, 1e-20] {
            let [high, low] = halves(value);
            assert!((whole(high, low) - value).abs() <= 1e-14 * value.abs(), "{value}");
        }
        let [high, low] = halves(f64::NEG_INFINITY);
        assert_eq!(whole(high, low), f64::NEG_INFINITY);
    }
}
