"""Studies of trainings: every combination once, kept as it is finished, resumed where it was."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pandas as pd
import pytest

from optedge.learning import Dormancy, ExponentialLink, Rows, prototypes, study, train
from optedge.learning import studies as module

QUICK = {"hidden": (8, 16), "steps": 20}


def same(a, b):
    """Tell whether two studies agree but for their seconds."""
    a, b = (s.drop(columns="cpu_seconds") for s in (a, b))
    pd.testing.assert_frame_equal(a, b)
    return True


def test_a_row_a_run():
    """2 x 4 settings and two seeds: sixteen rows, each what its training gives."""
    table = study("prototypes", seeds=2, **QUICK)
    assert len(table) == 16
    settings = table[["shares", "dormancy", "seed"]].drop_duplicates()
    assert len(settings) == 16
    row = table.query("shares == 'sorted' and dormancy == 0.3 and seed == 1").iloc[0]
    run = train(prototypes(1), shares="sorted", dormancy=0.3, seed=1, **QUICK)
    test = run.test()
    assert (row["up"], row["up_in_test"]) == (run.uploaded, test.uploaded)
    assert (row["cloud"], row["exit"], row["mixed"]) == (test.cloud, test.exit, test.mixed)
    assert row["slept"] == run.history["dormant"][-1] / run.history["tasks"][-1]


def test_interrupted_and_resumed(tmp_path, monkeypatch):
    """Ctrl-C in the fourth run returns three; the next call runs the other five and no more."""
    grid = {"dormancy": (0.0, 0.5), "shares": ("iid", "sorted")}
    whole = study("prototypes", grid, seeds=2, **QUICK)
    done = []

    def counted(data, **given):
        if len(done) == 3 and "cut" not in done:
            done.append("cut")
            raise KeyboardInterrupt
        done.append(given["seed"])
        return train(data, **given)

    monkeypatch.setattr(module, "train", counted)
    kept = tmp_path / "study.json"
    first = study("prototypes", grid, seeds=2, store=kept, **QUICK)
    assert same(first, whole.iloc[:3])
    assert len(Rows(kept)) == 3
    resumed = study("prototypes", grid, seeds=2, store=kept, **QUICK)
    assert same(resumed, whole)
    assert len(done) == 1 + 8
    again = study("prototypes", grid, seeds=2, store=kept, **QUICK)
    assert len(done) == 1 + 8
    pd.testing.assert_frame_equal(again, resumed)  # its seconds too: nothing was run
    monkeypatch.setattr(
        module, "train", lambda data, **given: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        study("prototypes", grid, seeds=[7], store=kept, **QUICK)


KILLED = textwrap.dedent(
    """
    import sys
    from optedge import learning
    learning.study("prototypes", seeds=3, store=sys.argv[1], hidden=(8, 16), steps=300)
    """
)


@pytest.mark.slow
def test_killed_and_resumed(tmp_path):
    """Kill -9 in the middle: what was finished is there, whole, and the rest is run."""
    kept = tmp_path / "study.json"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(kept)])
    waited = time.monotonic() + 60
    while not (kept.exists() and len(Rows(kept)) >= 4) and time.monotonic() < waited:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert 4 <= len(Rows(kept)) < 24, "killed in the middle"
    given = {"hidden": (8, 16), "steps": 300}
    assert same(
        study("prototypes", seeds=3, store=kept, **given), study("prototypes", seeds=3, **given)
    )
    assert len(Rows(kept)) == 24


def test_what_makes_another_run(tmp_path):
    """Other data, links, rules and sources are other runs; equal ones are the same."""
    rows, calls = Rows(tmp_path / "rows.json"), []

    def ask(**asked):
        return rows.row(asked, lambda: {"number": np.int64(len(calls)), "call": calls.append(0)})

    first = ask(link=ExponentialLink(0.1), rule=Dormancy(), data=prototypes(0, n=40))
    assert ask(link=ExponentialLink(0.1), rule=Dormancy(), data=prototypes(0, n=40)) == first
    assert first == {"number": 0, "call": None}
    others = [
        {"link": ExponentialLink(0.2), "rule": Dormancy(), "data": prototypes(0, n=40)},
        {
            "link": ExponentialLink(0.1),
            "rule": Dormancy(smoothing=0.5),
            "data": prototypes(0, n=40),
        },
        {"link": ExponentialLink(0.1), "rule": Dormancy(), "data": prototypes(1, n=40)},
        {"rule": (1, 2)},
        {"rule": np.array([1.0, 2.0])},
    ]
    assert [ask(**asked)["number"] for asked in others] == [1, 2, 3, 4, 5]
    assert len(Rows(tmp_path / "rows.json")) == 6
    document = json.loads((tmp_path / "rows.json").read_text())
    document["rows"] = {
        k.replace("optedge", "").replace('["', '["old '): v for k, v in document["rows"].items()
    }
    (tmp_path / "old.json").write_text(json.dumps(document))
    rows = Rows(tmp_path / "old.json")
    assert ask(**others[-1])["number"] == 6
    space = {}
    exec(
        "def measure():\n    return {'number': -1}", space
    )  # the same question, measured elsewhere
    assert rows.row(others[-1], space["measure"]) == {"number": -1}
    assert ask(**others[-1])["number"] == 6


def test_refused(tmp_path):
    """Files of something else, settings that cannot be told apart or stand twice, names."""
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ValueError, match=r"a\.json is no file of kept rows"):
        study("prototypes", store=tmp_path / "a.json")
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(ValueError, match=r"b\.json is no file of kept rows of this version"):
        Rows(tmp_path / "b.json")
    with pytest.raises(TypeError, match=r"asked\['link'\] cannot be kept: <function"):
        Rows().row({"link": lambda: 0.1}, dict)
    with pytest.raises(ValueError, match="dormancy stands in the study and beside it"):
        study("prototypes", dormancy=0.5)
    with pytest.raises(ValueError, match="data must be one of digits, prototypes or data"):
        study("faces")
