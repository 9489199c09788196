"""Strategies that value samples by the length of a gradient."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions

from skactive.gradients import gradient_norms
from skactive.strategies.base._networks import PoolInputs, PoolNetwork
from skactive.strategies.base._subset import SubsetStrategy


class GradientLengthStrategy(SubsetStrategy):
    """Base class of the strategies whose utility is one of `gradient_norms`, named by `score`."""

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **SubsetStrategy._parameter_constraints,
        "norm": [StrOptions({"layer_sum", "global"})],
    }

    score: str
    norm: str
    batch_size: int
    device: Any

    def _scores(self, estimator: Any, X_pool: Any, positions: np.ndarray) -> np.ndarray:
        network = PoolNetwork(estimator, self, self.device)
        network.check(X_pool)
        samples = PoolInputs(network, ("X_pool", X_pool, positions))
        with samples.counted():
            norms = gradient_norms(
                network.module,
                samples,
                score=self.score,
                norm=self.norm,
                batch_size=self.batch_size,
            )
        return norms.cpu().double().numpy()
