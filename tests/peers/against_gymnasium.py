"""Environments: moves CartPole and Pendulum of Gymnasium as the tests of the crate `rl` do.

Kept: crates/rl/src/classic/tests.rs.
"""

import gymnasium
import numpy as np

from agreement import Agreement, rust_function, rust_value

KEPT = "crates/rl/src/classic/tests.rs"
TOLERANCE = 1e-14


def moved(name, begin, action):
    environment = gymnasium.make(name).unwrapped
    environment.reset(seed=0)
    environment.state = np.array(begin)
    return environment, environment.step(action)


def cart_pole(agreement):
    text = rust_function(KEPT, "cart_pole_moves_as_gymnasiums")
    state = rust_value(text, "CartPole::at(")
    for number, (action, expected) in enumerate(rust_value(text, "let golden =")):
        environment, (_, reward, terminated, truncated, _) = moved("CartPole-v1", state, action)
        agreement.document(f"CartPole {number}", list(map(float, environment.state)), expected, TOLERANCE)
        agreement.same(f"CartPole {number}, reward and end", (reward, terminated, truncated), (1.0, False, False))
        state = environment.state
    for number, (state, action, expected) in enumerate(rust_value(text, "let ends =")):
        environment, (_, reward, terminated, truncated, _) = moved("CartPole-v1", state, action)
        agreement.document(f"CartPole's end {number}", list(map(float, environment.state)), expected, TOLERANCE)
        agreement.same(f"CartPole's end {number}", (reward, terminated, truncated), (1.0, True, False))


def pendulum(agreement):
    text = rust_function(KEPT, "pendulum_moves_as_gymnasiums")
    for begin, swings in rust_value(text, "let golden: [([f64; 2], Vec<Swing>); 3] ="):
        state = begin
        for torque, expected, seen, reward in swings:
            environment, step = moved("Pendulum-v1", state, np.array([torque], dtype=np.float32))
            state = environment.state
            name = f"Pendulum from {begin}, {torque}"
            agreement.document(f"{name}, state", list(map(float, state)), expected, TOLERANCE)
            agreement.document(f"{name}, seen", list(map(float, step[0])), [float(one) for one in seen], 1e-6)
            agreement.near(f"{name}, reward", float(step[1]), reward, TOLERANCE)


def main():
    agreement = Agreement()
    cart_pole(agreement)
    pendulum(agreement)
    agreement.end()


main()
