//! The baseline networks beside PyTorch's own operations (`tests/fixtures/baseline_networks.py`).

use burn::module::{Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::Value;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

use crate::*;

/// Initial weights are overwritten.
fn generator() -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(1)
}

fn golden() -> Value {
    serde_json::from_str(include_str!("../tests/fixtures/baseline_networks.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

/// PyTorch's `[outputs, inputs]` as our `[inputs, outputs]`.
fn turned(values: &[f32], outputs: usize) -> Vec<f32> {
    let inputs = values.len() / outputs;
    (0..inputs).flat_map(|input| (0..outputs).map(move |output| values[output * inputs + input])).collect()
}

fn set<const D: usize>(param: &mut Param<Tensor<D>>, new: Vec<f32>) {
    let shape = param.val().dims();
    *param =
        Param::initialized(ParamId::new(), Tensor::from_data(TensorData::new(new, shape), &Device::flex()));
}

fn set_linear(linear: &mut burn::nn::Linear, of: &Value) {
    let outputs = linear.weight.dims()[1];
    set(&mut linear.weight, turned(&numbers(&of["weight"]), outputs));
    if let Some(bias) = &mut linear.bias {
        set(bias, numbers(&of["bias"]));
    }
}

fn check(network: &Network, golden: &Value, expected: &Value) {
    let [inputs, time, batch] =
        ["inputs", "time", "batch"].map(|name| golden[name].as_u64().unwrap() as usize);
    let x = Tensor::from_data(TensorData::new(numbers(&golden["x"]), [batch, time, inputs]), &Device::flex());
    let found = values(network.forward(x).unwrap()).unwrap();
    let expected = numbers(&expected["output"]);
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!((found - expected).abs() < 2e-6, "output {index}: {found}, PyTorch has {expected}");
    }
}

#[test]
fn the_lstm_is_that_of_pytorch() {
    let golden = golden();
    let config = LstmConfig { width: 4, layers: 2, ..LstmConfig::default() };
    let mut lstm = config.init(3, &mut generator(), &Device::flex()).unwrap();
    for (layer, of) in lstm.layers_mut().iter_mut().zip(golden["lstm"]["layers"].as_array().unwrap()) {
        let (input, recurrent) = layer.parts_mut();
        set(&mut input.weight, turned(&numbers(&of["weight_ih"]), 16));
        set(input.bias.as_mut().unwrap(), numbers(&of["bias"]));
        set(&mut recurrent.weight, turned(&numbers(&of["weight_hh"]), 16));
    }
    check(&Network::Lstm(lstm), &golden, &golden["lstm"]);
}

#[test]
fn the_convolutions_are_those_of_pytorch() {
    let golden = golden();
    let config = ConvolutionalConfig { width: 4, kernel: 3, layers: 2, dropout: 0.0 };
    let mut network = config.init(3, &mut generator(), &Device::flex()).unwrap();
    let of = &golden["convolutional"];
    let (embedding, layers) = network.parts_mut();
    set_linear(embedding, &of["embedding"]);
    for (taps, of) in layers.zip(of["layers"].as_array().unwrap()) {
        // `[outputs, inputs, taps]` becomes `[taps x inputs, outputs]`.
        let weight = numbers(&of["weight"]);
        let at = |tap: usize, input: usize, output: usize| weight[(output * 4 + input) * 3 + tap];
        let rows = (0..3).flat_map(|tap| (0..4).map(move |input| (tap, input)));
        let new = rows.flat_map(|(tap, input)| (0..4).map(move |output| at(tap, input, output))).collect();
        set(&mut taps.weight, new);
        set(taps.bias.as_mut().unwrap(), numbers(&of["bias"]));
    }
    check(&Network::Convolutional(network), &golden, of);
}

#[test]
fn the_transformer_is_that_of_pytorch() {
    let golden = golden();
    let config =
        TransformerConfig { width: 4, heads: 2, layers: 1, window: 3, feed_forward: 2, dropout: 0.0 };
    let mut network = config.init(3, &mut generator(), &Device::flex()).unwrap();
    let of = &golden["transformer"];
    for (name, linear) in network.linears_mut() {
        set_linear(linear, &of[name]);
    }
    check(&Network::Transformer(network), &golden, of);
}
