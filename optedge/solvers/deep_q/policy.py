"""A policy learnt on many instances, for instances that it has not seen.

It sees of a state what each server costs now and for the rest of the task (``context`` in
``episodes``), so that one network serves other servers and weights; a plan is one greedy rollout.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from optedge import disk
from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading import OffloadingProblem
from optedge.formulations.offloading.episodes.base import myopic
from optedge.formulations.offloading.episodes.pairs import PairEpisodes
from optedge.solvers.code import offer_code
from optedge.solvers.deep_q.checkpoint import read_arrays
from optedge.solvers.deep_q.learner import Learner
from optedge.solvers.deep_q.options import LEARNERS, DeepQOptions
from optedge.solvers.deep_q.rewards import make_rewards
from optedge.solvers.deep_q.valuation import Valuation
from optedge.solvers.deep_q.values import QNetwork
from optedge.solvers.run import Run

VERSION = 1
VALUED = ("prior", "foresight", "clip")  # options that say how states are valued


class Policy:
    """What was learnt, as a solver: ``optedge.solve(problem, policy)`` is one rollout.

    Made by :func:`learn_policy` or :meth:`load`. It takes instances with as many servers of each
    tier and as many layers a task as those it was taught.
    """

    def __init__(
        self, network: QNetwork, layout: dict[str, Any], options: DeepQOptions | None = None
    ) -> None:
        self.network, self.layout = network, layout
        self._options = DeepQOptions() if options is None else options
        # Two policies in one study must not be taken for each other.
        digest = hashlib.sha256(network.net.parameters.tobytes()).hexdigest()
        self.__name__ = f"policy-{digest[:8]}"

    def plan(self, problem: OffloadingProblem) -> IntArray:
        """Return the servers of its rollout, ``(n_subtasks,)``.

        Raises
        ------
        ValueError
            If the instance has another shape than those it was taught.
        """
        episodes = PairEpisodes([problem], context=True)
        here = _layout(episodes)
        for name, value in here.items():
            if self.layout.get(name) != value:
                raise ValueError(
                    f"the policy was taught {name} {self.layout.get(name)}, here it is {value}."
                )
        values, rng = np.array([myopic(episodes)[0]]), np.random.default_rng(0)  # not drawn from
        valuation = _valuation(episodes, values, self._options, rng)
        batch = episodes.begin(1)
        for k in range(episodes.n_steps):
            episodes.advance(batch, valuation.best(self.network, k, batch.states))
        return np.asarray(batch.servers[0])

    def __call__(self, problem: OffloadingProblem, run: Run) -> None:
        """Offer the plan of the rollout."""
        offer_code(problem, run, self.plan(problem))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the policy to a file (.npz), whole or not at all."""
        head = {"version": VERSION, "dueling": self.network.dueling, **self.layout}
        head |= {name: self._options.of_preset(name) for name in VALUED}
        head["sizes"] = self.network.net.sizes
        file = io.BytesIO()
        text = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
        np.savez_compressed(file, head=text, parameters=self.network.net.parameters)
        disk.write_atomic(path, file.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a policy.

        Raises
        ------
        ValueError
            If the file is no policy or of another version.
        """
        arrays = read_arrays(path, "policy")
        try:
            head, parameters = json.loads(arrays["head"].tobytes()), arrays["parameters"]
            if head.pop("version") != VERSION:
                raise ValueError("another version")
            options = DeepQOptions(**{name: head.pop(name) for name in VALUED})
            sizes, dueling = head.pop("sizes"), bool(head.pop("dueling"))
            shape = (sizes[0], sizes[-1] - dueling, tuple(sizes[1:-1]))
            network = QNetwork(*shape, dueling, np.random.default_rng(0))
            if parameters.shape != network.net.parameters.shape:
                raise ValueError("another number of parameters")
            network.net.parameters[:] = parameters
            if not np.isfinite(network.net.parameters).all():
                raise ValueError("parameters are not finite")
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError(f"{path}: not a policy ({error}).") from None
        return cls(network, head, options)


def learn_policy(
    problems: Sequence[OffloadingProblem],
    learner: str = "ddpqn",
    *,
    seed: int = 0,
    time_limit: float = 60.0,
    **options: Any,
) -> Policy:
    """Learn one policy on many instances.

    Parameters
    ----------
    problems
        Chains with the same numbers of servers and layers: random draws of servers or weights.
        Waiting for pools is left out.
    learner
        ``"ddpqn"`` or one of its ablations.
    seed
        Of first parameters, exploration and drawing.
    time_limit
        Seconds; the option ``max_steps`` ends it too, and then the result is the same every time.
    **options
        Those of the learner but ``wait``, ``checkpoint`` and ``resume``; ``prior`` is on
        by default.

    Returns
    -------
    Policy
        The one that did best on the instances taught, over all moments at which it was tried.

    Raises
    ------
    ValueError
        If there is no such learner, an option is not for policies, or the instances do not fit
        together: all tasks must be of one network.
    TypeError
        If there is no such option.
    """
    if learner not in LEARNERS:
        raise ValueError(f"there is no learner {learner!r}; the choices are {', '.join(LEARNERS)}.")
    unknown = sorted(set(options) - set(DeepQOptions.__dataclass_fields__))
    if unknown:
        raise TypeError(f"{learner} has no option {unknown[0]!r}.")
    for field in ("wait", "checkpoint", "resume"):
        if options.get(field) not in (None, False):
            raise ValueError(f"option {field} is not for policies.")
    chosen = DeepQOptions(**{"prior": True, **options})
    episodes = PairEpisodes(problems, context=True)
    for i, p in enumerate(problems):
        if _layout(PairEpisodes([p], context=True)) != _layout(episodes):
            raise ValueError(f"instance {i}: a policy needs tasks of one network, equally many.")
    rng = np.random.default_rng(seed)
    values = np.array([myopic(PairEpisodes([p]))[0] for p in problems])
    rewards = make_rewards(episodes, values, chosen, rng)
    taught = Learner(episodes, rewards, LEARNERS[learner], chosen, rng)
    began, best, kept = time.perf_counter(), np.inf, taught.online.net.parameters.copy()
    last_tried = -np.inf
    while taught.steps < chosen.max_steps and time.perf_counter() - began < time_limit:
        before = taught.steps
        taught.play(rng.integers(0, len(problems), taught.rows))
        for _ in range(taught.due(before)):
            taught.learn()
        if taught.steps - last_tried >= 20 * taught.rows * episodes.n_steps:
            last_tried, score = taught.steps, _score(taught, rewards.scale)
            if score < best:
                best, kept = score, taught.online.net.parameters.copy()
    if _score(taught, rewards.scale) >= best:
        taught.online.net.parameters[:] = kept
    return Policy(taught.online, _layout(episodes), chosen)


def _score(learner: Learner, scale: FloatArray) -> float:
    """Return the mean cost of rollouts on all instances, each in units of its own scale."""
    episodes = learner.episodes
    batch = episodes.begin(len(scale), np.arange(len(scale)))
    total = np.zeros(len(scale))
    for k in range(episodes.n_steps):
        total += episodes.advance(batch, learner.valuation.best(learner.online, k, batch.states))
    return float(np.mean(total / scale))


def _valuation(
    episodes: PairEpisodes, values: FloatArray, options: DeepQOptions, rng: np.random.Generator
) -> Valuation:
    """Return how states of an instance are valued, a plan of this value known."""
    rewards = make_rewards(episodes, values, options, rng)
    prior = bool(options.of_preset("prior"))
    return Valuation(episodes, rewards, prior=prior, foresight=options.foresight)


def _layout(episodes: PairEpisodes) -> dict[str, Any]:
    """Return what instances must share to be seen by one network."""
    return {
        "tiers": episodes.decisions[0].tiers.tolist(),
        "steps": episodes.n_steps,
        "features": episodes.n_features,
    }
