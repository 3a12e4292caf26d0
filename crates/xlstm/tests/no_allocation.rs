//! Single steps allocate nothing after the first.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use xlstm::kernel::Level;
use xlstm::kernel::mlstm::{self, MlstmState, MlstmStepInputs};
use xlstm::kernel::slstm::{self, SlstmRecurrence, SlstmState, SlstmStepInputs};

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
        reset: None,
    };
    let mut state = MlstmState::empty(batch, heads, dim);
    let mut hidden = vector.clone();
    assert_eq!(allocations(|| mlstm::step(level, &inputs, &mut state, &mut hidden).unwrap()), 0);

    let recurrence =
        SlstmRecurrence::pack(heads, dim, &vec![0.1; 4 * heads * dim * dim], &vec![0.0; 4 * heads * dim]);
    let recurrence = recurrence.unwrap();
    let input = vec![0.2; 4 * batch * heads * dim];
    let inputs = SlstmStepInputs { batch, heads, dim, input: &input, recurrence: &recurrence, reset: None };
    let mut state = SlstmState::empty(batch, heads, dim);
    slstm::step(level, &inputs, &mut state, &mut hidden).unwrap();
    assert_eq!(allocations(|| slstm::step(level, &inputs, &mut state, &mut hidden).unwrap()), 0);
}
