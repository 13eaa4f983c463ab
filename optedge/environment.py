"""Offloading as a Gymnasium environment: each action names the server of the next layer.

>>> import gymnasium
>>> env = gymnasium.make("optedge.environment:optedge/Offloading-v0")
>>> seen, info = env.reset(seed=0)
>>> seen, reward, terminated, truncated, info = env.step(1)
>>> info["server"], reward == -info["cost"]
(1, True)

An episode places every layer, task after task; its rewards add up to minus the objective of the
plan. What is seen, and what a step costs, is told in ``formulations.offloading.episodes``.
Gymnasium 1 loads no plugins: the name is known once this module is imported, which the part before
the colon does.

Needs the extra ``rl``: ``pip install "optedge[rl]"``. Source: the DDPQN paper, section 4.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from optedge.formulations.base import BoolArray
from optedge.formulations.offloading import OffloadingProblem
from optedge.formulations.offloading.episodes import waiting
from optedge.formulations.offloading.episodes.base import Batch
from optedge.formulations.offloading.episodes.meter import Meter, read_from
from optedge.formulations.offloading.episodes.observations import Features

try:
    import gymnasium
    from gymnasium import spaces
except ImportError:
    raise ImportError(
        'The environment needs the package gymnasium: pip install "optedge[rl]".'
    ) from None

ID = "optedge/Offloading-v0"
Wait = Literal["none", "telescope"]
Sampler = Callable[[np.random.Generator], OffloadingProblem]


class OffloadingEnv(gymnasium.Env[Features, np.int64]):
    """Place the layers of tasks, one an action, and pay what each placement adds to the objective.

    Actions are the servers, ``Discrete(n_servers)``; what is seen is ``Box(0, 1)`` of fixed length;
    ``action_masks()`` tells which servers may be chosen. The reward is minus the cost of the step.
    Episodes end after the last layer of the last task and are never cut short. The information of
    each step holds

    * ``server`` and ``cost``, the latter not scaled;
    * ``T``, the seconds of transmission and execution, waiting aside; of a layer that reads several
      others those of execution;
    * with weights, ``E`` (J) and ``U`` ($) of the layer, its coordination ``H`` without unit, and
      ``Z``, what the step adds to the balance as it is weighted;

    and that of the last one ``plan``, the server of each layer, and its ``value``, the objective.

    Parameters
    ----------
    problem
        The instance, or several of which each episode takes one: that of
        ``reset(options={"task": i})``, else one drawn. Several must have the same tiers of servers;
        what is seen is as long as the longest needs, and says which network it is. By default one
        task of AlexNet as ``papers.ddpqn.instance`` makes it with sizes in Mb and weights phi = 1,
        varphi = xi = 0: taking the cheapest server at every step is 64 % above the optimum there.
    wait
        ``"none"``: a step costs what pairs of servers do; tasks must be chains, and waiting for
        pools counts in ``value`` alone. ``"telescope"``: a step costs what it adds to the simulated
        prefix, waiting and the branches of modules included; one instance. By default the former
        where no layer can wait and all tasks are chains.
    sampler
        In place of ``problem``: called with the generator of the environment at each reset, returns
        the instance of the episode. All must be of one shape (servers, layers, tasks).
    context
        Whether it is seen what each server costs. By default with a sampler only.
    reward_scale
        What the cost is multiplied by in the reward, positive.

    Raises
    ------
    ValueError
        If an argument is out of its range, instances do not fit together, or what they cost is no
        sum over steps.
    TypeError
        If a problem is no ``OffloadingProblem``.

    Notes
    -----
    A fixed instance is deterministic, whatever the seed. An action outside the mask raises
    ValueError; it is never replaced by another.

    References
    ----------
    DDPQN, section 4. There the state holds the action about to be taken, and shrinks.
    """

    def __init__(
        self,
        problem: OffloadingProblem | Sequence[OffloadingProblem] | None = None,
        *,
        wait: Wait | None = None,
        sampler: Sampler | None = None,
        context: bool | None = None,
        reward_scale: float = 1.0,
    ) -> None:
        if wait not in (None, "none", "telescope"):
            raise ValueError(f"wait must be 'none', 'telescope' or None, got {wait!r}.")
        if not (isinstance(reward_scale, int | float) and 0 < reward_scale < math.inf):
            raise ValueError(f"reward_scale must be a positive number, got {reward_scale!r}.")
        if problem is not None and sampler is not None:
            raise ValueError("give either problem or sampler, not both.")
        self.sampler, self.reward_scale = sampler, float(reward_scale)
        self._wait = wait
        self._context = sampler is not None if context is None else context
        # A first draw tells the shape; those of the episodes come from the environment's generator.
        given = sampler(np.random.default_rng(0)) if sampler is not None else problem
        self._take(_instances(given))
        self.action_space = spaces.Discrete(self.episodes.n_servers)
        width = self.episodes.n_features
        self.observation_space = spaces.Box(0.0, 1.0, (width,), np.float32)
        self._task = 0
        self._batch: Batch | None = None

    def _take(self, problems: tuple[OffloadingProblem, ...]) -> None:
        """Make the episodes of these instances."""
        self.problems = problems
        wait = self._wait or "auto"
        if self.sampler is not None and waiting.is_simulated(problems, wait):
            raise ValueError(waiting.ONE_ONLY)
        self.episodes = waiting.make_episodes(problems, wait, context=self._context)
        self._meters = [Meter(p) for p in problems]

    @property
    def problem(self) -> OffloadingProblem:
        """The instance of the present episode."""
        return self.problems[self._task]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Features, dict[str, Any]]:
        """Begin an episode.

        Parameters
        ----------
        seed
            Of what is drawn from now on: instances.
        options
            ``{"task": i}`` takes the i-th instance.

        Returns
        -------
        tuple
            What is seen, and ``{"task": i}``.

        Raises
        ------
        ValueError
            If the options name anything else, or a drawn instance has another shape.
        """
        super().reset(seed=seed)
        wanted = self._wanted(options or {})
        if self.sampler is not None:
            self._draw(self.sampler)
        elif wanted is None and len(self.problems) > 1:
            wanted = int(self.np_random.integers(len(self.problems)))
        self._task = wanted or 0
        self._batch = self.episodes.begin(1, np.array([self._task]))
        return self._seen(self._batch), {"task": self._task}

    def _wanted(self, options: dict[str, Any]) -> int | None:
        """Return the instance that the options ask for."""
        if unknown := sorted(set(options) - {"task"}):
            raise ValueError(f"options: the only one is 'task', got {unknown[0]!r}.")
        if "task" not in options:
            return None
        if self.sampler is not None:
            raise ValueError("options['task']: instances are drawn by the sampler.")
        task, n = _whole("options['task']", options["task"]), len(self.problems)
        if not 0 <= task < n:
            raise ValueError(f"options['task'] must be from 0 to {n - 1}, got {task}.")
        return task

    def _draw(self, sampler: Sampler) -> None:
        before = self.episodes
        self._take(_instances(sampler(self.np_random)))
        for field in ("n_servers", "n_steps", "n_features"):
            was, now = getattr(before, field), getattr(self.episodes, field)
            if was != now:
                raise ValueError(f"sampler: an instance has {field} {now}, the others {was}.")

    def action_masks(self) -> BoolArray:
        """Return which servers the next layer may use, ``(n_servers,)``; all at the end."""
        batch = self._running()
        return np.array(self.episodes.masks(self._step(batch), batch.states)[0])

    def step(
        self, action: int | np.integer[Any]
    ) -> tuple[Features, float, bool, bool, dict[str, Any]]:
        """Run the next layer on a server.

        Parameters
        ----------
        action
            Number of the server.

        Returns
        -------
        tuple
            What is seen, the reward, whether the episode has ended, False (it is never cut short),
            and the information that the class lists.

        Raises
        ------
        ValueError
            If the layer may not run there, or the reward is not finite.
        gymnasium.error.ResetNeeded
            If no episode is running.
        """
        batch = self._running()
        problem, v = self.problem, batch.step
        if v == problem.n_subtasks:
            raise gymnasium.error.ResetNeeded("the episode has ended: call reset() first.")
        b = _whole("action", action)
        if not 0 <= b < problem.n_servers:
            raise ValueError(f"action must be a server, 0 to {problem.n_servers - 1}, got {b}.")
        if not self.action_masks()[b]:
            raise ValueError(f"{_named(problem, v, b)}: {_why_not(problem, v, b, batch)}.")
        cost = float(self.episodes.advance(batch, np.array([b]))[0])
        reward = -cost * self.reward_scale
        if not math.isfinite(reward):
            self._batch = None
            raise ValueError(f"{_named(problem, v, b)}: the reward {reward} is not finite.")
        servers = batch.servers[0, : v + 1]
        info = self._meters[self._task].read(servers) | {"cost": cost, "server": b}
        ended = batch.step == problem.n_subtasks
        if ended:
            info |= {"plan": servers.copy(), "value": problem.objective(servers)}
        return self._seen(batch), reward, ended, False, info

    def _running(self) -> Batch:
        if self._batch is None:
            raise gymnasium.error.ResetNeeded("no episode is running: call reset() first.")
        return self._batch

    def _step(self, batch: Batch) -> int:
        """Return the step, for all instances the same once an episode has ended."""
        return batch.step if batch.step < self.problem.n_subtasks else self.episodes.n_steps

    def _seen(self, batch: Batch) -> Features:
        return np.array(
            self.episodes.features(self._step(batch), batch.states)[0], dtype=np.float32
        )


# ------------------------------------------------------------------------------ instances


def _instances(given: Any) -> tuple[OffloadingProblem, ...]:
    """Return the instances as a tuple, the default one if there are none."""
    if given is None:
        from optedge.papers import ddpqn

        weights = {"phi": 1.0, "varphi": 0.0, "xi": 0.0}
        return (ddpqn.instance("alexnet", data_unit="Mb", weights=weights),)
    if isinstance(given, OffloadingProblem):
        return (given,)
    if not isinstance(given, Sequence):
        raise TypeError(f"problem must be an OffloadingProblem, got {type(given).__name__}.")
    if not given:
        raise ValueError("problem must hold at least one instance.")
    for i, p in enumerate(given):
        if not isinstance(p, OffloadingProblem):
            raise TypeError(f"problem[{i}] must be an OffloadingProblem, got {type(p).__name__}.")
    return tuple(given)


# ------------------------------------------------------------------------------ sentences


def _whole(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be a whole number, got {value!r}.") from None


def _named(problem: OffloadingProblem, v: int, b: int) -> str:
    return f"layer {problem.layer[v]} of task {problem.tasks[v]} on server {b}"


def _why_not(problem: OffloadingProblem, v: int, b: int, batch: Batch) -> str:
    """Say why a layer may not run on a server."""
    home = int(problem.clients[problem.tasks[v]])
    if not problem.allowed[v, b]:
        if problem.tiers[b] == 0 and b != home and not problem.foreign_clients:
            return f"tasks use no other client than their own, server {home}"
        if not problem.predecessors[v] and problem.first_layer == "client":
            return f"first layers stay on their client, server {home}"
    for a, _ in read_from(problem, v, batch.servers[0]):
        if not np.isfinite(problem.seconds_per_mb[a, b]):
            return f"there is no connection from server {a}, where its input is"
    return f"its result could not get back to server {home}"


if ID not in gymnasium.registry:
    gymnasium.register(ID, entry_point="optedge.environment:OffloadingEnv")
