r"""A complete search below a deadline, depth first, that can be left and taken up again.

A node takes a few subgradient steps, which refute it, meet the deadline, or leave it open. An open
node branches on the task with the least

.. math::

   \sum_j \Big( 1 - \frac{loss_{ij}}{f + 1} - \frac{1 - s_{ij}}{2} \Big)_+^3

over the machines j that it may use, where f is the excess, :math:`loss_{ij}` what the pair loses at
least (``fixing``), and :math:`s_{ij}` the share of machine j in what packed the task lately: a
primal solution, about, of the linear program whose duals the prices are. So it is a task that the
prices leave undecided, and whose choice costs much whatever it is. By losses alone the search goes
deep along choices that cost nothing. There is one child for each machine, least loss first. When no
node is left, no schedule meets the deadline.

Sources: section 10 of the makespan specification, step 7; the measure of losses follows Martello,
Soumis and Toth, Discrete Applied Mathematics 75 (1997) 169-188, who branch on machines of a task;
the shares are those of Barahona and Anbil, The volume algorithm, Mathematical Programming 87 (2000)
385-399.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.deadlines.compiling import copy_line, copy_pairs
from optedge.formulations.deadlines.instance import Tasks
from optedge.formulations.deadlines.prices import (
    MET,
    NONE,
    OPEN,
    REFUTED,
    Space,
    begin_descent,
    descend_on,
)
from optedge.kernels import kernel

STEPS = 20  # subgradient steps a node
THETA = 0.7  # length of the first of them
TRUST = 0.5  # in shares, beside losses
LITTLE = 1e-9  # of a share: where nothing packs a task all machines are alike
MOST_BYTES = 1 << 28  # of the nodes on the way down
NODE, SEEN, DEEPEST, CUT = 0, 1, 2, 3  # places in Tree.state


class Tree(NamedTuple):
    """The nodes from the root to the one that is next, and what is left to try at each."""

    allowed: BoolArray  # (depth, n, m)
    prices: FloatArray  # (depth, n)
    machines: IntArray  # (depth, m), the children in the order in which they are tried
    task: IntArray  # (depth,), that the node branches on
    children: IntArray  # (depth,), how many there are
    tried: IntArray  # (depth,), how many were
    state: IntArray  # depth of the next node (-1: none), nodes seen, deepest, nodes cut off


def make_tree(tasks: Tasks, depth: int | None = None, most_bytes: int = MOST_BYTES) -> Tree:
    """Return an empty tree.

    Parameters
    ----------
    tasks
        The instance.
    depth
        Nodes on one way down; one a task, and one, if left out.
    most_bytes
        The way down is shorter where it would take more: what lies deeper is then not looked at,
        and the tree never counts as exhausted.
    """
    n, m = tasks.times.shape
    longest = max(2, most_bytes // (n * m + 8 * n))
    depth = min(n + 1 if depth is None else depth, n + 1, longest)
    return Tree(
        allowed=np.zeros((depth, n, m), np.bool_),
        prices=np.zeros((depth, n)),
        machines=np.zeros((depth, m), np.int64),
        task=np.zeros(depth, np.int64),
        children=np.zeros(depth, np.int64),
        tried=np.zeros(depth, np.int64),
        state=np.array([-1, 0, 0, 0]),
    )


@kernel
def plant(tree: Tree, allowed: BoolArray, prices: FloatArray) -> None:
    """Begin a search with one node: its pairs ``(n, m)`` and prices ``(n,)``, which are copied."""
    copy_pairs(allowed, tree.allowed[0])
    copy_line(prices, tree.prices[0])
    for k in range(tree.state.size):
        tree.state[k] = 0


@kernel
def branch(
    allowed: BoolArray,
    excess: int,
    noise: float,
    space: Space,
    machines: IntArray,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """Return the task to branch on and the number of its machines, which are written in order.

    ``noise`` is the share by which scores and losses are changed at random; at 0 nothing is drawn.
    """
    n, m = allowed.shape
    least, task = np.inf, -1
    for i in range(n):
        if space.left[i] < 2:
            continue
        packed, score = LITTLE, 0.0
        for j in range(m):
            if allowed[i, j]:
                packed += space.shares[i, j]
        for j in range(m):
            if allowed[i, j]:
                loss = (space.outside[i] + space.inside[i, j]) / (excess + 1.0)
                rest = max(0.0, 1 - loss - TRUST * (1 - space.shares[i, j] / packed))
                score += rest * rest * rest
        if noise > 0:
            score *= 1 + noise * rng.random()
        if score < least:
            least, task = score, i
    count = 0
    losses = np.empty(m)
    for j in range(m):
        if allowed[task, j]:
            loss = float(space.inside[task, j])
            if noise > 0:
                loss += 0.2 * noise * excess * rng.random()
            c = count
            while c > 0 and losses[c - 1] > loss:
                losses[c], machines[c] = losses[c - 1], machines[c - 1]
                c -= 1
            losses[c], machines[c] = loss, j
            count += 1
    return task, count


@kernel
def _next_node(tree: Tree, depth: int) -> None:
    """Set up the next child at ``depth`` or above it; state says -1 if there is none."""
    while depth >= 0 and tree.tried[depth] == tree.children[depth]:
        depth -= 1
    if depth >= 0:
        task, machine = tree.task[depth], tree.machines[depth, tree.tried[depth]]
        tree.tried[depth] += 1
        copy_pairs(tree.allowed[depth], tree.allowed[depth + 1])
        for j in range(tree.allowed.shape[2]):
            tree.allowed[depth + 1, task, j] = j == machine
        copy_line(tree.prices[depth], tree.prices[depth + 1])
        depth += 1
        tree.state[DEEPEST] = max(tree.state[DEEPEST], depth)
    else:
        depth = -1
    tree.state[NODE] = depth


@kernel
def search(
    tasks: Tasks,
    deadline: int,
    tree: Tree,
    steps: int,
    noise: float,
    evaluations: int,
    nodes: int,
    space: Space,
    schedule: IntArray,
    rng: np.random.Generator,
) -> int:
    """Go on with a search until it ends or its budget does.

    Parameters
    ----------
    tasks
        The instance.
    deadline
        Units.
    tree
        What :func:`plant` began; changed in place.
    steps
        Subgradient steps a node.
    noise
        Share by which the order of tasks and machines is changed at random; 0 draws nothing.
    evaluations
        Prices to be tried in this call; the node that reaches it is finished.
    nodes
        Nodes of the tree in all.
    space
        Scratch memory made for this deadline or a larger one.
    schedule
        Written if the deadline is met: the machine of each task.
    rng
        Source of the noise.

    Returns
    -------
    int
        REFUTED if no schedule meets the deadline on the pairs of the root, MET, or OPEN.
    """
    first = space.counts[0]
    while tree.state[NODE] >= 0:
        if space.counts[0] - first >= evaluations or tree.state[SEEN] >= nodes:
            return OPEN
        depth = tree.state[NODE]
        allowed = tree.allowed[depth]
        tree.state[SEEN] += 1
        status, excess, prices = REFUTED, NONE, tree.prices[depth]
        if begin_descent(tasks, allowed, deadline, prices, space):
            status, excess = descend_on(
                tasks, allowed, deadline, prices, steps, steps, THETA, space, schedule
            )
        if status == MET:
            return MET
        tree.children[depth] = tree.tried[depth] = 0
        if status == OPEN:
            if depth + 1 < tree.task.size:
                tree.task[depth], tree.children[depth] = branch(
                    allowed, excess, noise, space, tree.machines[depth], rng
                )
            else:
                tree.state[CUT] += 1
        _next_node(tree, depth)
    return REFUTED if tree.state[CUT] == 0 else OPEN


def exhausted(tree: Tree) -> bool:
    """Tell whether no node is left to look at: refuted, unless some were cut off."""
    return bool(tree.state[NODE] < 0)
