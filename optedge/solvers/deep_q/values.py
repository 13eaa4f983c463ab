"""The network that values actions: one head, or value and advantage (dueling)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import BoolArray, IntArray
from optedge.nets import Adam, Network, Values


class QNetwork:
    r"""Q of all actions in a state.

    Dueling, the last layer holds advantages A of the actions and a value V, and :math:`Q = V + A -
    \text{mean}(A)`; else it holds Q itself.

    Parameters
    ----------
    n_features, n_actions
        Inputs and actions.
    hidden
        Neurons of the two hidden layers.
    dueling
        Whether there are two heads.
    rng
        Draws the first parameters.
    dtype
        Of the parameters.
    """

    def __init__(
        self,
        n_features: int,
        n_actions: int,
        hidden: tuple[int, ...],
        dueling: bool,
        rng: np.random.Generator,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.n_actions, self.dueling = n_actions, dueling
        self.net = Network((n_features, *hidden, n_actions + dueling), rng, dtype)
        # Q is linear in what the net puts out: advantages less their mean, plus the value.
        ones = np.ones((n_actions, n_actions))
        joined = np.concatenate([np.eye(n_actions) - ones / n_actions, ones[:1]])
        self._heads: Values = joined.astype(dtype)
        self.adam = Adam(self.net.parameters.size, dtype=dtype)

    def forget(self) -> None:
        """Set Q to 0 everywhere."""
        self.net.last_layer[:] = 0.0

    def values(self, features: Values) -> Values:
        """Return Q, ``(rows, n_actions)``."""
        return self._joined(self.net.forward(features)[-1])

    def _joined(self, out: Values) -> Values:
        return out @ self._heads if self.dueling else out

    def learn(
        self,
        features: Values,
        actions: IntArray,
        targets: Values,
        weights: Values | float,
        rate: float,
        huber: bool,
    ) -> Values:
        """Move Q of the actions taken towards their targets, by one step of Adam.

        Parameters
        ----------
        features, actions, targets
            Of a sample a row.
        weights
            Of each sample in the mean loss, or of all.
        rate
            Learning rate.
        huber
            Whether errors beyond 1 count linearly instead of squared.

        Returns
        -------
        ndarray
            The errors Q - target before the step, ``(rows,)``.
        """
        outputs = self.net.forward(features)
        rows = np.arange(len(actions))
        errors = self._joined(outputs[-1])[rows, actions] - targets
        slope = np.clip(errors, -1.0, 1.0) if huber else 2.0 * errors
        chosen = np.zeros((len(actions), self.n_actions), dtype=self.net.parameters.dtype)
        chosen[rows, actions] = slope * weights / len(actions)
        self.net.backward(outputs, chosen @ self._heads.T if self.dueling else chosen)
        self.adam.step(self.net.parameters, self.net.gradient, rate)
        return errors


def mean_loss(errors: Values, weights: Values | float, huber: bool) -> float:
    """Return the loss that :meth:`QNetwork.learn` goes down."""
    size = np.abs(errors)
    each = np.where(size > 1, size - 0.5, 0.5 * size * size) if huber else size * size
    return float(np.mean(weights * each))


def best_actions(q: Values, masks: BoolArray | None) -> IntArray:
    """Return the allowed action of largest Q in each row; ties to the lowest; None: all allowed."""
    return np.asarray((q if masks is None else np.where(masks, q, -np.inf)).argmax(axis=1))
