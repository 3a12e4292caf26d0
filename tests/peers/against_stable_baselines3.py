"""Reinforcement learning: advantages, distributions and an optimiser of Stable-Baselines3.

Kept: crates/rl/src/rollout/tests.rs, crates/rl/src/distribution/tests.rs and crates/rl/src/optimiser/tests.rs.
"""

import re

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.distributions import CategoricalDistribution, DiagGaussianDistribution
from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike

from agreement import ROOT, Agreement, rust_function, rust_value

ROLLOUT = "crates/rl/src/rollout/tests.rs"
DISTRIBUTION = "crates/rl/src/distribution/tests.rs"
OPTIMISER = "crates/rl/src/optimiser/tests.rs"
# They count in single precision, and the tests ask for as much.
TOLERANCE = 1e-6


def advantages(agreement):
    given = rust_function(ROLLOUT, "rollout")
    rewards, values = rust_value(given, "rollout.rewards ="), rust_value(given, "rollout.values =")
    bootstraps = rust_value(given, "rollout.bootstraps =")
    flags = lambda name: [word == "true" for word in re.search(rf"rollout\.{name} = vec!\[(.*?)\]", given)[1].split(", ")]
    starts, ended = flags("starts"), flags("ended")
    test = rust_function(ROLLOUT, "advantages_are_those_of_stable_baselines")
    last, gamma, trace = re.search(r"compute_advantages\(&\[([\d.]+)\], ([\d.]+), ([\d.]+)\)", test).groups()
    gamma = float(gamma)
    box = spaces.Box(-1, 1, (1,))
    buffer = RolloutBuffer(len(rewards), box, box, device="cpu", gae_lambda=float(trace), gamma=gamma)
    for step, reward in enumerate(rewards):
        # As OnPolicyAlgorithm.collect_rollouts does where TimeLimit.truncated.
        reward += gamma * bootstraps[step]
        tensor = torch.tensor([[values[step]]])
        one = np.zeros((1, 1), dtype=np.float32)
        buffer.add(one, one, np.array([reward]), np.array([starts[step]]), tensor, torch.zeros(1))
    buffer.compute_returns_and_advantage(torch.tensor([[float(last)]]), np.array([ended[-1]]))
    kept = rust_value(test, "let expected =")
    found = zip(buffer.advantages[:, 0], buffer.returns[:, 0])
    for step, ((advantage, target), expected) in enumerate(zip(found, kept)):
        agreement.near(f"advantage {step}", float(advantage), expected[0], TOLERANCE)
        agreement.near(f"return {step}", float(target), expected[1], TOLERANCE)


def distributions(agreement):
    test = rust_function(DISTRIBUTION, "log_probabilities_and_entropies_are_those_of_torch")
    kept = [float(one) for one in re.findall(r"[-+] (-?\d+\.[\d_]+)\)\.abs\(\)", test)]
    categorical = CategoricalDistribution(3).proba_distribution(torch.tensor([[0.2, -0.4, 1.1]], dtype=torch.float64))
    probability = float(categorical.log_prob(torch.tensor([2])))
    gaussian = DiagGaussianDistribution(2)
    means, logs = torch.tensor([[0.1, -0.2]], dtype=torch.float64), torch.tensor([-0.5, 0.3], dtype=torch.float64)
    entropy = float(gaussian.proba_distribution(means, logs).entropy())
    # The test writes the first as `log_probability + 0.488..`.
    agreement.near("log probability", -probability, kept[0], TOLERANCE)
    agreement.near("entropy", entropy, kept[1], TOLERANCE)


def optimiser(agreement):
    text = (ROOT / OPTIMISER).read_text(encoding="utf-8")
    kept = rust_value(text, "RmsPropTfLike { alpha: 0.99, epsilon: 1e-5 },")
    gradients = rust_value(text, "let gradients =")
    parameters = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5]))
    method = RMSpropTFLike([parameters], lr=1e-2, alpha=0.99, eps=1e-5)
    for gradient in gradients:
        parameters.grad = torch.tensor(gradient)
        torch.nn.utils.clip_grad_norm_([parameters], 0.5)
        method.step()
    agreement.document("RMSpropTFLike", parameters.tolist(), list(kept), TOLERANCE)


def main():
    agreement = Agreement()
    advantages(agreement)
    distributions(agreement)
    optimiser(agreement)
    agreement.end()


main()
