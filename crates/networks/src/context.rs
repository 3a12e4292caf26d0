//! Networks that see a fixed number of rows, run like recurrent ones: their state is the rows before.

use burn::tensor::{Device, Tensor};
use rand::Rng;

use crate::error::NetworkError;
use crate::network::{NetworkRun, NetworkState, foreign_state};

/// How many rows before a step count for it, and how wide they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    pub rows: usize,
    pub inputs: usize,
}

/// Rows to run over, the state after them, the numbers of dropout.
type Rows<'a> = (Tensor<3>, Option<NetworkState>, Option<&'a mut dyn Rng>);

impl Context {
    pub(crate) fn empty(self, batch: usize, device: &Device) -> NetworkState {
        NetworkState::Rows(Tensor::zeros([batch, self.rows, self.inputs], device))
    }

    /// Puts the rows of the state in front of the input: `[batch, rows + time, inputs]`, of which a network without padding
    /// makes `time` outputs (one, where the last alone is wanted).
    pub(crate) fn rows(self, input: Tensor<3>, run: NetworkRun<'_>) -> Result<Rows<'_>, NetworkError> {
        let [batch, time, inputs] = input.dims();
        if inputs != self.inputs {
            let reason = format!("they have {inputs} columns, the network takes {}", self.inputs);
            return Err(NetworkError::data("the inputs", reason));
        }
        let before = match run.state {
            Some(NetworkState::Rows(rows)) => rows,
            None => Tensor::zeros([batch, self.rows, inputs], &input.device()),
            Some(_) => return Err(foreign_state()),
        };
        if before.dims() != [batch, self.rows, inputs] {
            return Err(foreign_state());
        }
        let all = if self.rows == 0 { input } else { Tensor::cat(vec![before, input], 1) };
        let state =
            run.keep_state.then(|| NetworkState::Rows(all.clone().narrow(1, time, self.rows).detach()));
        let seen = if run.last_only { all.narrow(1, time - 1, self.rows + 1) } else { all };
        Ok((seen, state, run.dropout))
    }
}
