"""Strategies that value samples by the length of a gradient."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions

from skactive._pool import Pool
from skactive.gradients import gradient_norms
from skactive.strategies.base._networks import PoolNetwork
from skactive.strategies.base._progress import counted
from skactive.strategies.base._subset import SubsetStrategy


class GradientLengthStrategy(SubsetStrategy):
    """Base class of the strategies whose utility is one of `gradient_norms`, named by `score`."""

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **SubsetStrategy._parameter_constraints,
        "norm": [StrOptions({"layer_sum", "global"})],
    }

    score: str
    norm: str
    device: Any

    def _score(self, estimator: Any, pool: Pool) -> np.ndarray:
        network = PoolNetwork(estimator, self, self.device)
        network.check(pool)
        with counted(self, network.samples(pool)) as samples:
            norms = gradient_norms(
                network.module,
                samples,
                score=self.score,
                norm=self.norm,
                batch_size=self.batch_size,
            )
        return norms.cpu().double().numpy()
