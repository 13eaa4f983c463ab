"""Collaborative learning over cloud and edge: accuracy beside what is sent, and seconds of a run.

Handwritten digits (1347 to learn from, 450 for testing, a permutation a seed) on five nodes; a
network 64-8-64-10 with the first layer on the nodes, an exit head 8-10 at the master, 600 steps of
8 to 32 tasks a node, averaging every 10. Six tables:

* dormant shares 0, 0.3, 0.6 and 1, samples spread evenly over the nodes or sorted by label, beside
  the figures of an earlier PyTorch version (two seeds, other permutations);
* what one trains without collaboration or sends less for: central training, maps of 8 bit, early
  exit by entropy (BranchyNet);
* every split of the network;
* dormancy by a rule: mean, fixed and quantile thresholds over a random and two traced links;
* the framework as a whole: 1500 tasks that arrive at 50 a second, placed by ants, dormant share
  0.3; delay, energy, byte and accuracy of every split;
* accuracy over the ratio at which an autoencoder compresses the samples, with the fitted curve.

With ``--store FILE`` every finished run is kept, and a benchmark that was killed resumes there.
The committed table: ``python benchmarks/collaborative.py --out
benchmarks/results/collaborative.md``.
"""

from __future__ import annotations

import argparse
import functools
import math
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import reporting
from reporting import Report

import optedge as oe
from optedge import learning
from optedge.learning import Dormancy, Rows
from optedge.papers import cloud_edge

SHARES = {"iid": "even", "sorted": "sorted"}
THRESHOLDS = (0.1, 0.5, 1.0)  # nats of the early exit
#: Accuracies of cloud, exit and both of an earlier PyTorch version, two seeds; MB up in training.
EARLIER = {
    ("iid", 0.0): (0.964, 0.966, 0.964, 1.905),
    ("iid", 0.3): (0.963, 0.950, 0.963, 1.345),
    ("iid", 0.6): (0.950, 0.949, 0.954, 0.764),
    ("iid", 1.0): (0.126, 0.933, 0.933, 0.0),
    ("sorted", 0.0): (0.946, 0.947, 0.946, 1.907),
    ("sorted", 0.3): (0.854, 0.909, 0.879, 1.350),
    ("sorted", 0.6): (0.801, 0.902, 0.866, 0.768),
    ("sorted", 1.0): (0.129, 0.927, 0.927, 0.0),
}


def main() -> None:
    """Measure and print."""
    options = _arguments()
    core = reporting.one_core()
    report = Report(
        "Collaborative learning: accuracy beside what is sent",
        {
            "cores used": core,
            "instances": f"learning.digits(seed), 5 nodes, {options.steps} steps",
            "seeds": f"0..{options.seeds - 1}, of data, batches and first parameters",
            "store": options.store or "none",
        },
        out=options.out,
        libraries=("scikit-learn",),
    )
    report.table("Dormant shares, even and sorted samples", _experiment(options))
    report.table("Baselines and cheaper maps, even samples", _baselines(options))
    report.table("Every split of 64-8-64-10, dormant share 0.3", _splits(options))
    report.table("Dormancy by a rule", _rules(options))
    report.table("The framework as a whole, at every split", _framework(options))
    _report_curve(report, options)
    report.note(
        "Accuracies are means over seeds with their standard deviation; cloud and exit if each "
        "answered all, mixed as they did. Up is maps alone, but for the framework, whose labels "
        "are in: a byte each. As much comes down as maps go up, nothing for raw samples. CPU "
        "seconds are of one whole run, reading the data outside."
    )
    report.close()


def _arguments() -> argparse.Namespace:
    parser = reporting.parser(__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--store", type=Path, metavar="FILE", help="JSON file of finished runs")
    options = parser.parse_args()
    options.rows = Rows(options.store)
    if options.smoke:
        options.seeds, options.steps = 2, 60
    return options


def _runs(options: argparse.Namespace, **given: Any) -> pd.DataFrame:
    """Return the runs of all seeds, a row each."""
    given = {"steps": options.steps, **given}
    return learning.study("digits", {}, seeds=options.seeds, store=options.rows, **given)


def _spread(values: Sequence[float]) -> str:
    """Return mean and standard deviation."""
    deviation = statistics.stdev(values) if len(values) > 1 else math.nan
    return f"{statistics.mean(values):.3f} ({deviation:.3f})"


def _row(runs: pd.DataFrame) -> dict[str, Any]:
    """Return what all tables tell of some runs."""
    return {
        "cloud": _spread(runs["cloud"].tolist()),
        "exit": _spread(runs["exit"].tolist()),
        "mixed": _spread(runs["mixed"].tolist()),
        "MB up in training": f"{runs['up'].mean() / 1e6:.3f}",
        "kB up in the test": f"{runs['up_in_test'].mean() / 1e3:.1f}",
        "CPU s": f"{runs['cpu_seconds'].median():.2f}",
    }


def _experiment(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for (shares, p), earlier in EARLIER.items():
        reporting.progress(f"{shares}, {p}")
        row = _row(_runs(options, shares=shares, dormancy=p))
        told = " / ".join(f"{value:.3f}" for value in earlier[:3])
        yield {
            "samples": SHARES[shares],
            "p": f"{p:g}",
            **row,
            "earlier: cloud / exit / mixed": told,
            "earlier: MB up": f"{earlier[3]:.3f}",
        }


def _baselines(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    reporting.progress("baselines")
    central = {"split": 0, "exit_weight": 0.0, "cloud_weight": 1.0}  # as train_central has it
    for name, given in (
        ("central, raw float32", central),
        ("central, raw 8 bit", {**central, "bytes_per_element": 1}),
        ("split 1, float32", {}),
        ("split 1, 16 bit", {"bytes_per_element": 2}),
        ("split 1, 8 bit", {"bytes_per_element": 1}),
    ):
        row = _row(_runs(options, **given))
        if "split" in given:
            row["exit"] = "-"
        yield {"method": name, **row}
    plain = _runs(options)
    exits = [_exits(options, seed) for seed in range(options.seeds)]
    for threshold in THRESHOLDS:
        told = pd.DataFrame([one[str(threshold)] for one in exits])
        stay = told["dormant"].mean()
        row = _row(plain.assign(**{name: told[name] for name in told}))
        yield {"method": f"early exit below {threshold:g} nats: {stay:.2f} stay", **row}


def _exits(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Return what early exit gives at each threshold, from one training."""

    def measure() -> dict[str, Any]:
        run = learning.train(learning.digits(seed), seed=seed, steps=options.steps)
        found = {}
        for threshold in THRESHOLDS:
            x, y = run.data.x_test, run.data.y_test
            test = learning.early_exit(run.model, x, y, threshold)
            found[str(threshold)] = {
                "mixed": test.mixed,
                "dormant": test.dormant,
                "up_in_test": test.uploaded,
            }
        return found

    return options.rows.row({"exits": THRESHOLDS, "steps": options.steps, "seed": seed}, measure)


def _splits(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for split in range(4):
        reporting.progress(f"split {split}")
        runs = _runs(options, split=split, dormancy=0.3)
        map_bytes = 4 * (64, 8, 64, 10)[split]
        yield {"split": str(split), "byte a map": str(map_bytes), **_row(runs)}


def _rules(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    links = {
        "exponential, 0.2 s": learning.ExponentialLink(0.2),
        "Markov trace": learning.markov_trace(300, 0, rates=(0.002, 0.01, 0.03)),
        "AR(1) trace": learning.ar1_trace(300, 0, median=0.01),
    }
    rules = {
        "mean": Dormancy(),
        "mean, smoothed": Dormancy(smoothing=0.1),
        "fixed, 0.4 s": Dormancy("fixed", seconds=0.4),
        "quantile, share 0.3": Dormancy("quantile", share=0.3),
    }
    for place, link in links.items():
        for name, rule in rules.items():
            reporting.progress(f"{place}, {name}")
            runs = _runs(options, link=link, dormancy=rule)
            row = {"link": place, "rule": name, "dormant": f"{runs['slept'].mean():.2f}"}
            yield {**row, **_row(runs), "s of uploads": f"{runs['waited'].mean():.0f}"}


def _framework(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Run split, windows and training at every split; enough memory for all of them."""
    reporting.progress("framework")
    tasks = 5 * options.steps // 2
    platform = cloud_edge.small_environment(memory=24e3)
    tables = [
        cloud_edge.each_split(
            learning.digits(seed), platform=platform, tasks=tasks, dormancy=0.3, seed=seed
        )
        for seed in range(options.seeds)
    ]
    for position, part in pd.concat(tables).groupby("position"):
        yield {
            "split": f"{position}{', chosen' * bool(part['chosen'].all())}",
            "mean delay (s)": _spread(part["delay_s"].tolist()),
            "J": f"{part['energy_j'].mean():.2f}",
            "MB up": f"{part['up_bytes'].mean() / 1e6:.3f}",
            "MB down": f"{part['down_bytes'].mean() / 1e6:.3f}",
            "accuracy": _spread(part["accuracy"].tolist()),
        }


def _report_curve(report: Report, options: argparse.Namespace) -> None:
    reporting.progress("compression")
    steps = min(400, options.steps)
    tables = []
    for seed in range(options.seeds):
        asked = {"ratios": "digits", "steps": steps, "seed": seed}
        tables.append(options.rows.row(asked, functools.partial(_ratios, **asked)))
    table = pd.concat([pd.DataFrame(one) for one in tables])
    curve = oe.AccuracyCurve.fit(table["ratio"], table["relative"])
    report.table(
        "Accuracy over the compression ratio",
        (
            {
                "numbers": str(size),
                "ratio": f"{part['ratio'].iloc[0]:.4f}",
                "variance lost": f"{part['lost'].mean():.3f}",
                "relative accuracy": _spread(part["relative"].tolist()),
                "curve": f"{curve.accuracy(part['ratio'].iloc[0]):.3f}",
            }
            for size, part in table.groupby("size")
        ),
    )
    report.note(
        f"A(R) = a ln(R + b) + c with a = {curve.a:.6f}, b = {curve.b:.6f}, c = {curve.c:.6f}; the "
        "published one of 40000 pictures has 0.004032, -0.012755, 0.963423."
    )


def _ratios(seed: int, steps: int, **_: Any) -> dict[str, Any]:
    """Return the columns of the accuracy over the ratio, for the samples of one seed."""
    table = learning.measure_ratios(learning.digits(seed), seeds=1, steps=steps)
    return {str(name): column.tolist() for name, column in table.items()}


if __name__ == "__main__":
    main()
