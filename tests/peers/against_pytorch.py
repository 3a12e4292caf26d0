"""Networks, losses and optimisers: what PyTorch says of small cases.

Kept: baseline_networks.json of the crate `networks`, explanation/expected_gradients.json of `supervised`, and the values in
crates/rl/src/{objective,optimiser,dqn}/tests.rs.
"""

import re
import tempfile

import torch

from agreement import ROOT, Agreement, flat, kept_json, regenerated, rust_function, rust_value

NETWORKS = "crates/networks/tests/fixtures"
FIXTURES = "crates/supervised/tests/fixtures"
OBJECTIVE = "crates/rl/src/objective/tests.rs"
OPTIMISER = "crates/rl/src/optimiser/tests.rs"
DQN = "crates/rl/src/dqn/tests.rs"
DOUBLE = torch.float64
# The tests of the crate `rl` count in single precision and ask for as much.
SINGLE = 1e-6


def fixtures(agreement):
    with tempfile.TemporaryDirectory() as folder:
        (found,) = regenerated(f"{NETWORKS}/baseline_networks.py", ["baseline_networks.json"], folder)
    kept = kept_json(f"{NETWORKS}/baseline_networks.json")
    for document in (found, kept):
        # Which Python and which build of PyTorch says nothing about the values.
        del document["versions"]
    # They are rounded to nine places.
    agreement.document("baseline_networks", found, kept, 2e-9)
    with tempfile.TemporaryDirectory() as folder:
        script = f"{FIXTURES}/explanation/expected_gradients.py"
        (found,) = regenerated(script, ["expected_gradients.json"], folder)
    kept = kept_json(f"{FIXTURES}/explanation/expected_gradients.json")
    # The means of shap are single precision and written with six places, the others with ten.
    near = lambda place: 3e-6 if ".shap" in place else 1e-9
    agreement.document("expected_gradients", found, kept, near)


def tensor(values, *shape):
    return torch.tensor(flat(values), dtype=DOUBLE).reshape(*shape or (-1,))


def loss_of_ppo(agreement):
    text = rust_function(OBJECTIVE, "the_loss_of_ppo_and_its_derivatives_are_those_of_torch")
    minibatch, evaluation = text[text.find("Minibatch {") :], text[text.find("Evaluation {") :]
    given = lambda name: tensor(rust_value(minibatch, f" {name}:"))
    logits = tensor(rust_value(evaluation, "outputs:"), 4, 3).requires_grad_()
    values = tensor(rust_value(evaluation, "values:")).requires_grad_()
    distribution = torch.distributions.Categorical(logits=logits)
    logarithm = distribution.log_prob(given("actions"))
    ratio = (logarithm - given("log_probabilities")).exp()
    advantages = given("advantages")
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    policy = -torch.min(advantages * ratio, advantages * ratio.clamp(0.8, 1.2)).mean()
    old = given("values")
    value = torch.nn.functional.mse_loss(old + (values - old).clamp(-0.3, 0.3), given("returns"))
    entropy = distribution.entropy().mean()
    loss = policy - 0.01 * entropy + 0.5 * value
    loss.backward()
    divergence = ((ratio - 1) - ratio.log()).mean()
    share = ((ratio - 1).abs() > 0.2).double().mean()
    found = [policy, value, entropy, divergence, share, loss]
    terms = text[text.find("&[policy, value, entropy") :]
    compare(agreement, "PPO's terms", found, rust_value(terms, "],", 0))
    compare(agreement, "PPO by outputs", logits.grad.flatten(), rust_value(text, "&outputs,"))
    compare(agreement, "PPO by values", values.grad, rust_value(text, "close(&values,"))


def loss_of_a2c(agreement):
    text = rust_function(OBJECTIVE, "the_loss_of_a2c_and_its_derivatives_are_those_of_torch")
    minibatch, evaluation = text[text.find("Minibatch {") :], text[text.find("Evaluation {") :]
    means = tensor(rust_value(evaluation, "outputs:"), 3, 2).requires_grad_()
    values = tensor(rust_value(evaluation, "values:")).requires_grad_()
    logs = tensor(rust_value(evaluation, "log_deviations:")).requires_grad_()
    distribution = torch.distributions.Normal(means, logs.exp())
    logarithm = distribution.log_prob(tensor(rust_value(minibatch, " actions:"), 3, 2)).sum(1)
    policy = -(tensor(rust_value(minibatch, " advantages:")) * logarithm).mean()
    value = torch.nn.functional.mse_loss(values, tensor(rust_value(minibatch, " returns:")))
    entropy = distribution.entropy().sum(1).mean()
    loss = policy - 0.02 * entropy + 0.25 * value
    loss.backward()
    terms = text[text.find("&[terms.policy") :]
    # The loss of the values is not a half of the squares on either side.
    compare(agreement, "A2C's terms", [policy, value, entropy, loss], rust_value(terms, "],", 0))
    compare(agreement, "A2C by outputs", means.grad.flatten(), rust_value(text, "&outputs,"))
    compare(agreement, "A2C by values", values.grad, rust_value(text, "close(&values,"))
    compare(agreement, "A2C by deviations", logs.grad, rust_value(text, "close(&logs,"))


def compare(agreement, name, found, kept):
    found = [one.item() if torch.is_tensor(one) else one for one in found]
    kept = [float(one) for one in flat(kept)]
    agreement.document(name, found, kept, SINGLE)


def optimisers(agreement):
    text = (ROOT / OPTIMISER).read_text(encoding="utf-8")
    gradients = rust_value(text, "let gradients =")
    for marker, method in (
        ("OptimiserConfig::adam(1e-5),", lambda one: torch.optim.Adam(one, lr=1e-2, eps=1e-5)),
        ("RmsProp { alpha: 0.99, epsilon: 1e-5 },", lambda one: torch.optim.RMSprop(one, lr=1e-2, alpha=0.99, eps=1e-5)),
    ):
        parameters = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5]))
        stepping = method([parameters])
        for gradient in gradients:
            parameters.grad = torch.tensor(gradient)
            torch.nn.utils.clip_grad_norm_([parameters], 0.5)
            stepping.step()
        compare(agreement, marker, parameters.tolist(), rust_value(text, marker))


def loss_of_dqn(agreement):
    text = rust_function(DQN, "loss_and_gradient_are_pytorchs")
    outputs = tensor(rust_value(text, "let outputs ="), 3, 4).requires_grad_()
    taken, wanted, weights = rust_value(text, "let (taken, wanted, weights) =")
    values = outputs[:, :1] + outputs[:, 1:] - outputs[:, 1:].mean(1, keepdim=True)
    compare(agreement, "action values", values.flatten(), rust_value(text, "let golden ="))
    chosen = values[torch.arange(3), torch.tensor(taken)]
    errors = torch.nn.functional.smooth_l1_loss(chosen, tensor(wanted), reduction="none")
    loss = (tensor(weights) * errors).mean()
    loss.backward()
    kept = float(re.search(r"loss - ([\d._]+)\)\.abs", text)[1])
    agreement.near("DQN's loss", loss.item(), kept, SINGLE)
    compare(agreement, "DQN by outputs", outputs.grad.flatten(), rust_value(text, "let golden =", 1))


def main():
    torch.set_num_threads(1)
    agreement = Agreement()
    fixtures(agreement)
    loss_of_ppo(agreement)
    loss_of_a2c(agreement)
    optimisers(agreement)
    loss_of_dqn(agreement)
    agreement.end()


main()
