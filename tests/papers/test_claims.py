"""Claims of all papers: what a row must hold, and the face that every paper has."""

from __future__ import annotations

import importlib
import inspect

import pandas as pd
import pytest

from optedge import papers
from optedge.papers.claims import Claim, Part, gather


@pytest.mark.parametrize(
    ("verdict", "reason", "sentence"),
    [
        ("holds", "", "'c' must be one of reproduces, differs, cannot be checked, got 'holds'"),
        ("differs", "", "the claim 'c' differs: its reason is missing"),
        ("cannot be checked", " ", "the claim 'c' cannot be checked: its reason is missing"),
    ],
)
def test_a_claim_is_refused(verdict, reason, sentence):
    """There are three verdicts, and two of them need a reason."""
    with pytest.raises(ValueError, match=sentence):
        Claim("c", "table 1", "1", "2", verdict, reason)


def test_parts_become_rows():
    """Claims of the parts asked for are rows; tables and figures hang on them by name."""
    found = {
        "table 1": lambda: Part([Claim("c", "table 1", "1", "1", "reproduces")], pd.DataFrame()),
        "figure 1": lambda: Part(
            [Claim("d", "figure 1", "1", "2", "differs", "why")], pd.DataFrame(), lambda: None
        ),
    }
    assert gather(None, found)["reason"].tolist() == ["", "why"]
    one = gather("figure 1", found)
    assert one["claim"].tolist() == ["d"]
    assert list(one.attrs["tables"]) == list(one.attrs["figures"]) == ["figure 1"]
    with pytest.raises(ValueError, match="there is no part 'x'; the parts are table 1, figure 1"):
        gather(["x"], found)


@pytest.mark.parametrize("name", papers.__all__)
def test_every_paper_has_one_face(name):
    """A paper draws instances, names its parts, and reproduces some of them."""
    paper = importlib.import_module(f"optedge.papers.{name}")
    assert callable(paper.instance)
    assert list(paper.PARTS)
    first = list(inspect.signature(paper.reproduce).parameters.values())[:3]
    assert [(p.name, p.default) for p in first] == [
        ("parts", None),
        ("seeds", 5),
        ("time_limit", None),
    ]
    with pytest.raises(ValueError, match="there is no part 'x'"):
        paper.reproduce(["x"])
