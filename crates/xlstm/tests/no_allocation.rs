//! Single steps allocate nothing after the first.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use xlstm::kernel::mlstm::{self, Form, MlstmState, MlstmStepInputs};
use xlstm::kernel::mlstm_layer::{
    self, MlstmLayerOptions, MlstmLayerShape, MlstmLayerState, MlstmLayerStepInputs, MlstmLayerWeights,
};
use xlstm::kernel::slstm::{self, SlstmRecurrence, SlstmState, SlstmStepInputs};
use xlstm::kernel::slstm_layer::{
    self, SlstmConvolutionWeights, SlstmLayerPacked, SlstmLayerShape, SlstmLayerState, SlstmLayerStepInputs,
    SlstmLayerWeights,
};
use xlstm::kernel::{ForgetGate, Level};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: hands everything to the system allocator; the counter is a thread-local without a destructor.
#[expect(unsafe_code, reason = "an allocator that counts is an unsafe trait")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise about `layout` is handed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(mut work: impl FnMut()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn steps_do_not_allocate() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1; 9]))), 1, "the counter counts");
    let (batch, heads, dim) = (3, 4, 24);
    let level = Level::detect();
    let vector = vec![0.5_f32; batch * heads * dim];
    let gate = vec![0.1; batch * heads];
    let inputs = MlstmStepInputs {
        batch,
        heads,
        dim,
        query: &vector,
        key: &vector,
        value: &vector,
        input_gate: &gate,
        forget_gate: &gate,
        forget: ForgetGate::Sigmoid,
        reset: None,
    };
    let mut state = MlstmState::empty(batch, heads, dim);
    let mut hidden = vector.clone();
    assert_eq!(allocations(|| mlstm::step(level, &inputs, &mut state, &mut hidden).unwrap()), 0);

    let recurrence =
        SlstmRecurrence::pack(heads, dim, &vec![0.1; 4 * heads * dim * dim], &vec![0.0; 4 * heads * dim]);
    let recurrence = recurrence.unwrap();
    let input = vec![0.2; 4 * batch * heads * dim];
    let inputs = SlstmStepInputs {
        batch,
        heads,
        dim,
        input: &input,
        recurrence: &recurrence,
        reset: None,
        forget_gate: ForgetGate::Sigmoid,
        recurrent_mask: None,
    };
    let mut state = SlstmState::empty(batch, heads, dim);
    slstm::step(level, &inputs, &mut state, &mut hidden).unwrap();
    assert_eq!(allocations(|| slstm::step(level, &inputs, &mut state, &mut hidden).unwrap()), 0);

    let shape = MlstmLayerShape { batch, time: 1, heads, inner: heads * dim, block: 4, taps: 4 };
    let options = MlstmLayerOptions {
        form: Form::Recurrent,
        forget: ForgetGate::Sigmoid,
        soft_cap: Some(15.0),
        final_state: false,
        keep: false,
        level,
    };
    let (wide, narrow) = (vec![0.1; 4 * shape.inner], vec![0.1; shape.inner]);
    let gates = vec![0.01; 3 * heads * shape.inner];
    let weights = MlstmLayerWeights {
        conv_weight: &wide,
        conv_bias: &narrow,
        query: &wide,
        key: &wide,
        value: &wide,
        input_gate_weight: &gates,
        input_gate_bias: &narrow[..heads],
        forget_gate_weight: &gates,
        forget_gate_bias: &narrow[..heads],
        norm: &narrow,
        skip: &narrow,
    };
    let projected = vec![0.3; shape.projected_len()];
    let inputs = MlstmLayerStepInputs { projected: &projected, reset: None };
    let mut state = MlstmLayerState::empty(&shape);
    let mut one = || mlstm_layer::step(shape, &weights, &inputs, options, &mut state, &mut hidden).unwrap();
    one();
    assert_eq!(allocations(one), 0);
}

#[test]
fn steps_of_the_layer_do_not_allocate() {
    let (batch, heads, dim, taps) = (3, 4, 24, 4);
    let width = heads * dim;
    let weights = SlstmLayerWeights {
        convolution: Some(SlstmConvolutionWeights {
            weight: &vec![0.2; taps * width],
            bias: &vec![0.1; width],
        }),
        gates: &vec![0.1; 4 * width * dim],
        recurrent: &vec![0.1; 4 * width * dim],
        bias: &vec![0.0; 4 * width],
        norm: &vec![0.0; width],
    };
    let packed = SlstmLayerPacked::pack(heads, dim, taps, &weights).unwrap();
    let mut state = SlstmLayerState::empty(&SlstmLayerShape { batch, time: 1, heads, dim, taps });
    let input = vec![0.5_f32; batch * width];
    let mut output = input.clone();
    let inputs = SlstmLayerStepInputs {
        batch,
        input: &input,
        reset: None,
        recurrent_mask: None,
        forget_gate: ForgetGate::Sigmoid,
    };
    let level = Level::detect();
    slstm_layer::step(level, &packed, &inputs, &mut state, &mut output).unwrap();
    let work = || slstm_layer::step(level, &packed, &inputs, &mut state, &mut output).unwrap();
    assert_eq!(allocations(work), 0);
}
