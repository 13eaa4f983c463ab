"""What the paper leaves open: for each, what stands here in its place."""

from __future__ import annotations

from optedge.papers.claims import Claim, Part
from optedge.papers.ddpqn.runs import STEPS_PER_UPDATE, Runs

#: What cannot be compared, where, what the paper has of it, and what is taken here.
OPEN = (
    (
        "delay, energy, cost, H and Z as numbers",
        "figures 6 to 13",
        "curves without numbers",
        "shapes and directions are compared, no values",
    ),
    (
        "how delay, energy and cost are standardised",
        "section 3",
        "not given",
        "by the least and the largest of all pairs of servers",
    ),
    (
        "clocks and prices of the servers",
        "table 3",
        "ranges",
        "evenly in the ranges, both ascending",
    ),
    (
        "pools of the servers, number of tasks",
        "section 5",
        "not given",
        "no pool binds; one task, but in figure 6",
    ),
    (
        "episodes and size of the memory",
        "section 5.2",
        "not given",
        "{steps} transitions, 20 000 of them kept",
    ),
    (
        "exponents of prioritised replay",
        "section 4",
        "not given",
        "0.6; of the weights in the loss from 0.4 to 1",
    ),
    (
        "updates a transition, and the gradient step",
        "algorithm 1",
        "1; a bare gradient",
        "1 for every {every}, by Adam",
    ),
)


def judge_settings(runs: Runs) -> Part:
    """List what cannot be checked, as the paper does not give it."""
    import pandas as pd

    words = {"steps": runs.steps, "every": STEPS_PER_UPDATE}
    claims = [
        Claim(
            what,
            where,
            published,
            here.format(**words),
            "cannot be checked",
            "printed percentages are targets for their direction alone",
        )
        for what, where, published, here in OPEN
    ]
    rows = [(c.claim, c.where, c.published, c.ours) for c in claims]
    return Part(claims, pd.DataFrame(rows, columns=["left open", "where", "published", "here"]))
