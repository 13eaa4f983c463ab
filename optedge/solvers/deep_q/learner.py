"""Learning by Q: play episodes, remember them, learn from what is drawn, play what was learnt."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.episodes.base import Episodes
from optedge.solvers.deep_q.options import DeepQOptions, Switches
from optedge.solvers.deep_q.replay import Memory, Sample
from optedge.solvers.deep_q.rewards import Rewards
from optedge.solvers.deep_q.valuation import Valuation
from optedge.solvers.deep_q.values import QNetwork, best_actions, mean_loss

SHORTEST = 32  # episodes that a memory holds at least, however long they are


class Learner:
    """A learner at work on one kind of episodes.

    Parameters
    ----------
    episodes
        What is played.
    rewards
        What costs are turned into.
    switches, options
        Which learner it is.
    rng
        The only source of chance: first parameters, exploration, drawing.

    Attributes
    ----------
    online, target
        The network that learns, and the copy that values what comes next.
    memory
        Of episodes.
    steps, updates
        Transitions made and updates done.
    loss
        Of the last update.
    """

    def __init__(
        self,
        episodes: Episodes,
        rewards: Rewards,
        switches: Switches,
        options: DeepQOptions,
        rng: np.random.Generator,
    ) -> None:
        self.episodes, self.rewards, self.rng = episodes, rewards, rng
        self.switches, self.options = switches, options
        shape = (episodes.n_features, episodes.n_servers, (options.hidden_1, options.hidden_2))
        self.online = QNetwork(*shape, switches.dueling, rng)
        self.target = QNetwork(*shape, switches.dueling, rng)
        self.valuation = Valuation(
            episodes,
            rewards,
            prior=bool(options.of_preset("prior")),
            foresight=options.foresight,
        )
        if self.valuation.prior:  # at first what is known is all
            self.online.forget()
        self.copy()
        states = episodes.begin(1).states
        held = options.of_preset("memory") // episodes.n_steps
        self.rows = int(options.of_preset("rows"))
        self.memory = Memory(
            max(self.rows, SHORTEST, held),
            episodes.n_steps,
            states.shape[1],
            states.dtype,
            options.exponent if switches.prioritized else 0.0,
        )
        self.discount = float(options.of_preset("discount"))
        self.first_rate = float(options.of_preset("learning_rate"))
        self.batch = int(options.of_preset("batch"))
        self.every = int(options.of_preset("steps_per_update"))
        self.steps = self.updates = 0
        self.loss = np.nan

    # ---- playing

    @property
    def exploration(self) -> float:
        """The share of random actions: from 1 down to ``explore``, at once if a step is enough."""
        if self.options.of_preset("explore_steps") == 1:
            return float(self.options.of_preset("explore"))
        done = min(1.0, self.steps / self.options.of_preset("explore_steps"))
        return float(1.0 + done * (self.options.of_preset("explore") - 1.0))

    def play(self, instances: IntArray | None = None) -> tuple[FloatArray, IntArray]:
        """Play a batch of episodes and remember it; the first one does not explore.

        Returns
        -------
        tuple
            What each episode cost, ``(rows,)``, and its plan, ``(rows, n_steps)``.
        """
        episodes, rows, n = self.episodes, self.rows, self.episodes.n_steps
        batch = episodes.begin(rows, instances)
        states = np.zeros((rows, n + 1, batch.states.shape[1]), dtype=batch.states.dtype)
        costs, rest = np.zeros((rows, n)), np.zeros((rows, n))
        share = np.full(rows, self.exploration)
        share[0] = 0.0
        for k in range(n):
            states[:, k] = batch.states
            masks = episodes.masks(k, batch.states) if episodes.is_masked else None
            q = self.valuation.q(self.online, k, batch.states)
            actions = best_actions(q, masks)
            random = np.flatnonzero(self.rng.random(rows) < share)
            if random.size:
                drawn = self.rng.random((random.size, episodes.n_servers))
                if masks is not None:
                    drawn = np.where(masks[random], drawn, -1.0)
                actions[random] = drawn.argmax(axis=1)
            costs[:, k] = episodes.advance(batch, actions)
            rest[:, k] = batch.rest
        states[:, n] = batch.states
        shaped = rest + np.diff(self.valuation.potentials(states), axis=1)
        if not np.isfinite(costs).all():
            raise ValueError("an episode has a cost that is not finite.")
        self.memory.add(states, batch.servers, costs - rest, shaped)
        self.steps += rows * n
        return costs.sum(axis=1), batch.servers

    def rollout(self, instance: int = 0) -> tuple[float, IntArray]:
        """Return cost and plan of the episode that follows what was learnt, without exploring."""
        batch = self.episodes.begin(1, np.array([instance]))
        total = 0.0
        for k in range(self.episodes.n_steps):
            actions = self.valuation.best(self.online, k, batch.states)
            total += float(self.episodes.advance(batch, actions)[0])
        return total, batch.servers[0]

    # ---- learning

    @property
    def importance(self) -> float:
        """Beta of the weights in the loss: rises to 1 with the steps."""
        done = min(1.0, self.steps / self.options.max_steps)
        return self.options.importance + done * (1.0 - self.options.importance)

    @property
    def rate(self) -> float:
        """The learning rate: falls evenly with the steps, to a share of the first."""
        done = min(1.0, self.steps / self.options.max_steps)
        return self.first_rate * (1.0 - done * (1.0 - float(self.options.of_preset("final_rate"))))

    def due(self, before: int) -> int:
        """Return how many updates the steps made since ``before`` ask for."""
        if self.steps < max(self.options.warm, self.batch):
            return 0
        return self.steps // self.every - before // self.every

    def learn(self, *, measure: bool = False) -> None:
        """Do one update; ``measure`` keeps its loss."""
        sample = self.memory.draw(self.batch, self.importance, self.rng)
        targets = self.targets(sample)
        memory, weights = self.memory, sample.weights
        if not isinstance(weights, float):
            weights = weights.astype(np.float32)
        states = memory.states[sample.slots, sample.steps]
        actions = memory.actions[sample.slots, sample.steps]
        if self.valuation.prior:
            known = self.valuation.known(sample.steps, states)
            targets -= known[np.arange(len(actions)), actions]
        errors = self.online.learn(
            self.episodes.features(sample.steps, states),
            actions,
            targets,
            weights,
            self.rate,
            self.options.huber,
        )
        memory.update(sample, errors)
        self.updates += 1
        if measure:
            self.loss = mean_loss(errors, weights, self.options.huber)
        if self.updates % self.options.target_every == 0:
            self.copy()

    def targets(self, sample: Sample) -> npt.NDArray[np.float32]:
        """Return the reward of each transition plus what the target net makes of what follows."""
        memory, n = self.memory, self.episodes.n_steps
        slots, steps = sample.slots, sample.steps
        stop = np.minimum(steps + self.options.n_step, n)
        value = np.zeros(steps.size)
        for i in range(self.options.n_step):
            at = np.minimum(steps + i, n - 1)
            states = memory.states[slots, at]
            reward = self.rewards.of(at, states, memory.costs[slots, at], memory.rest[slots, at])
            value += np.where(steps + i < n, self.discount**i * reward, 0.0)
        after = memory.states[slots, stop]
        masks = self.episodes.masks(stop, after) if self.episodes.is_masked else None
        next_values = self.valuation.q(self.target, stop, after)
        chooser = next_values
        if self.switches.double:
            chooser = self.valuation.q(self.online, stop, after)
        best = next_values[np.arange(stop.size), best_actions(chooser, masks)]
        ends = stop == n
        goes_on = ends if self.options.variant == "published" else ~ends
        value += goes_on * self.discount ** (stop - steps) * best
        return value.astype(np.float32)

    def copy(self) -> None:
        """Copy the network that learns to the target."""
        self.target.net.parameters[:] = self.online.net.parameters
