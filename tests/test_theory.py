"""The series of docs/theory.md and its examples, against Gauss-Hermite quadrature."""

import doctest
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from oracles import PLAIN
from scipy.special import rel_entr, roots_hermitenorm

from skc2c import C2CClassifier, C2CRegressor
from skc2c.inspection import fisher_information, jacobian

pytest.importorskip("matplotlib")
ROOT = Path(__file__).parent.parent


def example(name):
    path = ROOT / "examples" / f"plot_theory_{name}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ------------------------------------------------------------------ one feature: no draws needed


def expected_value(function, X, epsilon):
    """Mean of a function of perturbed rows over dx ~ N(0, epsilon^2), without drawing."""
    nodes, weights = roots_hermitenorm(30)
    pairs = zip(nodes, weights / weights.sum(), strict=True)
    return sum(weight * function(X + epsilon * node) for node, weight in pairs)


def second_order(cost, X, epsilon=0.05):
    """Constant and coefficients of epsilon^2 and epsilon^4 of the mean cost, by three radii."""
    radii = epsilon * np.array([0.0, 1.0, 2.0, 3.0])
    values = [expected_value(cost, X, radius).mean() for radius in radii]
    return np.linalg.solve(np.vander(radii**2, increasing=True), values)[:3]


@pytest.fixture(scope="module")
def curve():
    """A regressor of one feature, its rows and noisy targets."""
    rng = np.random.default_rng(0)
    X = np.linspace(-2.0, 2.0, 60)[:, None]
    y = np.sin(3.0 * X[:, 0]) + 0.3 * rng.normal(size=60)
    settings = PLAIN | {"solver": "lbfgs", "penalty": None, "l2": 0.01, "random_state": 0}
    return C2CRegressor((20,), "tanh", **settings).fit(X, y), X, y


@pytest.fixture(scope="module")
def classes():
    rng = np.random.default_rng(0)
    X = np.linspace(-2.0, 2.0, 90)[:, None]
    y = np.digitize(X[:, 0] + 0.4 * rng.normal(size=90), [-0.7, 0.7])
    settings = PLAIN | {"solver": "lbfgs", "penalty": "ladder", "alpha": 0.05, "random_state": 0}
    return C2CClassifier((10,), "tanh", **settings).fit(X, y), X, y


def test_next_term_of_c2c(curve):
    reg, X, _ = curve
    clean = reg.predict(X)
    zero, limit, next_term = second_order(lambda near: (reg.predict(near) - clean) ** 2, X)
    assert_allclose(zero, 0.0, atol=1e-12)
    assert_allclose(limit, (jacobian(reg, X) ** 2).mean(), rtol=1e-4)
    parts = example("jacobian").next_term(reg, X)
    assert_allclose(next_term / limit, parts.sum(), rtol=0.02)
    # The paper's series, which ends with second derivatives, has the wrong sign here.
    assert parts[0] > 0.0 > parts.sum()


@pytest.mark.parametrize("kind", ["curve", "classes"])
def test_terms_of_noise(kind, request):
    network, X, y = request.getfixturevalue(kind)
    module = example("noise")

    def loss(near):
        if kind == "curve":
            return 0.5 * (network.predict(near) - y) ** 2
        return -network.predict_log_proba(near)[np.arange(len(y)), y]

    _, limit, _ = second_order(loss, X, 0.02)
    trace, bend = module.terms(network, X, y)
    assert abs(bend) > 0.01 * trace
    assert_allclose(limit, 0.5 * (trace + bend), rtol=1e-3)


def test_series_of_the_ladder(classes):
    clf, X, _ = classes
    module, clean = example("ladder"), clf.decision_function(X)

    def cost(near):
        return ((module.denoise(clf, clf.decision_function(near)) - clean) ** 2).sum(axis=1)

    zero, second, _ = second_order(cost, X, 0.01)
    assert zero > 1e-5
    assert_allclose(module.series(clf, X), [zero, second], rtol=1e-3)


def test_random_divergence_tends_to_the_trace(classes):
    clf, X, _ = classes
    p = clf.predict_proba(X)

    def divergence(near):
        return rel_entr(p, clf.predict_proba(near)).sum(axis=1)

    _, limit, _ = second_order(divergence, X, 0.02)
    information = fisher_information(clf, X)
    assert_allclose(limit, 0.5 * np.trace(information, axis1=1, axis2=2).mean(), rtol=1e-4)


def test_the_code_of_the_page_runs():
    page = str(ROOT / "docs" / "theory.md")
    results = doctest.testfile(page, module_relative=False, optionflags=doctest.ELLIPSIS)
    assert results.attempted > 15
    assert results.failed == 0
