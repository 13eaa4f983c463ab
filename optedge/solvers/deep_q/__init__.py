r"""Deep Q-learning on offloading: the DDPQN paper's learner and its seven ablations.

A network learns :math:`Q_k(s, b)`, the reward still to come if layer k goes to server b, from the
episodes that it plays; the plan is a rollout along its largest values. Three switches make eight
learners: *double* (the target net values the action that the online net prefers), *dueling* (value
and advantages), *prioritized* (transitions of large error are learnt from more often).

One step of the corrected algorithm: (1) play a batch of episodes, random with probability
``explore``, else greedy, servers that may not be chosen left out; (2) remember every transition
with the largest priority so far; (3) draw a batch, :math:`y = r + \gamma (1 - \text{done})
Q'(s', \arg\max_a Q(s', a))`; (4) go down the weighted loss of :math:`Q(s, b) - y` by Adam, renew
priorities; (5) copy the network to the target every so many updates; (6) keep the best plan played,
and tell it apart from what the network itself proposes (``info["rollout"]``).

What the published algorithm 1 and its text say otherwise:

1. The terminal test of lines 15-18 is inverted: it bootstraps at the end and nowhere else.
2. The target is written :math:`Q'(s', \max_a Q(s', a))`: a value in the place of an action.
3. Priorities use the largest Q', which is not double; they do not sum to one, a zero error has no
   chance though a "non-zero probability" is claimed, and there are no importance weights.
4. The reward is :math:`R_{ij+1}` in one line and :math:`R_{ij}` in the memory.
5. The memory holds four items, the text says five: without the end flag a target is not defined.
6. R is a cost, and "the reward is maximised": here rewards are minus costs.
7. Line 1 prepares the data of DDPQN by DDPQN.
8. The candidate set and the argmin (28) never occur in the loop: no plan is kept.
9. Learning has no start condition, though section 5.2 says that it starts later.
10. The priority in the memory is never renewed, and there are two targets.

``variant="published"`` keeps those that can be run: the inverted end, no importance weights, no
priority for zero errors. ``preset="paper"`` takes the published numbers (discount 0.8, learning
rate 1e-3, batch 256, target copied every 100 updates, one update a transition, no clipping). With
``prior`` the network learns what is to be added to the reward that is known at once (costs of
pairs, balance, simulated waiting); ``preset="long"`` has it, for many tasks that depend on each
other, whose episodes are too long to learn from nothing. Our default discounts nothing, as the
objective does not; for what 0.8 costs see
:func:`~optedge.formulations.offloading.costs.decisions.discount_bias`. Departures of both: Adam
in place of a bare gradient; the state (``episodes``); rewards above the least cost of their step,
scaled and clipped without moving the optimum (``rewards``); many episodes side by side; a learning
rate that falls with the steps (not in ``"paper"``).

Source: Xue, Wu, Peng, Wolter, "DDPQN: An Efficient DNN Offloading Strategy in Local-Edge-Cloud
Collaborative Environments", section 4 and algorithm 1; van Hasselt et al. 2016, Wang et al. 2016,
Schaul et al. 2016.
"""

from __future__ import annotations

from collections.abc import Callable

from threadpoolctl import threadpool_limits

from optedge.formulations.offloading import OffloadingProblem
from optedge.solvers.deep_q.options import LEARNERS, DeepQOptions
from optedge.solvers.deep_q.training import train, unfit
from optedge.solvers.registry import register
from optedge.solvers.run import Run


def _learner(name: str) -> Callable[[OffloadingProblem, DeepQOptions, Run], None]:
    """Return the solver function of one learner, known to its module by a name of its own."""

    def learn(problem: OffloadingProblem, options: DeepQOptions, run: Run) -> None:
        with threadpool_limits(run.threads):  # networks so small lose by more
            train(problem, name, options, run)

    on = [word for word, there in LEARNERS[name]._asdict().items() if there]
    learn.__name__ = learn.__qualname__ = name.replace("-", "_")
    learn.__doc__ = f"Deep Q-learning, {', '.join(on) or 'plain'}; see the module."
    return learn


for _name in LEARNERS:
    globals()[_name.replace("-", "_")] = register(
        _name,
        options=DeepQOptions,
        problems=(OffloadingProblem,),
        kind="metaheuristic",
        source="DDPQN paper, algorithm 1, corrected" + ("" if _name == "ddpqn" else "; ablation"),
        declines=unfit,
    )(_learner(_name))
