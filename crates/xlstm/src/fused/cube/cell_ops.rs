//! The cells' operations on CubeCL backends.

use super::mlstm::mlstm_cell;
use super::mlstm_backward::mlstm_cell_backward;
use super::slstm::slstm_cell;
use super::slstm_backward::slstm_cell_backward;
use crate::fused::cells::{
    CellOps, MlstmCellGradients, MlstmCellInputs, MlstmCellOutputs, SlstmCellGradients, SlstmCellInputs,
    SlstmCellOutputs,
};
use burn::backend::tensor::FloatTensor;
use burn_cubecl::CubeBackend;

impl CellOps for CubeBackend {
    fn mlstm_cell(inputs: MlstmCellInputs<Self>, exponential_forget: bool) -> MlstmCellOutputs<Self> {
        mlstm_cell(inputs, exponential_forget)
    }

    fn mlstm_cell_backward(
        inputs: MlstmCellInputs<Self>,
        hidden: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        exponential_forget: bool,
    ) -> MlstmCellGradients<Self> {
        mlstm_cell_backward(inputs, hidden, gradient, exponential_forget)
    }

    fn slstm_cell(inputs: SlstmCellInputs<Self>, exponential_forget: bool) -> SlstmCellOutputs<Self> {
        slstm_cell(inputs, exponential_forget)
    }

    fn slstm_cell_backward(
        inputs: SlstmCellInputs<Self>,
        hidden: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        exponential_forget: bool,
    ) -> SlstmCellGradients<Self> {
        slstm_cell_backward(inputs, hidden, gradient, exponential_forget)
    }
}
