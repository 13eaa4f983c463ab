"""Accuracy on samples not seen: of the exit head, of the cloud, and of both as they share tasks."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from optedge.learning.data import IntArray, Samples, check_labels
from optedge.learning.model import SplitModel
from optedge.nets import Values


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """Shares of right answers, and what was sent for them.

    Parameters
    ----------
    exit, cloud
        If the exit head, or the cloud, answered all tasks.
    mixed
        As they were answered: dormant tasks by the exit head, the others by the cloud.
    dormant
        Share of dormant tasks.
    uploaded
        Byte of the maps of those that were not.
    raw
        Byte of all raw samples at as many byte a number.
    """

    exit: float
    cloud: float
    mixed: float
    dormant: float
    uploaded: float
    raw: float


def measure(
    model: SplitModel,
    x: Samples,
    y: IntArray,
    dormant: npt.NDArray[np.bool_] | None = None,
) -> Accuracy:
    """Measure a model on samples, some of them dormant.

    Parameters
    ----------
    model
        With any fronts: their mean answers.
    x, y
        Samples a row each, and labels.
    dormant
        Which samples stay at the edge; none if left out.

    Raises
    ------
    ValueError
        If a label is out of range, or ``dormant`` has another length.
    """
    check_labels(np.asarray(y), model.n_classes, "y")
    at_edge = np.zeros(len(y), bool) if dormant is None else np.asarray(dormant, dtype=bool)
    if at_edge.shape != (len(y),):
        raise ValueError(f"dormant must hold one entry a sample, {len(y)}, got {at_edge.shape}.")
    return _shared(model, model.scores(x), y, at_edge)


def entropies(scores: Values) -> npt.NDArray[np.float64]:
    """Return the entropy of each row's softmax in nats; 0 is sure, ``log(n_classes)`` is lost."""
    logs = scores - scores.max(axis=1, keepdims=True)
    logs = logs.astype(np.float64) - np.log(np.exp(logs).sum(axis=1, keepdims=True))
    return np.asarray(-(np.exp(logs) * logs).sum(axis=1))


def early_exit(model: SplitModel, x: Samples, y: IntArray, threshold: float) -> Accuracy:
    """Measure a model whose exit head keeps the samples that it is sure of.

    Parameters
    ----------
    model, x, y
        As for :func:`measure`.
    threshold
        Entropy in nats below which the exit head answers; others go to the cloud. At 0 all do.

    Raises
    ------
    ValueError
        If the threshold is negative or a label out of range.

    References
    ----------
    Teerapittayanon, McDanel and Kung, BranchyNet, ICPR 2016: the baseline "B-Net" of Xu et al.
    """
    if not threshold >= 0:
        raise ValueError(f"threshold must be at least 0 nats, got {threshold}.")
    check_labels(np.asarray(y), model.n_classes, "y")
    scores = model.scores(x)
    return _shared(model, scores, y, entropies(scores[0]) < threshold)


def _shared(
    model: SplitModel,
    scores: tuple[Values, Values],
    y: IntArray,
    at_edge: npt.NDArray[np.bool_],
) -> Accuracy:
    by_exit, by_cloud = (each.argmax(axis=1) == y for each in scores)
    return Accuracy(
        exit=float(by_exit.mean()),
        cloud=float(by_cloud.mean()),
        mixed=float(np.where(at_edge, by_exit, by_cloud).mean()),
        dormant=float(at_edge.mean()),
        uploaded=float((~at_edge).sum()) * model.map_bytes,
        raw=float(len(y) * model.sizes[0] * model.options.bytes_per_element),
    )
