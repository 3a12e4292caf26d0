//! Training step, inference and cost over time of the network `[mLSTM, sLSTM]` of the defaults, beside the public
//! PyTorch implementation where one is named.
//!
//! ```text
//! cargo bench --workspace --bench training
//! XLSTM_PEER="python3 xlstm_torch.py" cargo bench --workspace --bench training
//! ```
//!
//! `XLSTM_PEER` is a command that takes `--batch`, `--runs`, `--threads` and `--no-lstm` and prints one line of JSON
//! with `xlstm` and `xlstm_tuned`, each with `train_seq_per_s` and `infer_b1_ms`. Ours and the peer run in turns in
//! one process tree; ratios are of medians.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark reports on the terminal")]

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Distribution, Int, Tensor};
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;
use xlstm::{Head, HeadConfig, Run, Stepper, Xlstm, XlstmConfig};

/// Keeps freed memory: with the allocator of the C library nearly half of a training step goes into page faults.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const TIME: usize = 60;
const INPUTS: usize = 64;
const CLASSES: usize = 3;

fn main() {
    let threads = rayon::current_num_threads();
    println!("threads {threads}, kernels {}", xlstm::kernel::Level::detect().name());
    let only = std::env::args().nth(1).filter(|word| !word.starts_with('-'));
    let wanted = |name: &str| only.as_deref().is_none_or(|only| name.contains(only));
    for batch in [128, 512] {
        if wanted("training") {
            training(batch);
        }
    }
    if wanted("window") {
        one_window();
    }
    if wanted("step") {
        steps();
    }
    if wanted("length") {
        lengths();
    }
}

fn network(device: &Device) -> (Xlstm, Head) {
    let config = XlstmConfig { inputs: INPUTS, ..XlstmConfig::default() };
    let head = HeadConfig { outputs: CLASSES, ..HeadConfig::default() };
    (config.init(device).unwrap(), head.init(config.width, device).unwrap())
}

/// Median seconds of `runs` calls after a few warm ones.
fn median(runs: usize, mut call: impl FnMut()) -> f64 {
    for _ in 0..3 {
        call();
    }
    let mut seconds: Vec<f64> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            call();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[runs / 2]
}

/// One line of JSON of the peer.
fn peer(batch: usize) -> Option<serde_json::Value> {
    let command = std::env::var("XLSTM_PEER").ok()?;
    let mut words = command.split_whitespace();
    let threads = rayon::current_num_threads().to_string();
    let output = Command::new(words.next()?)
        .args(words)
        .args(["--batch", &batch.to_string(), "--runs", "5", "--threads", &threads, "--no-lstm"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().last().map(str::to_owned);
    Some(serde_json::from_str(&line.unwrap_or_default()).unwrap_or_else(|_| {
        println!("the peer failed: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::Value::Null
    }))
}

/// Forward, cross-entropy on the last step, backward, AdamW. Two ways to the same loss and gradients: outputs of all
/// steps are computed, as the peer does, though one is used; or what comes after the last recurrence is computed for
/// the last step alone.
fn training(batch: usize) {
    let (mut every, mut last) = (training_step(batch, false), training_step(batch, true));
    let (mut every_rates, mut last_rates, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        every_rates.push(batch as f64 / median(9, &mut every));
        last_rates.push(batch as f64 / median(9, &mut last));
        theirs.extend(peer(batch));
    }
    for (what, rates) in [("last step", last_rates), ("every step computed", every_rates)] {
        let ours = middle(rates);
        println!(
            "training, batch {batch}, {what}: {ours:.0} sequences/s ({:.1} ms a step)",
            batch as f64 / ours * 1e3
        );
        for name in ["xlstm", "xlstm_tuned"] {
            let rates: Vec<f64> =
                theirs.iter().filter_map(|run| run[name]["train_seq_per_s"].as_f64()).collect();
            if !rates.is_empty() {
                let rate = middle(rates);
                println!("    peer {name}: {rate:.0} sequences/s, ours is {:.2} times that", ours / rate);
            }
        }
    }
    for figure in ["matmul_gflops", "floor_train_seq_per_s"] {
        let values: Vec<f64> = theirs.iter().filter_map(|run| run[figure].as_f64()).collect();
        if !values.is_empty() {
            println!("    {figure}: {:.0}", middle(values));
        }
    }
    for (name, figure) in
        [("xlstm", "infer_b1_ms"), ("xlstm_tuned", "infer_b1_ms"), ("xlstm", "stream_step_ms")]
    {
        let values: Vec<f64> = theirs.iter().filter_map(|run| run[name][figure].as_f64()).collect();
        if !values.is_empty() {
            println!("    peer {name} {figure}: {:.3}", middle(values));
        }
    }
}

/// One training step of a network of its own, to be called again and again.
fn training_step(batch: usize, last_only: bool) -> impl FnMut() {
    let device = Device::flex().autodiff();
    let x = Tensor::<3>::random([batch, TIME, INPUTS], Distribution::Normal(0.0, 1.0), &device);
    let classes: Vec<i32> = (0..batch).map(|i| (i % CLASSES) as i32).collect();
    let targets = Tensor::<1, Int>::from_ints(classes.as_slice(), &device);
    let loss = CrossEntropyLossConfig::new().init(&device);
    let mut optimisers = (AdamWConfig::new().init(), AdamWConfig::new().init());
    let mut model = Some(network(&device));
    move || {
        let (body, head) = model.take().unwrap();
        let run = Run { last_only, ..Run::default() };
        let logits = head.forward(body.run(x.clone(), run).unwrap().0, None, None).unwrap();
        let mut gradients = loss.forward(logits, targets.clone()).backward();
        let of_body = GradientsParams::from_module(&mut gradients, &body);
        let of_head = GradientsParams::from_module(&mut gradients, &head);
        model = Some((optimisers.0.step(1e-3, body, of_body), optimisers.1.step(1e-3, head, of_head)));
    }
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// One window of 60 steps, batch 1.
fn one_window() {
    let device = Device::flex();
    let (body, head) = network(&device);
    let x = Tensor::<3>::random([1, TIME, INPUTS], Distribution::Normal(0.0, 1.0), &device);
    let seconds = median(101, || {
        let run = Run { last_only: true, ..Run::default() };
        black_box(head.forward(body.run(x.clone(), run).unwrap().0, None, None).unwrap().into_data());
    });
    println!("one window of {TIME}, batch 1: {:.3} ms", seconds * 1e3);
}

/// Single steps with a state: tensors, and the stepper over slices.
fn steps() {
    let device = Device::flex();
    let (body, _) = network(&device);
    for batch in [1, 1000] {
        let x = Tensor::<2>::random([batch, INPUTS], Distribution::Normal(0.0, 1.0), &device);
        let mut state = Some(body.empty_state(batch));
        let seconds = median(if batch == 1 { 1001 } else { 31 }, || {
            let (y, next) = body.step(x.clone(), state.take().unwrap()).unwrap();
            black_box(y);
            state = Some(next);
        });
        println!("one step, {batch} sequences, tensors: {:.1} us", seconds * 1e6);
        let stepper = Stepper::new(&body).unwrap();
        let mut state = stepper.empty_state(batch);
        let inputs: Vec<f32> = x.into_data().try_into_vec().unwrap();
        let mut outputs = vec![0.0; batch * stepper.config().width];
        let seconds = median(if batch == 1 { 10_001 } else { 101 }, || {
            stepper.step(black_box(&inputs), None, &mut state, &mut outputs).unwrap();
            black_box(&outputs);
        });
        println!("one step, {batch} sequences, stepper: {:.1} us", seconds * 1e6);
    }
}

/// Whole sequences of many lengths: seconds per step must not grow.
fn lengths() {
    let device = Device::flex();
    let (body, _) = network(&device);
    println!("length, one sequence: microseconds per step (whole sequence, forward)");
    for time in [64, 128, 256, 512, 1024, 2048, 4096] {
        let x = Tensor::<3>::random([1, time, INPUTS], Distribution::Normal(0.0, 1.0), &device);
        let seconds = median(9, || {
            black_box(body.run(x.clone(), Run::default()).unwrap().0);
        });
        println!("    {time}: {:.2}", seconds * 1e6 / time as f64);
    }
}
