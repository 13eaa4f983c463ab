"""Random instances of the benchmark's families: what the benchmark's own files look like."""

import csv

import numpy as np
import pytest

import optedge as oe
from optedge.formulations.makespan_families import FAMILIES, random_rcmax
from optedge.formulations.makespan_rcmax import rcmax_files


@pytest.mark.parametrize("family", FAMILIES)
def test_times_are_whole_and_fill_their_range(family):
    """Two hundred thousand times hold the least and the largest one, and none beyond."""
    times = np.concatenate([random_rcmax(family, 100, 50, seed).times for seed in range(40)])
    assert (times == times.round()).all()
    assert (times.min(), times.max()) == FAMILIES[family]


def _spreads(times):
    """Return the widest range of a row and the widest of a column."""
    return np.ptp(times, axis=1).max(), np.ptp(times, axis=0).max()


def test_correlation_runs_along_tasks_or_along_servers():
    """Between two servers times go together where tasks are correlated, and the other way round."""
    tasks = random_rcmax("JobsCorre", 1000, 50, 3).times
    servers = random_rcmax("MaqCorre", 1000, 50, 3).times
    plain = random_rcmax("U1a100", 1000, 50, 3).times
    assert np.corrcoef(tasks[:, 0], tasks[:, 1])[0, 1] > 0.9
    assert np.corrcoef(servers[0], servers[1])[0, 1] > 0.9
    for times in (tasks, plain):
        assert abs(np.corrcoef(times[0], times[1])[0, 1]) < 0.5
    for times in (servers, plain):
        assert abs(np.corrcoef(times[:, 0], times[:, 1])[0, 1]) < 0.2
    assert _spreads(tasks)[0] == 19 < _spreads(tasks)[1]
    assert _spreads(servers)[1] == 19 < _spreads(servers)[0]


@pytest.mark.parametrize("hard", [False, True])
def test_packaged_files_are_of_their_families(hard):
    """Range and spread of every packaged file are those of the family that it names."""
    files = rcmax_files(hard=hard)
    table = csv.DictReader(files[0].with_name("bks.csv").read_text("utf-8").splitlines())
    families = {row["file"]: row["distribution"] for row in table}
    for path in files:
        times = oe.read_rcmax(path).times
        family = families[path.name]
        low, high = FAMILIES[family]
        assert low <= times.min() and times.max() <= high
        row, column = _spreads(times)
        assert (row == 19) == (family == "JobsCorre")
        assert (column == 19) == (family == "MaqCorre")
        if family.startswith("U"):
            assert (times.min(), times.max()) == (low, high)


def test_a_seed_is_an_instance():
    """The same arguments give the same times, another seed others; the name tells all of them."""
    problem = random_rcmax("U100a200", 30, 4, 7)
    assert problem.times.shape == (30, 4)
    assert problem.name == "U100a200 30 x 4 seed 7"
    assert (problem.times == random_rcmax("U100a200", 30, 4, 7).times).all()
    assert (problem.times != random_rcmax("U100a200", 30, 4, 8).times).any()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("U1a99", 5, 2, 0), "family must be one of U1a100, .*, got 'U1a99'"),
        (("U1a100", 0, 2, 0), "n_tasks must be at least 1, got 0"),
        (("U1a100", 5, 0, 0), "n_servers must be at least 1, got 0"),
        (("U1a100", 5, 2, -1), "seed must be at least 0, got -1"),
    ],
)
def test_bad_arguments_are_refused(arguments, sentence):
    """Each sentence names the entry."""
    with pytest.raises(ValueError, match=sentence):
        random_rcmax(*arguments)
