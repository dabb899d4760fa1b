"""scikit-learn's own checks, for each estimator, penalty and solver."""

import itertools

from sklearn.utils.estimator_checks import parametrize_with_checks

from skc2c import C2CClassifier, C2CRegressor
from skc2c.penalties import PENALTIES

ESTIMATORS = [
    estimator(penalty=penalty, solver=solver)
    for estimator, penalty, solver in itertools.product(
        (C2CClassifier, C2CRegressor), PENALTIES, ("adam", "lbfgs")
    )
]


def expected_failures(estimator):
    """Only where draws are random. L-BFGS sees each distinct row once, weighted."""
    if estimator.solver == "lbfgs":
        return {}
    reason = "a repeated row falls into other batches, with other noise, than a weighted one"
    return {
        "check_sample_weight_equivalence_on_dense_data": reason,
        "check_sample_weight_equivalence_on_sparse_data": reason,
    }


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_scikit_learn_check(estimator, check):
    check(estimator)
