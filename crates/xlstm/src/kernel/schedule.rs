//! Jobs over threads: independent pieces of work, each writing to slices of its own.

use crate::kernel::math::Real;
use rayon::prelude::*;
use std::any::{Any, TypeId};
use std::cell::RefCell;

/// Multiply-adds below which a call stays on the calling thread: handing work out costs more than it saves.
const SERIAL_BELOW: usize = 200_000;

/// Scratch values that a thread keeps between calls; more kinds than this are forgotten, oldest first.
const KEPT_SCRATCHES: usize = 8;

/// Identifies a scratch value: its type and the sizes that it was made for.
type Key = (TypeId, [usize; 3]);

thread_local! {
    static SCRATCHES: RefCell<Vec<(Key, Box<dyn Any>)>> = const { RefCell::new(Vec::new()) };
}

/// Hands `work` this thread's scratch of the given sizes, made on first use. A fresh scratch costs page faults
/// that are as dear as the kernels themselves on small calls.
fn with_scratch<S: 'static, R>(sizes: [usize; 3], make: impl Fn() -> S, work: impl FnOnce(&mut S) -> R) -> R {
    let key = (TypeId::of::<S>(), sizes);
    // Taken out while it is used, so a nested call on this thread would make its own.
    let found = SCRATCHES.with_borrow_mut(|kept| {
        let position = kept.iter().position(|(other, _)| *other == key)?;
        kept.remove(position).1.downcast::<S>().ok()
    });
    let mut scratch = found.unwrap_or_else(|| Box::new(make()));
    let result = work(&mut scratch);
    SCRATCHES.with_borrow_mut(|kept| {
        if kept.len() >= KEPT_SCRATCHES {
            kept.remove(0);
        }
        kept.push((key, scratch));
    });
    result
}

/// Runs every job once, each with a scratch value that its thread keeps. `cost`: multiply-adds of all jobs
/// together; `sizes`: what the scratch is made for. What a job computes must depend on the job alone, never on
/// what the scratch held: then results cannot depend on the number of threads. Small calls stay on the calling
/// thread and allocate nothing once the scratch is there.
pub(crate) fn run_jobs<J: Send, S: 'static>(
    jobs: impl ExactSizeIterator<Item = J>,
    cost: usize,
    sizes: [usize; 3],
    make: impl Fn() -> S + Sync + Send,
    work: impl Fn(J, &mut S) + Sync + Send,
) {
    let threads = rayon::current_num_threads();
    if jobs.len() <= 1 || threads <= 1 || cost < SERIAL_BELOW {
        with_scratch(sizes, make, |scratch| {
            for job in jobs {
                work(job, scratch);
            }
        });
        return;
    }
    let jobs: Vec<J> = jobs.collect();
    let piece = jobs.len().div_ceil(threads * 8).max(1);
    jobs.into_par_iter()
        .with_min_len(piece)
        .for_each(|job| with_scratch(sizes, &make, |scratch| work(job, scratch)));
}

/// Gives a reused buffer its length; its contents are then anything, to be overwritten.
pub(crate) fn fit<T: Real>(buffer: &mut Vec<T>, length: usize) {
    if buffer.len() != length {
        *buffer = zeros(length);
    }
}

/// Elements below which a buffer is filled by the calling thread.
const FILL_SERIAL_BELOW: usize = 1 << 16;

/// A zeroed buffer. Large ones are filled by all threads: what an allocator hands out again has to be cleared, and
/// one thread would hold up the others with it.
pub(crate) fn zeros<T: Real>(length: usize) -> Vec<T> {
    if length < FILL_SERIAL_BELOW {
        return vec![T::ZERO; length];
    }
    rayon::iter::repeat_n(T::ZERO, length).with_min_len(FILL_SERIAL_BELOW / 4).collect()
}
