"""What is learnt: samples with labels, and which node holds which of them."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import operator
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
Samples = npt.NDArray[np.floating[Any]]
Shares = Literal["iid", "sorted"] | Sequence[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Data:
    """Samples to learn from and samples to test on.

    Parameters
    ----------
    x_train, x_test
        A row a sample, numbers of any type; equally many columns.
    y_train, y_test
        Labels, whole numbers in 0..n_classes - 1.
    n_classes
        One more than the largest label to learn from, if left out.
    name
        Label.

    Raises
    ------
    ValueError
        If shapes do not fit, a number is not finite or a label out of range.
    """

    x_train: Samples
    y_train: IntArray
    x_test: Samples
    y_test: IntArray
    n_classes: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            x, y = check_samples(getattr(self, f"x_{part}"), getattr(self, f"y_{part}"), part)
            object.__setattr__(self, f"x_{part}", x)
            object.__setattr__(self, f"y_{part}", y)
        if self.x_train.shape[1] != self.x_test.shape[1]:
            raise ValueError(
                f"x_train has {self.x_train.shape[1]} columns, x_test {self.x_test.shape[1]}."
            )
        classes = self.n_classes or int(self.y_train.max()) + 1
        object.__setattr__(self, "n_classes", classes)
        for part in ("train", "test"):
            check_labels(getattr(self, f"y_{part}"), classes, f"y_{part}")

    @classmethod
    def of(
        cls,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        test_share: float = 0.25,
        n_classes: int = 0,
        seed: int = 0,
        name: str = "",
    ) -> Data:
        """Return arrays of samples and labels as data, a random share, rounded up, for testing.

        Raises
        ------
        ValueError
            If the share leaves nothing to learn from or to test on, or the arrays are unusable.
        """
        samples, labels = check_samples(x, y, "")
        n_train = len(samples) - math.ceil(test_share * len(samples))
        if not 0 < n_train < len(samples):
            raise ValueError(
                f"test_share {test_share} leaves {n_train} of {len(samples)} to learn from; "
                "there must be one, and one to test on."
            )
        order = np.random.default_rng(seed).permutation(len(samples))
        first, last = order[:n_train], order[n_train:]
        return cls(samples[first], labels[first], samples[last], labels[last], n_classes, name)


def digits(seed: int = 0) -> Data:
    """Return 1797 handwritten digits of 8 x 8 pixels in [0, 1], 450 of them for testing.

    Parameters
    ----------
    seed
        Of the permutation that tells which ones.

    Raises
    ------
    ImportError
        Without the extra ``learn``.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as missing:
        raise ImportError(
            'The digits need the package scikit-learn: pip install "optedge[learn]"; '
            'prototypes() or "prototypes" needs nothing.'
        ) from missing
    x, y = load_digits(return_X_y=True)
    return Data.of(x / 16, y, seed=seed, name="digits")


def prototypes(
    seed: int = 0,
    *,
    n: int = 1797,
    features: int = 64,
    classes: int = 10,
    noise: float = 0.35,
) -> Data:
    """Return Gaussian clouds around random points of the unit cube, a class each.

    Parameters
    ----------
    seed
        Of the points, of the samples and of which are for testing.
    n, features, classes
        Numbers of samples, columns and classes.
    noise
        Standard deviation of each column, at least 0. At 0.35 the classes hardly overlap: all is
        learnt when samples are spread evenly over nodes.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """
    if min(n // 4, features, classes) < 1 or not noise >= 0:
        raise ValueError(
            "n must be at least 4, features and classes at least 1 and noise at least 0, got "
            f"{n}, {features}, {classes} and {noise}."
        )
    rng = np.random.default_rng(seed)
    centres = rng.random((classes, features))
    y = rng.integers(classes, size=n)
    x = centres[y] + noise * rng.standard_normal((n, features))
    return Data.of(x, y, n_classes=classes, seed=seed, name="prototypes")


#: Data by name.
NAMED = {"digits": digits, "prototypes": prototypes}


def usual_data() -> str:
    """Return ``"digits"``, or ``"prototypes"`` where the extra ``learn`` is missing."""
    return "digits" if importlib.util.find_spec("sklearn") else "prototypes"


def find_data(data: Data | str | tuple[Any, Any], seed: int = 0) -> Data:
    """Return data as they are, by their name (:data:`NAMED`), or those of arrays ``(X, y)``.

    Raises
    ------
    ValueError
        If the name is unknown or the arrays are unusable.
    TypeError
        If it is none of these.
    """
    if isinstance(data, Data):
        return data
    if isinstance(data, str):
        if data not in NAMED:
            raise ValueError(f"data must be one of {', '.join(NAMED)} or arrays, got {data!r}.")
        return NAMED[data](seed)
    if isinstance(data, tuple) and len(data) == 2:
        return Data.of(*data, seed=seed)
    raise TypeError(f"data must be Data, a name or a pair (X, y), got {type(data).__name__}.")


def share_out(y: IntArray, shares: Shares, nodes: int, rng: np.random.Generator) -> list[IntArray]:
    """Return which samples each node holds.

    Parameters
    ----------
    y
        Labels of all samples.
    shares
        ``"iid"``: equally many, drawn evenly. ``"sorted"``: sorted by label and cut into equal
        pieces, so that a node knows few classes. Or the indices of each node's samples.
    nodes
        Number of nodes.
    rng
        Deals the samples out.

    Raises
    ------
    ValueError
        If a node would hold nothing, an index is out of range, or the word is unknown.
    """
    if nodes < 1:
        raise ValueError(f"nodes must be at least 1, got {nodes}.")
    if isinstance(shares, str):
        orders = {"iid": rng.permutation(len(y)), "sorted": np.argsort(y, kind="stable")}
        if shares not in orders:
            raise ValueError(f"shares must be iid, sorted or indices a node, got {shares!r}.")
        dealt = [np.asarray(part, np.int64) for part in np.array_split(orders[shares], nodes)]
    else:
        dealt = [_indices(part, k, len(y)) for k, part in enumerate(shares)]
    if len(dealt) != nodes:
        raise ValueError(f"shares must be one a node: {len(dealt)} for {nodes} nodes.")
    if empty := [k for k, part in enumerate(dealt) if not len(part)]:
        raise ValueError(f"nodes {empty} hold no sample ({len(y)} samples, {nodes} nodes).")
    return dealt


def _indices(part: Any, node: int, n: int) -> IntArray:
    found = np.asarray(part)
    if not found.size:
        return np.empty(0, np.int64)
    if found.ndim != 1 or not np.issubdtype(found.dtype, np.integer):
        raise ValueError(f"shares of node {node} must be a row of indices, got {part!r}.")
    if found.min() < 0 or found.max() >= n:
        raise ValueError(f"shares of node {node} must be indices in 0..{n - 1}.")
    return found.astype(np.int64)


def check_samples(x: npt.ArrayLike, y: npt.ArrayLike, part: str) -> tuple[Samples, IntArray]:
    """Return samples and labels as arrays, or raise ValueError with a sentence."""
    xs, ys = (f"x_{part}", f"y_{part}") if part else ("X", "y")
    samples, labels = np.array(x), np.array(y)
    if samples.ndim != 2 or not samples.size:
        raise ValueError(f"{xs} must be a table, a row a sample, got shape {samples.shape}.")
    if labels.shape != samples.shape[:1]:
        raise ValueError(
            f"{ys} must hold a label a row of {xs}: shapes {labels.shape} and {samples.shape}."
        )
    if not np.issubdtype(samples.dtype, np.floating):
        samples = samples.astype(np.float64)
    if not np.isfinite(samples).all():
        row = int(np.flatnonzero(~np.isfinite(samples).all(axis=1))[0])
        raise ValueError(f"{xs} must be finite; row {row} is not.")
    try:
        whole = np.array([operator.index(label) for label in labels.tolist()], dtype=np.int64)
    except TypeError:
        raise ValueError(f"{ys} must hold whole numbers, got {labels.dtype}.") from None
    samples.setflags(write=False)
    whole.setflags(write=False)
    return samples, whole


def check_labels(y: IntArray, n_classes: int, name: str) -> None:
    """Raise ValueError if a label is not in 0..n_classes - 1."""
    if (wrong := np.flatnonzero((y < 0) | (y >= n_classes))).size:
        k = int(wrong[0])
        raise ValueError(f"{name} must lie in 0..{n_classes - 1}; entry {k} is {y[k]}.")
