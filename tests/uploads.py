"""Instances of the upload plan and its evaluator in plain Python, written from the specification.

Nothing here is taken from the package but the class itself: sums over sets, term by term.
"""

import csv
import itertools
import math
from pathlib import Path

import numpy as np

import optedge
from optedge.formulations.upload import UploadProblem

INF = math.inf


def worked_example(**fields):
    """Return the four layers A, B, C, D of figure 8, as reconstructed in section 3."""
    return UploadProblem(
        client_times=[12, 19, 17, 15],
        server_times=[3, 5, 4, 4],
        sends_in=[3, 2, 3, 1],
        sends_out=[2, 3, 1, 2],
        hops=[0, 0, 0, 0],
        upload_times=[6, 15, 10, 13],
        name="figure 8",
        **fields,
    )


def hold_back(**fields):
    """Return the two layers of which neither helps alone."""
    return UploadProblem([5, 5], [1, 1], [1, 4], [4, 1], [0, 0], [1, 2], **fields)


def figures_9_to_11(**fields):
    """Return three layers with the values, savings and times of the instance for figures 9-11.

    a = (-24, 16, c), s = (22, s_BC) with TDA(ABC) = 32: c and s_BC do not matter; here 18 and 0.
    """
    return UploadProblem(
        client_times=[4, 40, 20],
        server_times=[6, 1, 2],
        sends_in=[11, 11, 0],
        sends_out=[11, 12, 0],
        hops=[0, 0, 12],
        upload_times=[2, 8, 4],
        **fields,
    )


def random_upload(seed, n, *, negative=False, chains=1, wide=False):
    """Return a chain with several servers, layers that stay, sizes 0 and layers to hold back."""
    rng = np.random.default_rng(seed)
    draw = (lambda low, high: rng.uniform(low, high, n)) if wide else _whole(rng, n)
    servers = rng.integers(0, 3, n)
    stays = rng.random(n) < 0.15
    stays[rng.integers(n)] = False
    data = draw(0, 6)
    out = np.append(data[1:], draw(0, 6)[0])
    same = np.append(False, servers[1:] == servers[:-1])
    chain = np.sort(rng.integers(0, chains, n)) if chains > 1 else np.zeros(n, dtype=int)
    chain = np.unique(chain, return_inverse=True)[1]
    through = np.append(0.0, out[:-1] + data[1:])
    share = rng.integers(0, 5, n) / 4 * (1.5 if negative else 1.0)
    return UploadProblem(
        client_times=draw(0, 12),
        server_times=draw(0, 5),
        sends_in=data,
        sends_out=out,
        hops=np.where(same, 0.0, through * share),
        upload_times=np.where(rng.random(n) < 0.2, 0.0, draw(1, 9)),
        stays=stays,
        chain=chain,
    )


def _whole(rng, n):
    return lambda low, high: rng.integers(low, high, n).astype(float)


# -------------------------------------------------------------------- the evaluator


def plain_f(p, used):
    """Return the delay of a query that executes ``used`` on servers, by the formula of f."""
    total, n = 0.0, len(p.client_times)
    for j in range(n):
        if j not in used:
            total += p.client_times[j]
            continue
        total += p.server_times[j]
        fed = j > 0 and j - 1 in used and p.chain[j - 1] == p.chain[j]
        total += p.hops[j] if fed else p.sends_in[j]
        if not (j + 1 < n and j + 1 in used and p.chain[j + 1] == p.chain[j]):
            total += p.sends_out[j]
    return total


def plain_g(p, usable):
    """Return the least of f over all subsets of ``usable``."""
    usable = sorted(usable)
    return min(
        plain_f(p, set(some))
        for k in range(len(usable) + 1)
        for some in itertools.combinations(usable, k)
    )


def plain_ssd(p, partitions, use, tail=0.0):
    """Return the sum of system delay of partitions sent in turn, all used when sent."""
    delay = plain_f if use == "forced" else plain_g
    total, sent = 0.0, set()
    for part in partitions:
        total += delay(p, sent) * sum(p.upload_times[j] for j in part)
        sent |= set(part)
    return total + tail * delay(p, sent)


def layers_with_servers(p):
    """Return the layers that are uploaded: first those of size 0, then the others."""
    having = [j for j in range(len(p.client_times)) if not p.stays[j]]
    free = [j for j in having if p.upload_times[j] == 0]
    return free, [j for j in having if p.upload_times[j] > 0]


def best_of_all_orders(p):
    """Return the least sum of system delay under best use over all orders of single layers."""
    free, timed = layers_with_servers(p)
    known = {}
    best = INF
    for order in itertools.permutations(timed):
        total, sent = 0.0, frozenset(free)
        for j in order:
            if sent not in known:
                known[sent] = plain_g(p, sent)
            total += known[sent] * p.upload_times[j]
            sent |= {j}
        best = min(best, total)
    return best


# -------------------------------------------------------------------- published networks


def column(path, name):
    """Return a column of a table of the package as numbers."""
    with (Path(optedge.__file__).parent / "data" / path).open() as file:
        return np.array([float(row[name]) for row in csv.DictReader(file)])


def published(network, client_ghz, edge_ghz, unit):
    """Return the instance of a row of the table of section 7: one edge server, 10 MB/s."""
    times = column(f"linbin403/{network}.csv", "exec_seconds") * 3.2
    sizes = column(f"upload/{network.removesuffix('19')}_layer_sizes.csv", "size_mb")
    if network == "alexnet":
        sizes = np.delete(sizes, [1, 4])  # norm layers, of which there are no times
    given = 1.179 if network == "alexnet" else 1.1484375  # printed with four digits
    data = np.append(given, column(f"linbin403/{network}.csv", "output_megabits"))
    data = data / (10 if unit == "MB" else 80)
    return UploadProblem(
        times / client_ghz,
        times / edge_ghz,
        data[:-1],
        data[1:],
        np.zeros_like(times),
        sizes / 10,
        name=f"{network} {client_ghz} {edge_ghz} {unit}",
    )


def chain_of(values, savings, times, **fields):
    """Return a chain of given a (alone), s >= 0 (of neighbours) and upload times; whole numbers."""
    back = [*savings, 0]
    server = [max(0, -min(values))] * len(values)
    client = [a + c + b for a, c, b in zip(values, server, back, strict=True)]
    zeros = [0] * len(values)
    return UploadProblem(client, server, zeros, back, zeros, times, **fields)


def three_layers(**fields):
    """Return the chain that makes the densest layer first a bad choice: 188 against 136."""
    return UploadProblem(
        client_times=[8, 6, 6],
        server_times=[1, 1, 1],
        sends_in=[1, 1, 4],
        sends_out=[1, 4, 1],
        hops=[0, 0, 0],
        upload_times=[8, 1, 1],
        name="three layers",
        **fields,
    )
