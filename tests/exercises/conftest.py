"""A session of exercises that leaves nothing behind."""

from collections.abc import Iterator

import pytest

from optedge.exercises import registry, scores


@pytest.fixture(autouse=True)
def own_session(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test the exercises of the package, none of another test, and no points."""
    registry.exercises()
    monkeypatch.setattr(registry, "_FOUND", dict(registry._FOUND))
    monkeypatch.setattr(scores, "_BEST", {})
    yield
