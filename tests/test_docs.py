"""What the documentation shows is what happens."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import pytest

import optedge as oe

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.parametrize("name", ["optedge", "optedge.bridge", "optedge.exercises"])
def test_examples_in_docstrings(name):
    """Examples print what they say."""
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried > 0
    assert failed == 0


def test_python_in_the_readme_runs(capsys):
    """The blocks of the README run one after the other, as a reader would type them."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 5
    space: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), space)
    assert space["r"].objective == 6
    assert space["v"].objective == pytest.approx(16 / 3)
    assert space["planned"].bound <= space["planned"].objective < 2.9
    assert {"highs", "local-search", "to_the_fastest"} == set(space["study"].runs["solver"])


def test_the_table_of_names_is_that_of_the_package():
    """Each name at the top level earns a row in the README, and each name there exists."""
    table = README.read_text(encoding="utf-8").split("## The names")[1].split("\n\n")[1]
    rows = [line.strip("|").split("|", 1) for line in table.splitlines()[2:]]
    listed = [name for names, _ in rows for name in re.findall(r"`(\w+)`", names)]
    assert sorted(set(oe.__all__) - set(listed)) == []
    assert [name for name in listed if not hasattr(oe, name)] == []
    assert len(listed) == len(set(listed))
    assert all(what.strip() for _, what in rows)
