"""Options of the learners, their two presets, and the three switches that make eight of them."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

from optedge.solvers.registry import Options, option


class Switches(NamedTuple):
    """What tells the eight learners apart."""

    double: bool  # the target net values the action that the online net prefers
    dueling: bool  # value and advantages instead of Q
    prioritized: bool  # transitions of large error are learnt from more often


#: The learners by name; the published one is the last.
LEARNERS = {
    "dqn": Switches(False, False, False),
    "double-dqn": Switches(True, False, False),
    "dueling-dqn": Switches(False, True, False),
    "prioritized-dqn": Switches(False, False, True),
    "double-prioritized-dqn": Switches(True, False, True),
    "dueling-prioritized-dqn": Switches(False, True, True),
    "double-dueling-dqn": Switches(True, True, False),
    "ddpqn": Switches(True, True, True),
}

#: What options that are None stand for: ``"long"`` is for episodes of fifty steps and more, where
#: layers of all tasks depend on each other (balance, pools); ``"paper"`` for the published numbers.
PRESETS: dict[str, dict[str, Any]] = {
    "default": {
        "discount": 1.0,
        "learning_rate": 1e-2,
        "final_rate": 0.1,
        "batch": 128,
        "memory": 8192,
        "steps_per_update": 8,
        "explore": 0.1,
        "explore_steps": 4000,
        "clip": True,
        "rows": 64,
        "prior": False,
    },
    "long": {
        "discount": 0.8,
        "learning_rate": 1e-3,
        "final_rate": 0.1,
        "batch": 128,
        "memory": 32_768,
        "steps_per_update": 8,
        "explore": 0.02,
        "explore_steps": 1,
        "clip": True,
        "rows": 16,
        "prior": True,
    },
    "paper": {
        "discount": 0.8,
        "learning_rate": 1e-3,
        "final_rate": 1.0,
        "batch": 256,
        "memory": 20_000,
        "steps_per_update": 1,
        "explore": 0.1,
        "explore_steps": 4000,
        "clip": False,
        "rows": 64,
        "prior": False,
    },
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeepQOptions(Options):
    """Options of ``ddpqn`` and its ablations; None: as the preset says."""

    preset: str = option("default", "values of the options left None", choices=tuple(PRESETS))
    variant: str = option(
        "corrected", "the published loop keeps its errors", choices=("corrected", "published")
    )
    wait: str = option(
        "auto", "waiting for pools: left out, or simulated", choices=("auto", "none", "telescope")
    )
    discount: float | None = option(None, "factor from one step to the next", low=0, high=1)
    learning_rate: float | None = option(None, "of Adam", above=0)
    final_rate: float | None = option(
        None, "share of the learning rate that is left at max_steps", above=0, high=1
    )
    batch: int | None = option(None, "transitions an update", low=1)
    memory: int | None = option(None, "transitions that are remembered", low=1)
    steps_per_update: int | None = option(None, "transitions made between two updates", low=1)
    clip: bool | None = option(None, "whether costs no good plan can have are cut (exact)")
    prior: bool | None = option(None, "whether the network adds to what a step is known to cost")
    rows: int | None = option(None, "episodes side by side", low=2)
    explore: float | None = option(None, "share of random actions in the end", low=0, high=1)
    explore_steps: int | None = option(None, "transitions until exploration is so low", low=1)
    warm: int = option(1000, "transitions before learning starts; at least a batch", low=1)
    target_every: int = option(100, "updates between two copies to the target net", low=1)
    exponent: float = option(0.6, "of priorities", low=0)
    importance: float = option(
        0.4, "exponent of the weights in the loss at first; 1 in the end", low=0, high=1
    )
    n_step: int = option(1, "steps whose costs are added up in a target", low=1)
    foresight: int = option(6, "steps for which running Z is charged ahead (exact)", low=0)
    rollout_every: int = option(50, "updates between two rollouts of what is learnt", low=1)
    huber: bool = option(True, "whether large errors count linearly")
    hidden_1: int = option(50, "neurons of the first hidden layer", low=1)
    hidden_2: int = option(20, "neurons of the second", low=1)
    max_steps: int = option(400_000, "transitions until it ends", low=1)
    checkpoint: str | None = option(None, "file that is written while learning (.npz)")
    checkpoint_steps: int = option(20_000, "transitions between two checkpoints", low=1)
    resume: str | None = option(None, "checkpoint to go on from")

    def of_preset(self, name: str) -> Any:
        """Return an option, that of the preset where it is None."""
        value = getattr(self, name)
        return PRESETS[self.preset][name] if value is None else value
