//! Sequence networks on Burn, which supervised and reinforcement learning share: the xLSTM, and what it has to beat.
//!
//! An [`Architecture`] says which network and its sizes, a [`Network`] runs `[batch, time, inputs]` into `[batch, time, width]`.
//!
//! Invariants:
//! - **Nothing looks ahead**: an output depends on its own row and rows before it.
//! - **A sequence is its pieces**: running it at once, in pieces or step by step with the state carried gives the same.
//! - A state carries no gradient, and can be kept as plain numbers ([`NetworkState::to_rows`]).
//! - Parameters go out and in as one flat vector ([`parameters`], [`with_parameters`]), always in the same order.
//!
//! It never sees markets, labels, rewards, files or clocks, and draws random numbers from generators that it is given only.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use networks::{Architecture, LstmConfig, NetworkRun};
//! use rand::SeedableRng;
//!
//! let device = Device::flex();
//! let mut random = rand::rngs::Xoshiro256PlusPlus::seed_from_u64(1);
//! let architecture = Architecture::Lstm(LstmConfig { width: 8, ..LstmConfig::default() });
//! let network = architecture.init(3, &mut random, &device)?;
//! let run = NetworkRun { keep_state: true, ..NetworkRun::default() };
//! let (hidden, state) = network.run(Tensor::zeros([2, 5, 3], &device), run)?;
//! assert_eq!(hidden.dims(), [2, 5, 8]);
//! assert_eq!(state.unwrap().to_rows()?.len(), 2 * network.state_width(&device)?);
//! # Ok::<(), networks::NetworkError>(())
//! ```

mod context;
mod convolutional;
mod error;
mod initial;
mod lstm;
mod network;
mod parameters;
mod perceptron;
mod state;
mod transformer;

pub use convolutional::{Convolutional, ConvolutionalConfig};
pub use error::NetworkError;
pub use lstm::{Lstm, LstmConfig, LstmLayerState};
pub use network::{Architecture, Network, NetworkRun, NetworkState};
pub use parameters::{parameter_gradients, parameters, values, with_parameters};
pub use perceptron::{Perceptron, PerceptronConfig};
pub use transformer::{Transformer, TransformerConfig};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod torch_tests;
