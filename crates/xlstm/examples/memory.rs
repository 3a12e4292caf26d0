//! Two tasks that need memory, learned from a fixed seed to over 99 %:
//!
//! - **parity**: after every bit, whether the number of ones so far is odd. Every step depends on all before it, and
//!   no state may fade: attention, state-space models and matrix memories alone fail (Merrill et al. 2024,
//!   arXiv 2404.08819), a recurrence through the output as in sLSTM does not.
//! - **copy**: a few marked symbols among noise, to be given back in order at the end (selective copying, Gu and
//!   Dao 2023, arXiv 2312.00752).
//!
//! ```text
//! cargo run --release --example memory            both tasks, exit code 1 where one stays below 99 %
//! cargo run --release --example memory mlstm      parity without sLSTM, to see it fail
//! ```

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example talks on the terminal")]

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::process::ExitCode;
use std::time::Instant;
use xlstm::{HeadConfig, XlstmConfig, XlstmError};

/// Keeps freed memory: with the allocator of the C library nearly half of a training step goes into page faults.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Sequences per training step.
const BATCH: usize = 64;
/// Learning rate.
const RATE: f64 = 3e-3;
/// What counts as learned, on sequences never seen.
const GOAL: f64 = 0.99;

/// One batch of a task: inputs `[BATCH, time, features]` and the class of every step; -1: the step does not count.
struct Batch {
    inputs: Vec<f32>,
    classes: Vec<i32>,
}

/// A task: sizes, and how a batch is drawn.
struct Task {
    name: &'static str,
    /// Steps of the task.
    time: usize,
    /// Steps that training begins with; sequences grow by a quarter whenever they are learned.
    begin: usize,
    features: usize,
    classes: usize,
    draw: fn(usize, &mut StdRng) -> Batch,
}

const PARITY: Task = Task { name: "parity", time: 40, begin: 3, features: 2, classes: 2, draw: draw_parity };
/// Four symbols in three marked places; time: noise, then one step per symbol to give back.
const COPY: Task = Task { name: "copy", time: 40, begin: 40, features: 6, classes: 4, draw: draw_copy };
const COPIED: usize = 3;

fn draw_parity(time: usize, generator: &mut StdRng) -> Batch {
    let mut batch = Batch { inputs: Vec::new(), classes: Vec::new() };
    for _ in 0..BATCH {
        let mut odd = false;
        for _ in 0..time {
            let bit: bool = generator.random();
            odd ^= bit;
            batch.inputs.extend([f32::from(u8::from(bit)), f32::from(u8::from(!bit))]);
            batch.classes.push(i32::from(odd));
        }
    }
    batch
}

/// Features: four symbols, "remember this", "give back".
fn draw_copy(time: usize, generator: &mut StdRng) -> Batch {
    let mut batch = Batch { inputs: Vec::new(), classes: Vec::new() };
    let noise = time - COPIED;
    for _ in 0..BATCH {
        let mut places: Vec<usize> = Vec::new();
        while places.len() < COPIED {
            let place = generator.random_range(0..noise);
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let mut marked = Vec::new();
        for step in 0..time {
            let mut row = [0.0; 6];
            if step < noise {
                let symbol = generator.random_range(0..4_usize);
                row[symbol] = 1.0;
                if places.contains(&step) {
                    row[4] = 1.0;
                    marked.push(symbol as i32);
                }
                batch.classes.push(-1);
            } else {
                row[5] = 1.0;
                batch.classes.push(marked[step - noise]);
            }
            batch.inputs.extend(row);
        }
    }
    batch
}

/// Trains until a held-out batch is learned or the steps are used up; the accuracy on fresh sequences.
fn learn(task: &Task, config: &XlstmConfig, steps: usize) -> Result<f64, XlstmError> {
    let device = Device::flex().autodiff();
    let start = Instant::now();
    let mut body = config.init(&device)?;
    let mut head =
        HeadConfig { outputs: task.classes, ..HeadConfig::default() }.init(config.width, &device)?;
    let (mut body_optimiser, mut head_optimiser) = (AdamWConfig::new().init(), AdamWConfig::new().init());
    // -1 is turned into this padding class, which costs nothing.
    let padding = task.classes;
    let loss = CrossEntropyLossConfig::new().with_pad_tokens(Some(vec![padding])).init(&device);
    let mut generator = StdRng::seed_from_u64(1);
    let mut length = task.begin;
    let mut accuracy = 0.0;
    for step in 1..=steps {
        let batch = (task.draw)(length, &mut generator);
        let logits = head.every_step(body.forward(tensor(task, &batch, &device))?, None);
        let rows = batch.classes.len();
        let logits = logits.reshape([rows, task.classes]);
        // One more column, for the padding class.
        let logits = Tensor::cat(vec![logits, Tensor::full([rows, 1], -30.0, &device)], 1);
        let classes: Vec<i32> =
            batch.classes.iter().map(|class| if *class < 0 { padding as i32 } else { *class }).collect();
        let classes = Tensor::<1, Int>::from_ints(classes.as_slice(), &device);
        let mut gradients = loss.forward(logits, classes).backward();
        let of_body = GradientsParams::from_module(&mut gradients, &body);
        let of_head = GradientsParams::from_module(&mut gradients, &head);
        body = body_optimiser.step(RATE, body, of_body);
        head = head_optimiser.step(RATE, head, of_head);
        if step % 25 > 0 {
            continue;
        }
        let measure = |length: usize, seed: u64| -> Result<f64, XlstmError> {
            let mut fresh = StdRng::seed_from_u64(1_000_000 + seed);
            let mut sum = 0.0;
            for _ in 0..8 {
                let batch = (task.draw)(length, &mut fresh);
                let hidden = body.forward(tensor(task, &batch, &device))?;
                sum += share_right(task, &batch, head.every_step(hidden, None));
            }
            Ok(sum / 8.0)
        };
        let now = measure(length, step as u64)?;
        if now > GOAL && length < task.time {
            length = (length + (length / 4).max(1)).min(task.time);
        }
        if step % 250 == 0 || now > 0.9995 && length == task.time {
            accuracy = measure(task.time, 1_000 + step as u64)?;
            let seconds = start.elapsed().as_secs_f64();
            eprintln!(
                "{} step {step}, {length} steps: {:.2} % after {seconds:.0} s",
                task.name,
                accuracy * 100.0
            );
            if accuracy > 0.9995 {
                break;
            }
        }
    }
    Ok(accuracy)
}

fn tensor(task: &Task, batch: &Batch, device: &Device) -> Tensor<3> {
    let time = batch.inputs.len() / (BATCH * task.features);
    Tensor::from_data(TensorData::new(batch.inputs.clone(), [BATCH, time, task.features]), device)
}

/// Share of the steps that count whose largest logit is the right class.
fn share_right(task: &Task, batch: &Batch, logits: Tensor<3>) -> f64 {
    let logits: Vec<f32> = logits.into_data().try_into_vec().unwrap_or_default();
    let (mut right, mut all) = (0, 0);
    for (row, class) in logits.chunks_exact(task.classes).zip(&batch.classes) {
        if *class >= 0 {
            let largest =
                row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(index, _)| index as i32);
            right += usize::from(largest == Some(*class));
            all += 1;
        }
    }
    f64::from(right as u32) / f64::from(all)
}

fn main() -> Result<ExitCode, XlstmError> {
    let base =
        XlstmConfig { width: 32, heads: 2, blocks: 2, slstm_at: vec![1], seed: 7, ..XlstmConfig::default() };
    if std::env::args().nth(1).as_deref() == Some("mlstm") {
        let config = XlstmConfig { inputs: PARITY.features, slstm_at: vec![], ..base };
        let accuracy = learn(&PARITY, &config, 3000)?;
        println!("parity with two mLSTM blocks: {:.2} %", accuracy * 100.0);
        return Ok(ExitCode::SUCCESS);
    }
    let mut learned = true;
    for (task, steps) in [(&PARITY, 6000), (&COPY, 1500)] {
        let start = Instant::now();
        let config = XlstmConfig { inputs: task.features, ..base.clone() };
        let accuracy = learn(task, &config, steps)?;
        println!(
            "{}: {:.2} % of the steps of fresh sequences right after {:.0} s",
            task.name,
            accuracy * 100.0,
            start.elapsed().as_secs_f64()
        );
        learned &= accuracy > GOAL;
    }
    Ok(if learned { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
