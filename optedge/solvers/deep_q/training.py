"""The loop of a learner on one instance: play, offer, learn, write down, until a budget ends."""

from __future__ import annotations

from typing import Any

import numpy as np

from optedge.formulations.offloading import OffloadingProblem
from optedge.formulations.offloading.episodes.base import myopic
from optedge.formulations.offloading.episodes.prefixes import why_not
from optedge.formulations.offloading.episodes.waiting import make_episodes
from optedge.solvers.code import offer_code
from optedge.solvers.deep_q import checkpoint
from optedge.solvers.deep_q.learner import Learner
from optedge.solvers.deep_q.options import LEARNERS, DeepQOptions
from optedge.solvers.deep_q.rewards import make_rewards
from optedge.solvers.run import Run

#: Columns of ``info["learning"]``: one row a rollout.
CURVE = ("steps", "updates", "seconds", "rollout", "best", "loss")


def unfit(problem: Any, options: DeepQOptions) -> str | None:
    """Say why a learner does not take an instance."""
    reason = why_not(problem)
    if reason is None and options.wait == "none" and not problem.is_chains:
        return 'tasks that branch need wait="telescope", which charges modules where they end.'
    return reason


def train(problem: OffloadingProblem, name: str, options: DeepQOptions, run: Run) -> Learner:
    """Learn on one instance, and offer what is played; return the learner.

    Parameters
    ----------
    problem
        The instance.
    name
        Which of the learners.
    options
        Of the learner.
    run
        Gives chance and budgets, takes plans. An episode is one evaluation.
    """
    sees = bool(options.of_preset("prior")) or problem.data.weights.balance > 0
    episodes = make_episodes([problem], options.wait, context=sees)
    value, plan = myopic(episodes)
    if run.start is not None:
        offer_code(problem, run, problem.encode(run.start))
    if run.evaluations_left > 0:
        offer_code(problem, run, plan)
    rewards = make_rewards(episodes, np.array([value]), options, run.rng)
    learner = Learner(episodes, rewards, LEARNERS[name], options, run.rng)
    curve: list[tuple[float, ...]] = []
    best, written = np.inf, 0
    if options.resume is not None:
        state = checkpoint.read(options.resume, problem, name, options, learner)
        curve, best, written = state.curve, state.best, learner.steps
        if run.evaluations_left > 0:
            offer_code(problem, run, state.plan)
    whole = True
    while whole and not run.done() and learner.steps < options.max_steps:
        if run.evaluations_left < learner.rows:
            run.stop("evaluations")
            break
        before = learner.steps
        values, plans = learner.play()
        k = int(np.argmin(values))
        if values[k] < best:
            best = float(values[k])
            rewards.know(values[[k]])
            offer_code(problem, run, plans[k], learner.rows)
        else:
            run.count(learner.rows)
        whole, best = _learn(problem, learner, learner.due(before), best, curve, run)
        due = learner.steps - written >= options.checkpoint_steps
        if options.checkpoint is not None and whole and (due or learner.steps >= options.max_steps):
            checkpoint.write(options.checkpoint, problem, name, learner, curve, best, run)
            written = learner.steps
    _tell(problem, learner, curve, best, run)
    return learner


def _learn(
    problem: OffloadingProblem,
    learner: Learner,
    updates: int,
    best: float,
    curve: list[tuple[float, ...]],
    run: Run,
) -> tuple[bool, float]:
    """Do so many updates, with a rollout now and then; tell whether all, and the best value."""
    every = learner.options.rollout_every
    for i in range(updates):
        measure = i == updates - 1 or learner.updates % every == every - 1
        learner.learn(measure=measure)
        if not measure:
            continue
        if run.evaluations_left == 0:
            return False, best
        value, plan = learner.rollout()
        if value < best:
            best = value
            learner.rewards.know(np.array([value]))
            offer_code(problem, run, plan)
        else:
            run.count(1)
        row = (learner.steps, learner.updates, run.seconds, value, best, learner.loss)
        curve.append(tuple(float(x) for x in row))
        run.info["last_rollout"] = (learner.updates, value)
        if run.done():
            return i == updates - 1, best
    return True, best


def _tell(
    problem: OffloadingProblem,
    learner: Learner,
    curve: list[tuple[float, ...]],
    best: float,
    run: Run,
) -> None:
    """Write into ``run.info`` what was learnt, apart from what was found on the way."""
    value, plan = learner.rollout()
    if run.evaluations_left > 0 and learner.updates:
        offer_code(problem, run, plan)
    columns = np.array(curve).reshape(-1, len(CURVE)).T
    run.info.update(
        steps=learner.steps,
        updates=learner.updates,
        rollout=value,
        rollout_plan=plan,
        best_played=best,
        learning=dict(zip(CURVE, columns, strict=True)),
    )
