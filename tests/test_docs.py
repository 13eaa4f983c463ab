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


def test_every_public_name_is_in_the_readme():
    """Each name at the top level earns a line in the README."""
    text = README.read_text(encoding="utf-8")
    missing = [name for name in oe.__all__ if f"`{name}`" not in text]
    assert missing == []
