"""Steps a second of PPO and A2C on CartPole-v1, side by side: this crate and Stable-Baselines3 with the same settings.

    python sb3_cartpole.py CARTPOLE [--rounds 3] [--threads 1]

CARTPOLE is the built example: cargo build --release -p rl --example cartpole. Needs stable-baselines3 and gymnasium. Both sides act,
step eight environments, work out advantages and update; a network each for actor and critic, two layers of 64. PPO: rollouts of
8 x 32, minibatches of 256, 20 passes, linear schedules (RL Baselines3 Zoo), and the defaults of both sides with rollouts of 8 x 256,
minibatches of 64, 10 passes; A2C: rollouts of 8 x 5. Rounds go in turns. PyTorch
gets --threads threads; this crate runs on one.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from importlib.metadata import version

import torch
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.env_util import make_vec_env


def peer(algorithm, seed, steps):
    environments = make_vec_env("CartPole-v1", n_envs=8, seed=seed)
    if algorithm == "ppo":
        model = PPO(
            "MlpPolicy",
            environments,
            n_steps=32,
            batch_size=256,
            n_epochs=20,
            gae_lambda=0.8,
            gamma=0.98,
            learning_rate=lambda left: 1e-3 * left,
            clip_range=lambda left: 0.2 * left,
            seed=seed,
            device="cpu",
        )
    elif algorithm == "ppo-defaults":
        model = PPO("MlpPolicy", environments, n_steps=256, seed=seed, device="cpu")
    else:
        model = A2C("MlpPolicy", environments, seed=seed, device="cpu")
    model.learn(256)  # warm
    begun = time.perf_counter()
    model.learn(steps, reset_num_timesteps=True)
    return steps / (time.perf_counter() - begun)


def ours(program, algorithm, seed):
    command = [program, "--algorithm", algorithm, "--seed", str(seed), "--output-format", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)["steps_per_second"]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("cartpole")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=1)
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    names = ["stable-baselines3", "gymnasium", "torch"]
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    print(f"{platform.machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; {versions}")
    for algorithm, steps in [("ppo", 24_576), ("ppo-defaults", 24_576), ("a2c", 40_000)]:
        ratios = []
        for round_number in range(given.rounds):
            mine = ours(given.cartpole, algorithm, round_number)
            theirs = peer(algorithm, round_number, steps)
            ratios.append(mine / theirs)
            print(f"{algorithm} round {round_number}: {mine:.0f} and {theirs:.0f} steps/s, {ratios[-1]:.1f} times")
        print(f"{algorithm}: median {statistics.median(ratios):.1f} times, least {min(ratios):.1f}")


if __name__ == "__main__":
    main()
