"""All of scikit-learn's own checks, none expected to fail."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skactive.estimators import CNNClassifier


@parametrize_with_checks([CNNClassifier()])
def test_scikit_learn(estimator, check):
    check(estimator)
