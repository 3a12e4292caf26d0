#!/usr/bin/env python3
"""Explanations per second of shap.GradientExplainer on an xLSTM classifier of the package `xlstm`, PyTorch on the CPU.

Usage: python crates/supervised/benches/peers/expected_gradients.py [--samples 128] [--windows 2] [--threads 2]

Needs torch, xlstm and shap (pip install torch xlstm shap). An explanation is one window with all outputs. Each takes `samples`
gradient evaluations (forward and backward passes) per output; Matrela takes background windows times nodes, which is
`gradient_evaluations / windows` of its cost. `unexplained` is the largest |sum of values - (output - expectation)|. Prints one
line of JSON. `cores_used_by_others` tells how busy the machine was: trust figures only where it is near 0.
"""
import argparse
import json
import os
import time
import warnings

import numpy as np
import torch
import torch.nn as nn

warnings.filterwarnings("ignore")


def build(features, width, heads, blocks, steps, outputs):
    """[mLSTM, sLSTM, mLSTM, ...], the sizes of Matrela's defaults."""
    from xlstm import (FeedForwardConfig, mLSTMBlockConfig, mLSTMLayerConfig, sLSTMBlockConfig, sLSTMLayerConfig,
                       xLSTMBlockStack, xLSTMBlockStackConfig)

    mlstm = mLSTMLayerConfig(conv1d_kernel_size=4, qkv_proj_blocksize=4, num_heads=heads)
    slstm = sLSTMLayerConfig(backend="vanilla", num_heads=heads, conv1d_kernel_size=4, dtype="float32",
                             bias_init="powerlaw_blockdependent")
    feed_forward = FeedForwardConfig(proj_factor=1.3, act_fn="gelu")
    config = xLSTMBlockStackConfig(
        mlstm_block=mLSTMBlockConfig(mlstm=mlstm), slstm_block=sLSTMBlockConfig(slstm=slstm, feedforward=feed_forward),
        context_length=steps, num_blocks=blocks, embedding_dim=width, slstm_at=[1], dropout=0.0)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Linear(features, width)
            self.stack = xLSTMBlockStack(config)
            self.head = nn.Linear(width, outputs)

        def forward(self, windows):
            return self.head(self.stack(self.embedding(windows))[:, -1])

    return Network().eval().requires_grad_(False)


def busy_cores():
    with open("/proc/stat") as file:
        ticks = [int(word) for word in file.readline().split()[1:]]
    return (sum(ticks[:3]) + sum(ticks[5:8])) / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser()
    for name, default in dict(features=45, width=64, heads=4, blocks=2, steps=60, outputs=3, background=32, samples=128,
                              windows=2, batch=50, runs=1, threads=2).items():
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    import shap

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    network = build(arguments.features, arguments.width, arguments.heads, arguments.blocks, arguments.steps, arguments.outputs)
    shape = (arguments.steps, arguments.features)
    background, windows = torch.randn(arguments.background, *shape), torch.randn(arguments.windows, *shape)
    # `batch_size` is the batch of SHAP's gradient evaluations; 50 is its default.
    explainer = shap.GradientExplainer(network, background, batch_size=arguments.batch)
    explainer.shap_values(windows[:1], nsamples=arguments.batch, rseed=0)
    rates = []
    clock, cpu, busy = time.perf_counter(), time.process_time(), busy_cores()
    for run in range(arguments.runs):
        start = time.perf_counter()
        values = explainer.shap_values(windows, nsamples=arguments.samples, rseed=run)
        rates.append(arguments.windows / (time.perf_counter() - start))
    others = (busy_cores() - busy - (time.process_time() - cpu)) / (time.perf_counter() - clock)
    with torch.no_grad():
        wanted = (network(windows) - network(background).mean(0)).numpy()
    unexplained = np.abs(np.asarray(values).sum((1, 2)) - wanted).max()
    print(json.dumps(dict(vars(arguments), torch=torch.__version__, shap=shap.__version__,
                          explanations_per_second=round(float(np.median(rates)), 4), unexplained=round(float(unexplained), 4),
                          cores_used_by_others=round(max(0.0, others), 2))))


if __name__ == "__main__":
    main()
