//! Calls of the two cells with plain numbers, on any device and by any function with the cells' arguments.

use crate::cases::to_vec;
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use xlstm::ResetMask;
use xlstm::fused;
use xlstm::kernel::ForgetGate;
use xlstm::reference::{self, MlstmCellState, SlstmCellState};

/// Names and values of everything that a call computes: outputs, states, gradients.
pub(crate) type Outcome = Vec<(&'static str, Vec<f64>)>;

/// Which function computes a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Kernel,
    Reference,
}

/// Inputs of an mLSTM call.
#[derive(Clone, Debug)]
pub(crate) struct Mlstm {
    /// batch, heads, time, dim.
    pub(crate) sizes: [usize; 4],
    pub(crate) query: Vec<f64>,
    pub(crate) key: Vec<f64>,
    pub(crate) value: Vec<f64>,
    pub(crate) input_gate: Vec<f64>,
    pub(crate) forget_gate: Vec<f64>,
    pub(crate) reset: Option<ResetMask>,
    pub(crate) memory: Vec<f64>,
    pub(crate) normaliser: Vec<f64>,
    pub(crate) stabiliser: Vec<f64>,
    pub(crate) gradient: Vec<f64>,
    pub(crate) gate: ForgetGate,
}

/// Inputs of an sLSTM call.
#[derive(Clone, Debug)]
pub(crate) struct Slstm {
    /// batch, time, heads, dim.
    pub(crate) sizes: [usize; 4],
    pub(crate) input: Vec<f64>,
    pub(crate) recurrent: Vec<f64>,
    pub(crate) bias: Vec<f64>,
    pub(crate) mask: Option<Vec<f64>>,
    pub(crate) reset: Option<ResetMask>,
    pub(crate) output: Vec<f64>,
    pub(crate) cell: Vec<f64>,
    pub(crate) normaliser: Vec<f64>,
    pub(crate) stabiliser: Vec<f64>,
    pub(crate) gradient: Vec<f64>,
    pub(crate) gate: ForgetGate,
}

/// Brings numbers to a device, in one number type.
struct Place<'a>(&'a Device, DType);

impl Place<'_> {
    fn tensor<const D: usize>(&self, values: &[f64], shape: [usize; D]) -> Tensor<D> {
        let data = TensorData::new(values.to_vec(), shape).convert_dtype(self.1);
        Tensor::from_data(data, (self.0, self.1))
    }
    fn leaf<const D: usize>(&self, values: &[f64], shape: [usize; D]) -> Tensor<D> {
        self.tensor(values, shape).require_grad()
    }
}

/// Values and gradients of one call; `device` as it is, without automatic differentiation.
pub(crate) fn run_mlstm(by: By, case: &Mlstm, number_type: DType, device: &Device) -> Outcome {
    let device = device.clone().autodiff();
    let place = Place(&device, number_type);
    let [b, h, t, d] = case.sizes;
    let [q, k, v] = [&case.query, &case.key, &case.value].map(|values| place.leaf(values, [b, h, t, d]));
    let [i, f] = [&case.input_gate, &case.forget_gate].map(|values| place.leaf(values, [b, h, t]));
    let state = MlstmCellState {
        memory: place.tensor(&case.memory, [b, h, d, d]),
        normaliser: place.tensor(&case.normaliser, [b, h, d]),
        stabiliser: place.tensor(&case.stabiliser, [b, h]),
    };
    // Another layout than the contiguous one: the values come transposed.
    let transposed = (v.clone().swap_dims(1, 2) * 1.0).swap_dims(1, 2);
    let cell = match by {
        By::Kernel => fused::mlstm_cell,
        By::Reference => reference::mlstm_cell,
    };
    let (hidden, state) =
        cell(q.clone(), k.clone(), transposed, i.clone(), f.clone(), case.gate, state, case.reset.as_ref());
    let gradients = (hidden.clone() * place.tensor(&case.gradient, [b, h, t, d])).sum().backward();
    vec![
        ("h", to_vec(&hidden)),
        ("C", to_vec(&state.memory)),
        ("n", to_vec(&state.normaliser)),
        ("m", to_vec(&state.stabiliser)),
        ("dq", to_vec(&q.grad(&gradients).unwrap())),
        ("dk", to_vec(&k.grad(&gradients).unwrap())),
        ("dv", to_vec(&v.grad(&gradients).unwrap())),
        ("di", to_vec(&i.grad(&gradients).unwrap())),
        ("df", to_vec(&f.grad(&gradients).unwrap())),
    ]
}

/// As [`run_mlstm`].
pub(crate) fn run_slstm(by: By, case: &Slstm, number_type: DType, device: &Device) -> Outcome {
    let device = device.clone().autodiff();
    let place = Place(&device, number_type);
    let [b, t, h, d] = case.sizes;
    let x = place.leaf(&case.input, [b, t, 4, h, d]);
    let r = place.leaf(&case.recurrent, [4, h, d, d]);
    let bias = place.leaf(&case.bias, [4, h, d]);
    let mask = case.mask.as_ref().map(|mask| place.tensor(mask, [b, h, d]));
    let [output, cell, normaliser, stabiliser] =
        [&case.output, &case.cell, &case.normaliser, &case.stabiliser].map(|v| place.tensor(v, [b, h, d]));
    let state = SlstmCellState { output, cell, normaliser, stabiliser };
    let call = match by {
        By::Kernel => fused::slstm_cell,
        By::Reference => reference::slstm_cell,
    };
    let (hidden, state) =
        call(x.clone(), r.clone(), bias.clone(), mask, case.gate, state, case.reset.as_ref());
    let gradients = (hidden.clone() * place.tensor(&case.gradient, [b, t, h, d])).sum().backward();
    vec![
        ("y", to_vec(&hidden)),
        ("y_last", to_vec(&state.output)),
        ("c_last", to_vec(&state.cell)),
        ("n_last", to_vec(&state.normaliser)),
        ("m_last", to_vec(&state.stabiliser)),
        ("dx", to_vec(&x.grad(&gradients).unwrap())),
        ("dR", to_vec(&r.grad(&gradients).unwrap())),
        ("db", to_vec(&bias.grad(&gradients).unwrap())),
    ]
}

/// Largest difference of two outcomes, each value relative to the largest of its kind; `label` for the line that is
/// printed. `only`: the names that count, all where it is empty.
#[expect(clippy::print_stdout, reason = "the errors, for whoever asks with --nocapture")]
pub(crate) fn compare(label: &str, found: &Outcome, exact: &Outcome, only: &[&str]) -> f64 {
    let mut worst = 0.0_f64;
    let mut line = String::new();
    for ((name, found), (_, exact)) in found.iter().zip(exact) {
        if !only.is_empty() && !only.contains(name) {
            continue;
        }
        // A gradient may be a small difference of numbers around 1: df where every forget gate is shut, dq, dk and
        // di where one step has one element.
        let scale = if name.starts_with('d') { 1e-2 } else { 1e-30 };
        let error = relative_error(found, exact, scale);
        line += &format!(" {name} {error:.1e}");
        worst = worst.max(error);
    }
    println!("{label}:{line}");
    worst
}

/// Largest difference, relative to the largest exact value, or to `scale` if that is larger.
pub(crate) fn relative_error(found: &[f64], exact: &[f64], scale: f64) -> f64 {
    assert_eq!(found.len(), exact.len());
    let scale = exact.iter().filter(|value| value.is_finite()).fold(scale, |m, v| v.abs().max(m));
    found.iter().zip(exact).fold(0.0, |worst: f64, (a, b)| {
        // An empty state's stabiliser is -inf on both sides.
        if a == b {
            worst
        } else if a.is_finite() {
            worst.max((a - b).abs() / scale)
        } else {
            f64::INFINITY
        }
    })
}

/// Whether sequences start from a state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Start {
    Empty,
    Given,
    /// Every other one.
    Mixed,
}

impl Start {
    fn is_given(self, row: usize) -> bool {
        match self {
            Self::Empty => false,
            Self::Given => true,
            Self::Mixed => row.is_multiple_of(2),
        }
    }
}

/// What a random call looks like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) seed: u64,
    /// mLSTM: batch, heads, time, dim; sLSTM: batch, time, heads, dim.
    pub(crate) sizes: [usize; 4],
    /// Spread of the exponential gates.
    pub(crate) gates: f64,
    /// Share of steps that begin anew.
    pub(crate) resets: f64,
    pub(crate) start: Start,
    pub(crate) gate: ForgetGate,
}

/// Numbers that are exact in f32, so that every number type sees the same ones.
struct Numbers(StdRng);

impl Numbers {
    fn uniform(&mut self) -> f64 {
        self.0.random()
    }
    fn normal(&mut self, count: usize, spread: f64) -> Vec<f64> {
        let mut draw = || {
            let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
            f64::from((spread * radius * (std::f64::consts::TAU * self.uniform()).cos()) as f32)
        };
        (0..count).map(|_| draw()).collect()
    }
    fn between(&mut self, count: usize, low: f64, high: f64) -> Vec<f64> {
        (0..count).map(|_| f64::from((low + (high - low) * self.uniform()) as f32)).collect()
    }
    fn marks(&mut self, batch: usize, time: usize, share: f64) -> Option<ResetMask> {
        let mut row = || (0..time).map(|_| self.uniform() < share).collect::<Vec<_>>();
        let rows: Vec<_> = (0..batch).map(|_| row()).collect();
        if share > 0.0 { ResetMask::from_rows(&rows) } else { None }
    }
}

pub(crate) fn mlstm_case(kind: &Kind) -> Mlstm {
    let mut numbers = Numbers(StdRng::seed_from_u64(kind.seed));
    let [b, h, t, d] = kind.sizes;
    let (steps, elements) = (b * h * t, b * h * t * d);
    let mut memory = numbers.normal(b * h * d * d, 0.5);
    let mut normaliser = numbers.normal(b * h * d, 0.5);
    let mut stabiliser = numbers.normal(b * h, 3.0);
    for row in (0..b * h).filter(|row| !kind.start.is_given(*row)) {
        memory[row * d * d..(row + 1) * d * d].fill(0.0);
        normaliser[row * d..(row + 1) * d].fill(0.0);
        stabiliser[row] = f64::NEG_INFINITY;
    }
    let forget_gate = match kind.gate {
        ForgetGate::Exponential => numbers.between(steps, -kind.gates.min(2.0), kind.gates.min(2.0) * 0.25),
        ForgetGate::Sigmoid => {
            numbers.normal(steps, kind.gates.max(1.0)).iter().map(|f| f64::from((f + 3.0) as f32)).collect()
        }
    };
    Mlstm {
        sizes: kind.sizes,
        query: numbers.normal(elements, 1.0),
        key: numbers.normal(elements, 1.0),
        value: numbers.normal(elements, 1.0),
        input_gate: numbers.normal(steps, kind.gates),
        forget_gate,
        reset: numbers.marks(b, t, kind.resets),
        memory,
        normaliser,
        stabiliser,
        gradient: numbers.normal(elements, 1.0),
        gate: kind.gate,
    }
}

pub(crate) fn slstm_case(kind: &Kind) -> Slstm {
    let mut numbers = Numbers(StdRng::seed_from_u64(kind.seed));
    let [b, t, h, d] = kind.sizes;
    let units = b * h * d;
    let mut input = numbers.normal(units * t * 4, 1.0);
    for (index, value) in input.iter_mut().enumerate() {
        let wide = match (index / (h * d) % 4, kind.gate) {
            (0, _) | (1, ForgetGate::Sigmoid) => *value * kind.gates,
            (1, ForgetGate::Exponential) => *value * 0.3 - 0.5,
            _ => *value,
        };
        *value = f64::from(wide as f32);
    }
    let mut output = numbers.normal(units, 0.5);
    let mut cell = numbers.normal(units, 1.0);
    let mut normaliser = numbers.between(units, 1.0, 3.0);
    let stabiliser = numbers.normal(units, 2.0);
    for unit in (0..units).filter(|unit| !kind.start.is_given(unit / (h * d))) {
        (output[unit], cell[unit], normaliser[unit]) = (0.0, 0.0, 0.0);
    }
    let mask = numbers.between(units, 0.0, 1.0).iter().map(|x| if *x < 0.7 { 1.25 } else { 0.0 }).collect();
    Slstm {
        sizes: kind.sizes,
        input,
        recurrent: numbers.normal(4 * h * d * d, 0.5 / (d as f64).sqrt()),
        bias: numbers.normal(4 * h * d, 0.5),
        mask: kind.seed.is_multiple_of(2).then_some(mask),
        reset: numbers.marks(b, t, kind.resets),
        output,
        cell,
        normaliser,
        stabiliser,
        gradient: numbers.normal(units * t, 1.0),
        gate: kind.gate,
    }
}
