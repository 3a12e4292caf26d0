"""Learning curves on CartPole-v1, side by side: this crate and Stable-Baselines3 with the zoo's settings, seed by seed.

    OMP_NUM_THREADS=1 python sb3_curves.py CARTPOLE [--algorithms ppo,dqn,a2c] [--seeds 5] [--output FILE]

CARTPOLE is the built example: cargo build --release -p rl --example cartpole. Needs stable-baselines3 and gymnasium. Settings and
budgets are those of RL Baselines3 Zoo (hyperparams/{ppo,a2c,dqn}.yml): PPO 100 000 steps, A2C 500 000, DQN 50 000.

A curve is [steps, mean return of the last 100 training episodes], a point for every 2 048 steps. What DQN explores keeps its training
returns low, so that it has a second curve of 20 greedy episodes each. A run has reached 475 where that mean first did, looked at after
each rollout (PPO, A2C: 100 episodes are over) or at each greedy look (DQN). "final" is the mean of 100 greedy episodes after the last step.

stdout has one line of JSON per run and then the tables; with --output lines go to that file as well, and runs that it holds are
not repeated. "-" is never.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import torch
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

SOLVED = 475.0
LOOK_EVERY = 2_048
# The names of the example's settings, budgets, and whether it is DQN.
BUDGETS = {"ppo": ("ppo", 100_000), "a2c": ("a2c", 500_000), "dqn": ("dqn-zoo", 50_000)}


class Watch(BaseCallback):
    """Notes the curves, as the example does: after a rollout has been learned from."""

    def __init__(self, algorithm, seed):
        super().__init__()
        self.greedy = algorithm == "dqn"
        self.look_environment = make_vec_env("CartPole-v1", 10, seed=seed + 500_000)
        self.curve, self.greedy_curve, self.solved_at, self.next_look = [], [], None, LOOK_EVERY

    def _on_step(self):
        return True

    def _on_rollout_end(self):
        # On policy, ours reports a rollout's episodes as soon as it has learned from it.
        if not self.greedy:
            self.look()

    def _on_rollout_start(self):
        if self.greedy and self.num_timesteps > 0:
            self.look()

    def look(self):
        steps, returns = self.num_timesteps, [episode["r"] for episode in self.model.ep_info_buffer]
        mean = float(np.mean(returns)) if returns else None
        due = steps >= self.next_look
        if due:
            self.next_look = (steps // LOOK_EVERY + 1) * LOOK_EVERY
            if mean is not None:
                self.curve.append([steps, round(mean, 2)])
        if self.greedy and due:
            mean = float(evaluate_policy(self.model, self.look_environment, n_eval_episodes=20)[0])
            self.greedy_curve.append([steps, round(mean, 2)])
        solved = mean is not None and mean >= SOLVED and (due if self.greedy else len(returns) == 100)
        if self.solved_at is None and solved:
            self.solved_at = steps


def model_of(algorithm, seed):
    environments = make_vec_env("CartPole-v1", n_envs=1 if algorithm == "dqn" else 8, seed=seed)
    shared = {"seed": seed, "device": "cpu"}
    if algorithm == "ppo":
        return PPO(
            "MlpPolicy",
            environments,
            n_steps=32,
            batch_size=256,
            n_epochs=20,
            gae_lambda=0.8,
            gamma=0.98,
            learning_rate=lambda left: 1e-3 * left,
            clip_range=lambda left: 0.2 * left,
            **shared,
        )
    if algorithm == "a2c":
        return A2C("MlpPolicy", environments, **shared)
    return DQN(
        "MlpPolicy",
        environments,
        learning_rate=2.3e-3,
        batch_size=64,
        buffer_size=100_000,
        learning_starts=1_000,
        gamma=0.99,
        target_update_interval=10,
        train_freq=256,
        gradient_steps=128,
        exploration_fraction=0.16,
        exploration_final_eps=0.04,
        policy_kwargs={"net_arch": [256, 256]},
        **shared,
    )


def peer(algorithm, seed):
    model, watch = model_of(algorithm, seed), Watch(algorithm, seed)
    model.learn(BUDGETS[algorithm][1], callback=watch)
    if watch.greedy:
        watch.look()
    environments = make_vec_env("CartPole-v1", 10, seed=seed + 1_000_000)
    final, _ = evaluate_policy(model, environments, n_eval_episodes=100)
    return {"curve": watch.curve, "greedy_curve": watch.greedy_curve, "solved_at": watch.solved_at, "final": float(final)}


def ours(program, algorithm, seed):
    command = [program, "--algorithm", BUDGETS[algorithm][0], "--seed", str(seed), "--output-format", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    run = json.loads(done.stdout)
    return {
        "curve": run["curve"],
        "greedy_curve": run["greedy_curve"],
        "solved_at": run["solved_at"],
        "final": run["mean_return"],
    }


def table(algorithm, runs):
    """Rows of Markdown: a line per seed, and the means (of steps: of the seeds that got there)."""
    mine, theirs = runs["matrela"], runs["stable-baselines3"]
    steps = lambda value: "-" if value is None else f"{value:,}"
    print(f"\n{algorithm}, {BUDGETS[algorithm][1]:,} steps")
    print("| seed | to 475, here | to 475, Stable-Baselines3 | final, here | final, Stable-Baselines3 |")
    print("|---|---|---|---|---|")
    for seed in sorted(set(mine) & set(theirs)):
        a, b = mine[seed], theirs[seed]
        print(f"| {seed} | {steps(a['solved_at'])} | {steps(b['solved_at'])} | {a['final']:.1f} | {b['final']:.1f} |")
    summary = []
    for side in (mine, theirs):
        reached = [run["solved_at"] for run in side.values() if run["solved_at"] is not None]
        middle = f"{round(statistics.median(reached)):,}" if reached else "-"
        finals = [run["final"] for run in side.values()]
        summary.append((f"{len(reached)} of {len(side)}, median {middle}", f"{statistics.mean(finals):.1f}"))
    (a, c), (b, d) = summary
    print(f"| all | {a} | {b} | {c} | {d} |")
    points = range(1, 1 + BUDGETS[algorithm][1] // LOOK_EVERY)
    shown = [point * LOOK_EVERY for point in points if point % max(1, len(points) // 8) == 0]
    kind = "greedy_curve" if algorithm == "dqn" else "curve"
    print(f"\nmean over seeds of the {kind.replace('_', ' ')}, at about so many steps")
    print("| | " + " | ".join(f"{step:,}" for step in shown) + " |\n|---|" + "---|" * len(shown))
    for name, side in runs.items():
        at = lambda run, step: min(run[kind], key=lambda point: abs(point[0] - step))[1]
        cells = [f"{statistics.mean(at(run, step) for run in side.values()):.0f}" for step in shown]
        print(f"| {name} | " + " | ".join(cells) + " |")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("cartpole")
    arguments.add_argument("--algorithms", default="ppo,dqn,a2c")
    arguments.add_argument("--seeds", type=int, default=5)
    arguments.add_argument("--output")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    names = ", ".join(f"{name} {version(name)}" for name in ["stable-baselines3", "gymnasium", "torch"])
    print(f"{platform.machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; {names}", file=sys.stderr)
    known = {}
    if given.output and os.path.exists(given.output):
        with open(given.output, encoding="utf-8") as lines:
            for line in map(json.loads, lines):
                known[line["algorithm"], line["side"], line["seed"]] = line
    for algorithm in given.algorithms.split(","):
        runs = {"matrela": {}, "stable-baselines3": {}}
        for seed in range(given.seeds):
            for side in runs:
                line = known.get((algorithm, side, seed))
                if line is None:
                    run = ours(given.cartpole, algorithm, seed) if side == "matrela" else peer(algorithm, seed)
                    line = {"algorithm": algorithm, "side": side, "seed": seed, **run}
                    if given.output:
                        with open(given.output, "a", encoding="utf-8") as lines:
                            lines.write(json.dumps(line) + "\n")
                print(json.dumps(line), flush=True)
                runs[side][seed] = line
        table(algorithm, runs)


if __name__ == "__main__":
    main()
