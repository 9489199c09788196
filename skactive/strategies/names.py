"""Names of strategies, for commands and stored settings: looking at the classes imports torch."""

from skactive import strategies

# Meant for a network that is trained jointly with a module that predicts losses.
JOINTLY = ("LPLGrad", "LearningLoss")
# Not strategies, or made of others.
_NOT_ALONE = {
    *("ClassBalanced", "Hybrid", "PerClass", "ProbabilityStrategy", "QueryStrategy"),
    *("Refine", "Selection", "Subsample", "Switch"),
}
# Those that can be made without arguments.
ALONE = [name for name in strategies.__all__ if name not in _NOT_ALONE]
