//! xLSTM: the matrix-memory (mLSTM) and scalar-memory (sLSTM) cells of Beck et al. 2024 (arXiv 2405.04517).
//!
//! Today the crate holds the CPU kernels of the two cells ([`kernel`]) over plain slices: whole sequences, their
//! hand-written gradients, and single steps with an explicit state. There are no Burn modules, blocks, stacks,
//! weights or training yet; they come on top of these kernels.
//!
//! Invariants:
//! - **Results do not depend on threads.** They are bit-identical for any number of threads, any cut of the batch
//!   and any history of the scratch memory. They differ between instruction levels by rounding (fused
//!   multiply-adds).
//! - **Gradients are the exact ones** of the function computed, the small term of the denominator and the path
//!   through the stabiliser included.
//! - **Finite inputs never give NaN or infinity**, gates of ±1000 included.
//! - **Single steps allocate nothing** after a thread's first call, while the batch is small enough for one thread.
//! - Each kernel has a plain reference beside it and is held against it, against golden files of the public
//!   reference, and against finite differences.
//!
//! Known limit: mLSTM keeps its normaliser n in `f32` between steps and chunks. Where q·n cancels (input gates at
//! ±30) the chunkwise and step forms are off by up to 1.3e-4 of the largest value; the parallel form stays below
//! 1e-4.
//!
//! It never sees a market, a candle or another crate of the workspace, reads no file, clock or environment variable,
//! prints nothing, does not panic on input (the plain references alone take slices unchecked), and guesses no shape.
//! Unsafe code stands only where a kernel enters the function compiled for the processor at hand, and in one shuffle
//! of registers.
//!
//! ```
//! use xlstm::kernel::Level;
//! use xlstm::kernel::mlstm::{Form, MlstmInputs, MlstmOptions, MlstmShape, backward, forward};
//!
//! let shape = MlstmShape { batch: 1, heads: 1, time: 2, dim: 2 };
//! let (query, key, value) = ([1.0_f32, 0.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0], [3.0, 5.0, 0.0, 0.0]);
//! let inputs = MlstmInputs {
//!     query: &query,
//!     key: &key,
//!     value: &value,
//!     input_gate: &[0.0; 2],
//!     forget_gate: &[4.0; 2],
//!     reset: None,
//!     initial: None,
//! };
//! let options = MlstmOptions { form: Form::Parallel, final_state: false, level: Level::detect() };
//! let output = forward(shape, &inputs, options)?;
//! // The first query asks for what was written under the same key: (3, 5), up to the normaliser.
//! assert!((output.hidden[1] / output.hidden[0] - 5.0 / 3.0).abs() < 1e-6);
//! let gradients = backward(&inputs, &output.hidden, &output.saved, &[1.0; 4], None)?;
//! assert_eq!(gradients.value.len(), 4);
//! # Ok::<(), xlstm::kernel::KernelError>(())
//! ```

pub mod kernel;
