//! The cells' nodes in a graph.

use super::{
    CellOps, MlstmCellGradients, MlstmCellInputs, MlstmCellOutputs, SlstmCellGradients, SlstmCellInputs,
    SlstmCellOutputs,
};
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Backend};

/// Tensors and nodes apart; what has no gradient enters without its node.
fn split_mlstm<B: Backend, C: CheckpointStrategy>(
    inputs: MlstmCellInputs<Autodiff<B, C>>,
) -> (MlstmCellInputs<B>, [NodeGuard; 5]) {
    let (query, n0) = inputs.query.into_parts();
    let (key, n1) = inputs.key.into_parts();
    let (value, n2) = inputs.value.into_parts();
    let (input_gate, n3) = inputs.input_gate.into_parts();
    let (forget_gate, n4) = inputs.forget_gate.into_parts();
    let inputs = MlstmCellInputs {
        query,
        key,
        value,
        input_gate,
        forget_gate,
        reset: inputs.reset.into_primitive(),
        memory: inputs.memory.into_primitive(),
        normaliser: inputs.normaliser.into_primitive(),
        stabiliser: inputs.stabiliser.into_primitive(),
    };
    (inputs, [n0, n1, n2, n3, n4])
}

/// As [`split_mlstm`].
fn split_slstm<B: Backend, C: CheckpointStrategy>(
    inputs: SlstmCellInputs<Autodiff<B, C>>,
) -> (SlstmCellInputs<B>, [NodeGuard; 3]) {
    let (input, n0) = inputs.input.into_parts();
    let (recurrent, n1) = inputs.recurrent.into_parts();
    let (bias, n2) = inputs.bias.into_parts();
    let inputs = SlstmCellInputs {
        input,
        recurrent,
        bias,
        recurrent_mask: inputs.recurrent_mask.into_primitive(),
        reset: inputs.reset.into_primitive(),
        output: inputs.output.into_primitive(),
        cell: inputs.cell.into_primitive(),
        normaliser: inputs.normaliser.into_primitive(),
        stabiliser: inputs.stabiliser.into_primitive(),
    };
    (inputs, [n0, n1, n2])
}

#[derive(Debug)]
struct MlstmCellNode;

impl<B: CellOps> Backward<B, 5> for MlstmCellNode {
    type State = (MlstmCellInputs<B>, FloatTensor<B>, bool);

    fn backward(self, ops: Ops<Self::State, 5>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (inputs, hidden, exponential_forget) = ops.state;
        let MlstmCellGradients { query, key, value, input_gate, forget_gate } =
            B::mlstm_cell_backward(inputs, hidden, gradient, exponential_forget);
        for (node, gradient) in ops.parents.into_iter().zip([query, key, value, input_gate, forget_gate]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct SlstmCellNode;

impl<B: CellOps> Backward<B, 3> for SlstmCellNode {
    type State = (SlstmCellInputs<B>, FloatTensor<B>, bool);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (inputs, hidden, exponential_forget) = ops.state;
        let SlstmCellGradients { input, recurrent, bias } =
            B::slstm_cell_backward(inputs, hidden, gradient, exponential_forget);
        for (node, gradient) in ops.parents.into_iter().zip([input, recurrent, bias]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: CellOps, C: CheckpointStrategy> CellOps for Autodiff<B, C> {
    fn mlstm_cell(inputs: MlstmCellInputs<Self>, exponential_forget: bool) -> MlstmCellOutputs<Self> {
        let (inputs, nodes) = split_mlstm(inputs);
        let prepared = MlstmCellNode.prepare::<C>(nodes).compute_bound().stateful();
        let found = B::mlstm_cell(inputs.clone(), exponential_forget);
        let hidden = match prepared {
            OpsKind::Tracked(prepared) => {
                prepared.finish((inputs, found.hidden.clone(), exponential_forget), found.hidden)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(found.hidden),
        };
        MlstmCellOutputs {
            hidden,
            memory: Self::from_inner(found.memory),
            normaliser: Self::from_inner(found.normaliser),
            stabiliser: Self::from_inner(found.stabiliser),
        }
    }

    fn mlstm_cell_backward(
        _inputs: MlstmCellInputs<Self>,
        _hidden: FloatTensor<Self>,
        _gradient: FloatTensor<Self>,
        _exponential_forget: bool,
    ) -> MlstmCellGradients<Self> {
        crate::fused::first_order_only()
    }

    fn slstm_cell(inputs: SlstmCellInputs<Self>, exponential_forget: bool) -> SlstmCellOutputs<Self> {
        let (inputs, nodes) = split_slstm(inputs);
        let prepared = SlstmCellNode.prepare::<C>(nodes).compute_bound().stateful();
        let found = B::slstm_cell(inputs.clone(), exponential_forget);
        let hidden = match prepared {
            OpsKind::Tracked(prepared) => {
                prepared.finish((inputs, found.hidden.clone(), exponential_forget), found.hidden)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(found.hidden),
        };
        SlstmCellOutputs {
            hidden,
            output: Self::from_inner(found.output),
            cell: Self::from_inner(found.cell),
            normaliser: Self::from_inner(found.normaliser),
            stabiliser: Self::from_inner(found.stabiliser),
        }
    }

    fn slstm_cell_backward(
        _inputs: SlstmCellInputs<Self>,
        _hidden: FloatTensor<Self>,
        _gradient: FloatTensor<Self>,
        _exponential_forget: bool,
    ) -> SlstmCellGradients<Self> {
        crate::fused::first_order_only()
    }
}
