"""One learner of Stable-Baselines3, or one update in PyTorch, in a process of its own.

Neither package is a dependency of this one: this script runs with an interpreter that has both.

``python benchmarks/learning_peers.py sb3 --instance "AlexNet Mb" --seed 0 --limit 300 --out FILE``
trains the DQN of Stable-Baselines3 on ``OffloadingEnv`` with the settings of the DDPQN paper, but
discount 1: learning rate 1e-3, batches of 256, exploration 0.1 in the end, a copy to the target
network every 100 steps, learning from 256 transitions on, hidden layers of 50 and 20 neurons, one
update a step, one thread; all else, plain targets and uniform replay among it, is the package's
default. So exploration falls from 1 over the first tenth of ``--steps``, the transitions that it is
told of. Every ``--every`` of them the greedy policy is rolled out, on a clock that stands still
meanwhile; a run ends when its regret, the value of the plan over the optimum (``decisions``), is at
most 1e-9, or at its limit of CPU seconds.

``python benchmarks/learning_peers.py torch-update`` measures one update of double and dueling
Q-learning by hand: the network (50-20, value and advantages) twice on the next states, online and
target, once on the states, Huber loss, gradients, one step of Adam in its fused form.

Both print one line of JSON, and append it to ``--out``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import optedge as oe
from optedge.formulations.offloading.costs import decisions
from optedge.papers import ddpqn

SAME = 1e-9  # regret below it is none
SC = {"phi": 1.0, "varphi": 0.0, "xi": 0.0}
#: Network, and what is not published.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "AlexNet Mb": ("alexnet", {"data_unit": "Mb"}),
    "VGG19 Mb": ("vgg19", {"data_unit": "Mb"}),
    "ResNet101 Mb": ("resnet101", {"data_unit": "Mb"}),
    "AlexNet x10": ("alexnet", {"standardisation": "max", "rates": 10.0}),
    "VGG19 std": ("vgg19", {"standardisation": "std"}),
}
HIDDEN, RATE, BATCHES = (50, 20), 1e-3, (64, 256)
EXPLORATION, TARGET_EVERY, LEARNING_STARTS = 0.1, 100, 256


def instance(name: str) -> oe.OffloadingProblem:
    """Return one of the instances on which learners are compared: one task, costs of pairs only.

    Parameters
    ----------
    name
        One of ``CASES``: the published servers; "x10" says that all rates are ten times as high.
    """
    network, given = CASES[name]
    fields = dict(given)
    rates = fields.pop("rates", 1.0)
    weights = {**SC, "standardisation": fields.pop("standardisation", "min-max")}
    problem = ddpqn.instance(network, weights=weights, **fields)
    return problem.replace(rates_mb_s=rates * problem.rates_mb_s, name=name)


def optimum(problem: oe.OffloadingProblem) -> float:
    """Return the least cost of a plan, by dynamic programming over the decisions."""
    steps = decisions.make(problem)
    return steps.cost(steps.follow(steps.q_values()))


def main() -> None:
    """Measure what is asked for, print it, append it to the file."""
    options = _arguments()
    found = MEASURES[options.measure](options)
    line = json.dumps(found)
    print(line, flush=True)
    if options.out is not None:
        with options.out.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="measure", required=True)
    learner = kinds.add_parser("sb3", help="train the DQN of Stable-Baselines3")
    learner.add_argument("--instance", choices=list(CASES), required=True)
    learner.add_argument("--seed", type=int, default=0)
    learner.add_argument("--limit", type=float, default=300.0, help="CPU seconds of training")
    learner.add_argument(
        "--steps", type=int, default=300_000, help="at most; its schedule's length"
    )
    learner.add_argument("--every", type=int, default=100, help="steps between two rollouts")
    update = kinds.add_parser("torch-update", help="measure one update in PyTorch")
    update.add_argument("--updates", type=int, default=2000, help="in each of three rounds")
    for kind in (learner, update):
        kind.add_argument("--out", type=Path, metavar="FILE", help="append the line here too")
    return parser.parse_args()


# ------------------------------------------------------------------------------ a learner


class Regret:
    """A clock of CPU seconds that stands still during rollouts, and the regret of each.

    Parameters
    ----------
    problem
        What is learnt.
    policy
        Called with what is seen, returns an action.
    """

    def __init__(self, problem: oe.OffloadingProblem, policy: Callable[[np.ndarray], Any]) -> None:
        from optedge.environment import OffloadingEnv

        self._env, self._policy = OffloadingEnv(problem), policy
        self._optimum = optimum(problem)
        self.least, self.last = np.inf, np.inf
        self.reached: float | None = None
        self.reached_steps: int | None = None
        self._rollout()  # kernels are compiled before the clock starts
        self._began = time.process_time()

    def seconds(self) -> float:
        """Return the CPU seconds of training so far."""
        return time.process_time() - self._began

    def look(self, steps: int) -> bool:
        """Roll the policy out after so many steps; tell whether it is optimal."""
        paused = time.process_time()
        spent = paused - self._began
        self.last = self._rollout() - self._optimum
        self.least = min(self.least, self.last)
        if self.last <= SAME:
            self.reached, self.reached_steps = spent, steps
        self._began += time.process_time() - paused
        return self.last <= SAME

    def _rollout(self) -> float:
        seen, _ = self._env.reset()
        while True:
            seen, _, ended, _, info = self._env.step(self._policy(seen))
            if ended:
                return float(info["value"])


def train(name: str, seed: int, limit: float, steps: int, every: int) -> dict[str, Any]:
    """Train the DQN of Stable-Baselines3 until its policy is optimal, or to a limit.

    Parameters
    ----------
    name
        Of the instance.
    seed
        Of networks, exploration and replay.
    limit
        CPU seconds of training, rollouts left out.
    steps
        Transitions, at most.
    every
        Transitions between two rollouts.

    Returns
    -------
    dict
        Regret least seen and last, and the steps and CPU seconds to regret 0; None if it was not
        reached.
    """
    import stable_baselines3
    import torch
    from stable_baselines3 import DQN
    from stable_baselines3.common.callbacks import BaseCallback

    from optedge.environment import OffloadingEnv

    torch.set_num_threads(1)
    problem = instance(name)
    model = DQN(
        "MlpPolicy",
        OffloadingEnv(problem),
        learning_rate=RATE,
        batch_size=256,
        gamma=1.0,
        exploration_final_eps=EXPLORATION,
        target_update_interval=TARGET_EVERY,
        learning_starts=LEARNING_STARTS,
        train_freq=1,
        policy_kwargs={"net_arch": list(HIDDEN)},
        seed=seed,
        device="cpu",
    )
    regret = Regret(problem, lambda seen: int(model.predict(seen, deterministic=True)[0]))

    class Watch(BaseCallback):
        def _on_step(self) -> bool:
            done = self.num_timesteps % every == 0 and regret.look(self.num_timesteps)
            return not done and regret.seconds() < limit

    model.learn(total_timesteps=steps, callback=Watch())
    seconds = regret.seconds()
    if regret.reached is None:  # what the last updates made of it
        regret.look(model.num_timesteps)
    return {
        "learner": f"Stable-Baselines3 {stable_baselines3.__version__} DQN",
        "torch": torch.__version__,
        "instance": name,
        "seed": seed,
        "limit": limit,
        "every": every,
        "schedule": steps,
        "steps": model.num_timesteps,
        "seconds": seconds,
        "seconds_to_zero": regret.reached,
        "steps_to_zero": regret.reached_steps,
        "least_regret": regret.least,
        "final_regret": regret.last,
    }


# ------------------------------------------------------------------------------ one update


def time_updates(n_features: int, n_actions: int, batch: int, updates: int) -> float:
    """Return the CPU seconds of one update in PyTorch, the best of three rounds.

    Parameters
    ----------
    n_features, n_actions
        Inputs and actions of the network.
    batch
        Transitions an update.
    updates
        In each round.
    """
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    online, target = (_dueling(torch, n_features, n_actions) for _ in range(2))
    target.load_state_dict(online.state_dict())
    adam = torch.optim.Adam(online.parameters(), lr=RATE, fused=True)
    seen, later = torch.rand(2, batch, n_features)
    actions = torch.randint(n_actions, (batch, 1))
    costs, going_on = torch.rand(batch, 1), torch.rand(batch, 1).gt(0.1).float()

    def update() -> None:
        with torch.no_grad():
            best = online(later).argmax(dim=1, keepdim=True)
            wanted = going_on * target(later).gather(1, best) - costs
        loss = torch.nn.functional.smooth_l1_loss(online(seen).gather(1, actions), wanted)
        adam.zero_grad()
        loss.backward()
        adam.step()

    rounds = []
    for count in (min(updates, 200), updates, updates, updates):
        began = time.process_time()
        for _ in range(count):
            update()
        rounds.append((time.process_time() - began) / count)
    return min(rounds[1:])  # the first one warms up


def _dueling(torch: Any, n_features: int, n_actions: int) -> Any:
    """Return the network with a head of values and one of advantages."""

    class Dueling(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = torch.nn.Sequential(
                torch.nn.Linear(n_features, HIDDEN[0]),
                torch.nn.ReLU(),
                torch.nn.Linear(HIDDEN[0], HIDDEN[1]),
                torch.nn.ReLU(),
            )
            self.value = torch.nn.Linear(HIDDEN[1], 1)
            self.advantage = torch.nn.Linear(HIDDEN[1], n_actions)

        def forward(self, seen: Any) -> Any:
            body = self.body(seen)
            advantage = self.advantage(body)
            return self.value(body) + advantage - advantage.mean(dim=1, keepdim=True)

    return Dueling()


def _updates(options: argparse.Namespace) -> dict[str, Any]:
    """Measure updates of the network of AlexNet, 34 inputs and 11 actions."""
    import torch

    problem = instance("AlexNet Mb")
    width = problem.n_servers + 2 * problem.n_subtasks + 1
    micro = {
        f"batch_{batch}_us": 1e6 * time_updates(width, problem.n_servers, batch, options.updates)
        for batch in BATCHES
    }
    return {"learner": f"PyTorch {torch.__version__}", "inputs": width, **micro}


def _trained(options: argparse.Namespace) -> dict[str, Any]:
    return train(options.instance, options.seed, options.limit, options.steps, options.every)


MEASURES = {"sb3": _trained, "torch-update": _updates}


if __name__ == "__main__":
    main()
