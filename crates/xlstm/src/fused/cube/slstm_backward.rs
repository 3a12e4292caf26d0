//! sLSTM cell, backward. All outputs are known, so only the gradient through R runs step by step:
//!
//! 1. `preactivations`: pre = x + b + R (mask y_(t-1)), all steps at once;
//! 2. `states`: c, n and m of every step, one unit per (batch row, head, output);
//! 3. `backward`: one cube per (tile of batch rows, head), steps in reverse, R in shared memory where it fits;
//! 4. `weight_gradients` and `add_partials`: dR and db, from slices of rows that are added in order.
//!
//! ```text
//! e = dy_t + mask R^T dx_(t+1)        dc += e o/n        dn -= e y/n
//! d_i = ig (z dc + dn)                d_f = fg (c_(t-1) dc + n_(t-1) dn) dlogf/df
//! d_z = ig dc (1 - z^2)               d_o = e y (1 - o)           dc *= fg      dn *= fg
//! dR = sum dx_t (mask y_(t-1))^T      db = sum dx_t
//! ```
//!
//! The stabiliser is a constant: y does not depend on it.

use super::slstm::{
    GATES, Plan, ROWS, SlstmInputs, forget_weight, load_recurrent, next_stabiliser, recurrent_sums, sizes,
};
use super::{
    TILE, empty_beside, exponential, hyperbolic_tangent, log_forget, log_forget_slope, padded, sigmoid,
    spread_within,
};
use crate::fused::cells::SlstmCellGradients;
use burn::backend::TensorMetadata;
use burn::backend::cubecl::dtype_to_storage_type;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

/// Units of the kernels without shared memory.
const UNITS: usize = 128;

/// Values of every step, made anew from the outputs: `[batch, time, heads, dim]` each.
struct Trace {
    /// mask y_(t-1), zero after a reset.
    before: CubeTensor,
    cell: CubeTensor,
    normaliser: CubeTensor,
    stabiliser: CubeTensor,
}

/// Gradients from those of the outputs; `inputs` and `output` are those of the forward call.
pub(crate) fn slstm_cell_backward(
    inputs: SlstmInputs,
    output: CubeTensor,
    output_gradient: CubeTensor,
    exponential_forget: bool,
) -> SlstmCellGradients<CubeBackend> {
    let inputs = inputs.contiguous();
    let [batch, time, heads, dim] = sizes(&inputs.input);
    let like = inputs.input.clone();
    let client = like.client.clone();
    let dtype = dtype_to_storage_type(like.dtype());
    // Holds the pre-activations until the gradients take their places.
    let gradient = empty_beside(&like, [batch, time, GATES, heads, dim]);
    let trace = trace(&inputs, into_contiguous(output), &gradient, exponential_forget);
    let plan = Plan { exponential_forget, ..Plan::fit(&like, batch, heads, 2 * GATES * dim, dim) };
    backward_kernel::launch(
        &client,
        CubeCount::Static(batch.div_ceil(plan.rows()) as u32, heads as u32, 1),
        CubeDim::new_1d(plan.units() as u32),
        head_major(&inputs).into_buffer_arg(),
        inputs.recurrent_mask.into_buffer_arg(),
        inputs.reset.into_buffer_arg(),
        inputs.cell.into_buffer_arg(),
        inputs.normaliser.into_buffer_arg(),
        inputs.stabiliser.into_buffer_arg(),
        trace.cell.into_buffer_arg(),
        trace.normaliser.into_buffer_arg(),
        trace.stabiliser.into_buffer_arg(),
        into_contiguous(output_gradient).into_buffer_arg(),
        gradient.clone().into_buffer_arg(),
        batch,
        time,
        plan,
        dtype,
    );
    let (recurrent, bias) = weight_gradients(&gradient, &trace.before);
    SlstmCellGradients { input: gradient, recurrent, bias }
}

/// R as `[heads, 4, dim of outputs, dim of inputs]`: one head in one piece.
fn head_major(inputs: &SlstmInputs) -> CubeTensor {
    into_contiguous(burn_cubecl::ops::permute(inputs.recurrent.clone(), &[1, 0, 2, 3]))
}

/// Pre-activations (into `pre`) and states of every step.
fn trace(inputs: &SlstmInputs, output: CubeTensor, pre: &CubeTensor, exponential_forget: bool) -> Trace {
    let [batch, time, heads, dim] = sizes(&inputs.input);
    let like = inputs.input.clone();
    let client = like.client.clone();
    let dtype = dtype_to_storage_type(like.dtype());
    let values = || empty_beside(&like, [batch, time, heads, dim]);
    let (before, cell, normaliser, stabiliser) = (values(), values(), values(), values());
    let steps = batch * time;
    let plan = Plan { exponential_forget, ..Plan::fit(&like, steps, heads, dim, dim) };
    preactivation_kernel::launch(
        &client,
        CubeCount::Static(steps.div_ceil(plan.rows()) as u32, heads as u32, 1),
        CubeDim::new_1d(plan.units() as u32),
        like.clone().into_buffer_arg(),
        inputs.transposed_recurrent().into_buffer_arg(),
        inputs.bias.clone().into_buffer_arg(),
        inputs.recurrent_mask.clone().into_buffer_arg(),
        inputs.reset.clone().into_buffer_arg(),
        inputs.output.clone().into_buffer_arg(),
        output.into_buffer_arg(),
        pre.clone().into_buffer_arg(),
        before.clone().into_buffer_arg(),
        steps,
        time,
        plan,
        dtype,
    );
    let units = batch * heads * dim;
    state_kernel::launch(
        &client,
        CubeCount::Static(units.div_ceil(UNITS) as u32, 1, 1),
        CubeDim::new_1d(UNITS as u32),
        pre.clone().into_buffer_arg(),
        inputs.reset.clone().into_buffer_arg(),
        inputs.cell.clone().into_buffer_arg(),
        inputs.normaliser.clone().into_buffer_arg(),
        inputs.stabiliser.clone().into_buffer_arg(),
        cell.clone().into_buffer_arg(),
        normaliser.clone().into_buffer_arg(),
        stabiliser.clone().into_buffer_arg(),
        units,
        time,
        heads * dim,
        exponential_forget,
        dtype,
    );
    Trace { before, cell, normaliser, stabiliser }
}

/// dR and db from dx `[batch, time, 4, heads, dim]` and the recurrent inputs `[batch, time, heads, dim]`.
fn weight_gradients(gradient: &CubeTensor, before: &CubeTensor) -> (CubeTensor, CubeTensor) {
    let [batch, time, heads, dim] = sizes(gradient);
    let client = gradient.client.clone();
    let dtype = dtype_to_storage_type(gradient.dtype());
    let rows = batch * time;
    // A function of the sizes alone, as is the order of the sums.
    let slice = rows.div_ceil(64).max(64);
    let slices = rows.div_ceil(slice);
    let side = padded(dim) / TILE;
    let weights = GATES * heads * dim * dim;
    let biases = GATES * heads * dim;
    let weight_parts = empty_beside(gradient, [slices, weights]);
    let bias_parts = empty_beside(gradient, [slices, biases]);
    weight_gradient_kernel::launch(
        &client,
        CubeCount::Static((side * side).div_ceil(UNITS) as u32, (GATES * heads) as u32, slices as u32),
        CubeDim::new_1d(UNITS as u32),
        gradient.clone().into_buffer_arg(),
        before.clone().into_buffer_arg(),
        weight_parts.clone().into_buffer_arg(),
        bias_parts.clone().into_buffer_arg(),
        rows,
        slice,
        heads,
        dim,
        dtype,
    );
    let recurrent = empty_beside(gradient, [GATES, heads, dim, dim]);
    let bias = empty_beside(gradient, [GATES, heads, dim]);
    for (parts, sum, count) in [(weight_parts, &recurrent, weights), (bias_parts, &bias, biases)] {
        add_partials_kernel::launch(
            &client,
            CubeCount::Static(count.div_ceil(UNITS) as u32, 1, 1),
            CubeDim::new_1d(UNITS as u32),
            parts.into_buffer_arg(),
            sum.clone().into_buffer_arg(),
            count,
            slices,
            dtype,
        );
    }
    (recurrent, bias)
}

/// `pre[b, t] = x + b + R (mask y_(t-1))` for a tile of (b, t) rows and one head, and `before` = mask y_(t-1).
#[cube(launch)]
fn preactivation_kernel<F: Float>(
    input: &[F],
    recurrent: &[F],
    bias: &[F],
    recurrent_mask: &[F],
    reset: &[F],
    y_start: &[F],
    output: &[F],
    pre: &mut [F],
    before: &mut [F],
    steps: usize,
    time: usize,
    #[comptime] plan: Plan,
    #[define(F)] _dtype: ElemType,
) {
    let zero = F::new(0.0_f32);
    let unit = UNIT_POS as usize % plan.dim;
    let first = UNIT_POS as usize / plan.dim * ROWS;
    let head = CUBE_POS_Y as usize;
    let heads = CUBE_COUNT_Y as usize;
    let first_step = CUBE_POS_X as usize * comptime!(plan.rows()) + first;
    let recurrent_from = head * comptime!(GATES * plan.dim * plan.dim);
    let mut local = Shared::<[F]>::new_slice(comptime!(plan.recurrent_words()));
    let mut rows = Shared::<[F]>::new_slice(comptime!(plan.rows() * plan.dim));
    let mut sums = Array::<F>::new(comptime!(ROWS * GATES));
    load_recurrent::<F>(recurrent, recurrent_from, &mut local, plan);
    #[unroll]
    for row in 0..ROWS {
        let at = first_step + row;
        let mut y = F::new(0.0_f32);
        if at < steps {
            let state = (at / time * heads + head) * plan.dim + unit;
            if reset[at] == zero {
                let step = at % time;
                if step == 0 {
                    y = y_start[state];
                } else {
                    y = output[((at - 1) * heads + head) * plan.dim + unit];
                }
                y *= recurrent_mask[state];
            }
            before[(at * heads + head) * plan.dim + unit] = y;
        }
        rows[(first + row) * plan.dim + unit] = y;
    }
    sync_cube();
    if comptime!(plan.shared_recurrent) {
        recurrent_sums::<F>(&mut sums, &local, 0usize, &rows, first, unit, plan);
    } else {
        recurrent_sums::<F>(&mut sums, recurrent, recurrent_from, &rows, first, unit, plan);
    }
    #[unroll]
    for row in 0..ROWS {
        let at = first_step + row;
        if at < steps {
            #[unroll]
            for gate in 0..GATES {
                let place = ((at * GATES + gate) * heads + head) * plan.dim + unit;
                let constant = bias[(gate * heads + head) * plan.dim + unit];
                pre[place] = input[place] + sums[row * GATES + gate] + constant;
            }
        }
    }
}

/// c, n and m after every step, one unit per (batch row, head, output): `width` = heads * dim outputs per row.
#[cube(launch)]
fn state_kernel<F: Float>(
    pre: &[F],
    reset: &[F],
    c_start: &[F],
    n_start: &[F],
    m_start: &[F],
    cell: &mut [F],
    normaliser: &mut [F],
    stabiliser: &mut [F],
    units: usize,
    time: usize,
    width: usize,
    #[comptime] exponential_forget: bool,
    #[define(F)] _dtype: ElemType,
) {
    let zero = F::new(0.0_f32);
    let unit = ABSOLUTE_POS;
    if unit < units {
        let batch_row = unit / width;
        let column = unit % width;
        let mut c = c_start[unit];
        let mut n = n_start[unit];
        let mut m = m_start[unit];
        for step in 0..time {
            let at = batch_row * time + step;
            let from = at * GATES * width + column;
            let empty = reset[at] != zero || n == zero;
            let input = pre[from];
            let log = log_forget::<F>(pre[from + width], exponential_forget);
            let next = next_stabiliser::<F>(input, log, m, empty);
            let kept = forget_weight::<F>(log, m, next, empty);
            let gained = exponential::<F>(input - next);
            c = kept * c + gained * hyperbolic_tangent::<F>(pre[from + 2 * width]);
            n = kept * n + gained;
            m = next;
            cell[at * width + column] = c;
            normaliser[at * width + column] = n;
            stabiliser[at * width + column] = m;
        }
    }
}

/// Steps in reverse; `gradient` holds the pre-activations and receives dx. `recurrent`: `[heads, 4, out, in]`.
#[cube(launch)]
fn backward_kernel<F: Float>(
    recurrent: &[F],
    recurrent_mask: &[F],
    reset: &[F],
    c_start: &[F],
    n_start: &[F],
    m_start: &[F],
    cell: &[F],
    normaliser: &[F],
    stabiliser: &[F],
    output_gradient: &[F],
    gradient: &mut [F],
    batch: usize,
    time: usize,
    #[comptime] plan: Plan,
    #[define(F)] _dtype: ElemType,
) {
    let zero = F::new(0.0_f32);
    let one = F::new(1.0_f32);
    let unit = UNIT_POS as usize % plan.dim;
    let first = UNIT_POS as usize / plan.dim * ROWS;
    let head = CUBE_POS_Y as usize;
    let heads = CUBE_COUNT_Y as usize;
    let width = heads * plan.dim;
    let first_batch = CUBE_POS_X as usize * comptime!(plan.rows()) + first;
    let recurrent_from = head * comptime!(GATES * plan.dim * plan.dim);
    let mut local = Shared::<[F]>::new_slice(comptime!(plan.recurrent_words()));
    // dx of one step, `[rows, 4, dim]`, in two halves that change places.
    let mut rows = Shared::<[F]>::new_slice(comptime!(2 * plan.rows() * GATES * plan.dim));
    let mut dy = Array::<F>::new(ROWS);
    let mut dc = Array::<F>::new(ROWS);
    let mut dn = Array::<F>::new(ROWS);
    let mut mask = Array::<F>::new(ROWS);
    let mut pre = Array::<F>::new(GATES);
    load_recurrent::<F>(recurrent, recurrent_from, &mut local, plan);
    #[unroll]
    for row in 0..ROWS {
        dy[row] = zero;
        dc[row] = zero;
        dn[row] = zero;
        mask[row] = zero;
        if first_batch + row < batch {
            mask[row] = recurrent_mask[((first_batch + row) * heads + head) * plan.dim + unit];
        }
    }
    sync_cube();

    for reversed in 0..time {
        let step = time - 1 - reversed;
        let half = step % 2 * comptime!(plan.rows());
        #[unroll]
        for row in 0..ROWS {
            #[unroll]
            for gate in 0..GATES {
                pre[gate] = zero;
            }
            if first_batch + row < batch {
                let at = (first_batch + row) * time + step;
                let here = at * width + head * plan.dim + unit;
                let from = at * GATES * width + head * plan.dim + unit;
                #[unroll]
                for gate in 0..GATES {
                    pre[gate] = gradient[from + gate * width];
                }
                let start = ((first_batch + row) * heads + head) * plan.dim + unit;
                let mut c_before = c_start[start];
                let mut n_before = n_start[start];
                let mut m_before = m_start[start];
                if step > 0 {
                    c_before = cell[here - width];
                    n_before = normaliser[here - width];
                    m_before = stabiliser[here - width];
                }
                let empty = reset[at] != zero || n_before == zero;
                let log = log_forget::<F>(pre[1], plan.exponential_forget);
                let slope = log_forget_slope::<F>(pre[1], plan.exponential_forget);
                let kept = forget_weight::<F>(log, m_before, stabiliser[here], empty);
                let gained = exponential::<F>(pre[0] - stabiliser[here]);
                let candidate = hyperbolic_tangent::<F>(pre[2]);
                let gate = sigmoid::<F>(pre[3]);
                let inverse = one / normaliser[here];
                let mean = cell[here] * inverse;
                // e o, what reaches c / n.
                let upstream = (output_gradient[here] + dy[row]) * gate;
                let through_cell = dc[row] + upstream * inverse;
                let through_normaliser = dn[row] - upstream * mean * inverse;
                pre[0] = gained * (candidate * through_cell + through_normaliser);
                pre[1] = kept * (c_before * through_cell + n_before * through_normaliser) * slope;
                pre[2] = gained * through_cell * (one - candidate * candidate);
                pre[3] = upstream * mean * (one - gate);
                dc[row] = kept * through_cell;
                dn[row] = kept * through_normaliser;
                #[unroll]
                for gate in 0..GATES {
                    gradient[from + gate * width] = pre[gate];
                }
                // A reset cuts the way to the step before: its mark, here, where it is known.
                dy[row] = select(reset[at] != zero, zero, mask[row]);
            }
            #[unroll]
            for gate in 0..GATES {
                rows[((half + first + row) * GATES + gate) * plan.dim + unit] = pre[gate];
            }
        }
        sync_cube();
        if comptime!(plan.shared_recurrent) {
            transposed_sums::<F>(&mut dy, &local, 0usize, &rows, half + first, unit, plan);
        } else {
            transposed_sums::<F>(&mut dy, recurrent, recurrent_from, &rows, half + first, unit, plan);
        }
    }
}

/// `factors[row] *= sum over gates and outputs of R[gate, output, unit] dx[row, gate, output]`.
#[cube]
fn transposed_sums<F: Float>(
    factors: &mut Array<F>,
    recurrent: &[F],
    from: usize,
    rows: &[F],
    first: usize,
    unit: usize,
    #[comptime] plan: Plan,
) {
    let mut sums = Array::<F>::new(ROWS);
    #[unroll]
    for row in 0..ROWS {
        sums[row] = F::new(0.0_f32);
    }
    let width = comptime!(GATES * plan.dim);
    for index in 0..width {
        let weight = recurrent[from + index * plan.dim + unit];
        #[unroll]
        for row in 0..ROWS {
            sums[row] += weight * rows[(first + row) * width + index];
        }
    }
    #[unroll]
    for row in 0..ROWS {
        factors[row] *= sums[row];
    }
}

/// One slice's share of dR and db: a unit owns a block of TILE x TILE weights of one gate and head.
#[cube(launch)]
fn weight_gradient_kernel<F: Float>(
    gradient: &[F],
    before: &[F],
    weight_parts: &mut [F],
    bias_parts: &mut [F],
    rows: usize,
    slice: usize,
    heads: usize,
    #[comptime] dim: usize,
    #[define(F)] _dtype: ElemType,
) {
    let side = comptime!(padded(dim) / TILE);
    let tile = CUBE_POS_X as usize * comptime!(UNITS) + UNIT_POS as usize;
    let gate_head = CUBE_POS_Y as usize;
    let head = gate_head % heads;
    let part = CUBE_POS_Z as usize;
    if tile < comptime!(side * side) {
        let (down, across) = (tile / side, tile % side);
        let mut sums = Array::<F>::new(comptime!(TILE * TILE));
        let mut biases = Array::<F>::new(TILE);
        let mut outputs = Array::<usize>::new(TILE);
        let mut inputs = Array::<usize>::new(TILE);
        let mut left = Array::<F>::new(TILE);
        let mut right = Array::<F>::new(TILE);
        spread_within(&mut outputs, down, side, 1, comptime!(dim - 1));
        spread_within(&mut inputs, across, side, 1, comptime!(dim - 1));
        #[unroll]
        for i in 0..TILE {
            biases[i] = F::new(0.0_f32);
            #[unroll]
            for j in 0..TILE {
                sums[i * TILE + j] = F::new(0.0_f32);
            }
        }
        let end = (part * slice + slice).min(rows);
        for row in part * slice..end {
            #[unroll]
            for i in 0..TILE {
                left[i] = gradient[(row * GATES * heads + gate_head) * dim + outputs[i]];
                right[i] = before[(row * heads + head) * dim + inputs[i]];
            }
            #[unroll]
            for i in 0..TILE {
                biases[i] += left[i];
                #[unroll]
                for j in 0..TILE {
                    sums[i * TILE + j] += left[i] * right[j];
                }
            }
        }
        let unit = (part * GATES * heads + gate_head) * dim;
        #[unroll]
        for i in 0..TILE {
            // A place that was drawn back to the last one holds the same sum: it is skipped.
            let output = down + i * side;
            if output < dim {
                if across == 0 {
                    bias_parts[unit + output] = biases[i];
                }
                #[unroll]
                for j in 0..TILE {
                    let input = across + j * side;
                    if input < dim {
                        weight_parts[(unit + output) * dim + input] = sums[i * TILE + j];
                    }
                }
            }
        }
    }
}

/// `sums[i] = sum over slices of parts[slice, i]`, in order.
#[cube(launch)]
fn add_partials_kernel<F: Float>(
    parts: &[F],
    sums: &mut [F],
    count: usize,
    slices: usize,
    #[define(F)] _dtype: ElemType,
) {
    let index = ABSOLUTE_POS;
    if index < count {
        let mut sum = F::new(0.0_f32);
        for slice in 0..slices {
            sum += parts[slice * count + index];
        }
        sums[index] = sum;
    }
}
