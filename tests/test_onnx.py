"""Estimators converted to ONNX and run by onnxruntime, in single and in double precision."""

import sys

import numpy as np
import pandas as pd
import pytest

skl2onnx = pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from exported import (
    CODES,
    KINDS,
    REALS,
    TARGETS,
    X_CLASSES,
    X_REALS,
    assert_agree,
    each_classifier,
    each_regressor,
    fitted_classifier,
    fitted_regressor,
)
from scipy.special import ndtr
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skc2c import C2CClassifier, C2CRegressor
from skc2c.estimators.regressor import LOSSES
from skc2c.likelihoods import LIKELIHOODS
from skc2c.network import ACTIVATIONS
from skc2c.onnx import register_converters
from skc2c.onnx.graph import Graph
from skc2c.onnx.likelihoods import mean, standard_deviation

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:skc2c")
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
SMALL = {"hidden_layer_sizes": (6,), "max_iter": 3, "random_state": 0}


@pytest.fixture(autouse=True, scope="module")
def _registered():
    register_converters()


def session_of(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    data = model.SerializeToString()
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def run(estimator, X, **options):
    """Outputs of the converted estimator at X, of which it has seen a row's type only."""
    model = skl2onnx.to_onnx(estimator, X[:1], options=options or None)
    return session_of(model).run(None, {"X": X})


# ------------------------------------------------------------------------------ estimators


@each_classifier
def test_classifiers_agree(kind, dtype, labels):
    clf, X = fitted_classifier(labels, dtype, **KINDS[kind])
    found, proba = run(clf, X, zipmap=False)
    assert_agree(clf.predict_proba(X), proba, dtype)
    np.testing.assert_array_equal(found, clf.predict(X))


@each_regressor
def test_regressors_agree(kind, dtype, targets):
    reg, X = fitted_regressor(targets, dtype, **KINDS[kind])
    (found,) = run(reg, X)
    assert found.shape == (len(X), TARGETS[targets].size // len(X))
    assert_agree(reg.predict(X).reshape(found.shape), found, dtype)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@each_dtype
def test_activations_agree(activation, dtype):
    clf, X = fitted_classifier("integers", dtype, activation=activation, max_iter=6)
    assert_agree(clf.predict_proba(X), run(clf, X, zipmap=False)[1], dtype)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@each_dtype
def test_activations_agree_far_out(activation, dtype):
    """One weight of one, so that the output is the activation itself."""
    reg = C2CRegressor((1,), activation, cv=None, input_scaling=None, max_iter=1)
    z = np.concatenate([np.linspace(-40, 40, 801), [-1e4, -1e-8, 1e-8, 1e4]]).astype(dtype)[:, None]
    reg.fit(z, z[:, 0])
    reg.coefs_ = [np.ones((1, 1), dtype)] * 2
    reg.intercepts_ = [np.zeros(1, dtype)] * 2
    (found,) = run(reg, z)
    expected = ACTIVATIONS[activation].evaluate(z.astype(np.float64))[0]
    tolerance = 8.0 * np.finfo(dtype).eps
    assert (np.abs(found - expected) <= tolerance * np.maximum(1.0, np.abs(z))).all()


@pytest.mark.parametrize("loss", LOSSES)
@each_dtype
@pytest.mark.parametrize("targets", TARGETS)
def test_losses_agree(loss, dtype, targets):
    reg, X = fitted_regressor(targets, dtype, loss=loss, max_iter=6)
    (found,) = run(reg, X)
    assert_agree(reg.predict(X).reshape(found.shape), found, dtype)


@each_dtype
@pytest.mark.parametrize("targets", TARGETS)
def test_standard_deviations_agree(dtype, targets):
    reg, X = fitted_regressor(targets, dtype, loss="gaussian_nll", max_iter=6)
    for ours, theirs in zip(
        reg.predict(X, return_std=True), run(reg, X, return_std=True), strict=True
    ):
        assert_agree(ours.reshape(theirs.shape), theirs, dtype)


def test_standard_deviations_need_their_loss():
    reg, X = fitted_regressor()
    with pytest.raises(ValueError, match="return_std=True needs loss='gaussian_nll'"):
        run(reg, X, return_std=True)


# ----------------------------------------------------------------------------- hard inputs


@each_dtype
def test_far_values_and_constant_columns(dtype):
    X = np.random.default_rng(0).normal(size=(30, 3)).astype(dtype)
    large = np.finfo(dtype).max
    X[:, 1] = 0.9 * large
    clf = C2CClassifier(numeric_embedding="fourier", **SMALL).fit(X, X[:, 0] > 0)
    far = [[large, 5, -large], [1e8, 7, 0], [0, -large, 1e-30], [1e25, 5, -1e25]]
    far = np.array(far, dtype=dtype)
    assert_agree(clf.predict_proba(far), run(clf, far, zipmap=False)[1], dtype)


def test_parameters_out_of_the_range_of_single_precision():
    """The scale of a column with tiny values becomes the largest number there is."""
    X = np.random.default_rng(0).normal(size=(30, 2)) * [1.0, 1e-60]
    reg = C2CRegressor(numeric_embedding=None, **SMALL).fit(X, X[:, 0])
    rows = X.astype(np.float32)
    assert_agree(reg.predict(rows)[:, None], run(reg, rows)[0], np.float32)


@each_dtype
def test_probabilities_stay_inside(dtype):
    """Also where they round to 0 or 1, as those of the estimator do."""
    clf, X = fitted_classifier("two strings", dtype)
    clf.intercepts_[-1] += 1000.0
    proba = run(clf, X, zipmap=False)[1]
    assert_agree(clf.predict_proba(X), proba, dtype)
    assert ((proba > 0.0) & (proba < 1.0)).all()
    assert proba.max() == 1.0 - np.finfo(dtype).epsneg


def test_integers_are_read_in_single_precision():
    X = np.random.default_rng(0).integers(-5, 5, size=(30, 3))
    reg = C2CRegressor(**SMALL).fit(X, X[:, 0] * 1.0)
    (found,) = run(reg, X)
    assert_agree(reg.predict(X)[:, None], found, np.float32)


@each_dtype
def test_links_and_spread_far_out(dtype):
    """Where the exponential of a count and the log-variance bend."""
    h = np.array([[-50.0], [29.9], [30.1], [45.0]], dtype=dtype)
    poisson = LIKELIHOODS["poisson"]()
    found = run_nodes(lambda graph: mean(graph, poisson, "h"), h)
    np.testing.assert_allclose(found, poisson.mean(h), rtol=100 * np.finfo(dtype).eps)
    normal = LIKELIHOODS["gaussian_nll"](3.0)
    s = np.array([[-40.0], [-13.5], [0.1], [13.5], [60.0]], dtype=dtype)
    found = run_nodes(lambda graph: standard_deviation(graph, normal, "h"), s)
    expected = np.sqrt(normal.variance(np.hstack([s, s])))
    np.testing.assert_allclose(found, expected, rtol=20 * np.finfo(dtype).eps)


def run_nodes(add, h):
    """Run nodes that read "h"."""
    nodes = Nodes()
    name = add(Graph(nodes, nodes, h.dtype))
    return session_of(nodes.model(name, h)).run(None, {"h": h})[0]


class Nodes:
    """Both a scope and a container, as little of them as a graph asks for."""

    def __init__(self):
        self.nodes, self.constants, self.n_names = [], [], 0

    def get_unique_variable_name(self, name):
        self.n_names += 1
        return f"{name}_{self.n_names}"

    get_unique_operator_name = get_unique_variable_name

    def add_node(self, kind, inputs, outputs, name, **attributes):
        from onnx.helper import make_node

        self.nodes.append(make_node(kind, inputs, outputs, name=name, **attributes))

    def add_initializer(self, name, kind, shape, content):
        from onnx.helper import make_tensor

        self.constants.append(make_tensor(name, kind, shape, content))

    def model(self, output, h):
        from onnx import helper

        kind = helper.np_dtype_to_tensor_dtype(h.dtype)
        ends = [helper.make_tensor_value_info(name, kind, [None, 1]) for name in ("h", output)]
        graph = helper.make_graph(self.nodes, "nodes", ends[:1], ends[1:], self.constants)
        opset = helper.make_opsetid("", 17)
        return helper.make_model(graph, opset_imports=[opset], ir_version=10)


def test_labels_that_onnx_does_not_have():
    clf, X = fitted_classifier()
    clf.classes_ = np.array([1, "b", None], dtype=object)
    with pytest.raises(ValueError, match="integers or strings"):
        run(clf, X, zipmap=False)


# --------------------------------------------------------------------- options and company


@pytest.mark.parametrize("labels", ["integers", "two strings", "multilabel"])
def test_dictionaries_by_default(labels):
    """ONNX has them in single precision only."""
    clf, X = fitted_classifier(labels, np.float32)
    found, proba = run(clf, X)
    np.testing.assert_array_equal(found, clf.predict(X))
    assert list(proba[0]) == clf.classes_.tolist()
    by_class = [list(row.values()) for row in proba]
    np.testing.assert_allclose(by_class, clf.predict_proba(X), rtol=1e-5)


def test_columns_for_classes():
    clf, X = fitted_classifier("strings")
    _, *columns = run(clf, X, zipmap="columns")
    np.testing.assert_allclose(np.column_stack(columns), clf.predict_proba(X), rtol=1e-12)


@pytest.mark.parametrize("labels", ["integers", "two strings", "multilabel"])
def test_raw_scores(labels):
    clf, X = fitted_classifier(labels)
    h, scores = clf.decision_function(X), run(clf, X, zipmap=False, raw_scores=True)[1]
    if labels == "two strings":
        h = np.column_stack([-h, h])
    assert_agree(h, scores, X.dtype)


def test_indices_for_labels():
    clf, X = fitted_classifier("strings")
    found, proba = run(clf, X, zipmap=False, nocl=True)
    np.testing.assert_array_equal(clf.classes_[found], clf.predict(X))
    assert_agree(clf.predict_proba(X), proba, X.dtype)


def test_class_labels_as_an_output():
    clf, X = fitted_classifier("strings")
    assert run(clf, X, zipmap=False, output_class_labels=True)[2].tolist() == [
        "red",
        "rosé",
        "white",
    ]


@each_dtype
def test_pipelines(dtype):
    X = X_CLASSES.astype(dtype)
    pipeline = make_pipeline(StandardScaler(), C2CClassifier(**SMALL)).fit(X, CODES)
    found, proba = run(pipeline, X, zipmap=False)
    assert_agree(pipeline.predict_proba(X), proba, dtype)
    np.testing.assert_array_equal(found, pipeline.predict(X))


def test_pipelines_of_frames():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(size=60), "shop": rng.choice(["a", "b", "c"], 60)})
    frame = frame.astype({"shop": object})
    columns = ColumnTransformer(
        [("size", "passthrough", ["size"]), ("shop", OneHotEncoder(), ["shop"])]
    )
    y = frame["size"] + (frame["shop"] == "a")
    pipeline = make_pipeline(columns, C2CRegressor(**SMALL)).fit(frame, y)
    session = session_of(skl2onnx.to_onnx(pipeline, frame[:1]))
    (found,) = session.run(None, {name: frame[[name]].to_numpy() for name in frame})
    np.testing.assert_allclose(found[:, 0], pipeline.predict(frame), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda clf: GridSearchCV(clf, {"alpha": [0.0, 0.1]}, cv=2),
        lambda clf: CalibratedClassifierCV(clf, cv=2),
        lambda clf: VotingClassifier(
            [("a", clf), ("b", LogisticRegression())], voting="soft", flatten_transform=False
        ),
    ],
    ids=["search", "calibration", "voting"],
)
def test_meta_estimators(wrap):
    X = StandardScaler().fit_transform(X_CLASSES)
    model = wrap(C2CClassifier(**SMALL)).fit(X, CODES)
    model_at = skl2onnx.to_onnx(model, X[:1], options={id(model): {"zipmap": False}})
    found, proba = session_of(model_at).run(None, {"X": X})
    np.testing.assert_allclose(proba, model.predict_proba(X), rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(found, model.predict(X))


def test_several_deep_networks_stay_apart():
    """Only the blocks of the block-diagonal kernels are in the graph."""
    reg = C2CRegressor(**SMALL | {"hidden_layer_sizes": (16, 16), "cv": 4}).fit(X_REALS, REALS)
    model = skl2onnx.to_onnx(reg, X_REALS[:1])
    numbers = sum(int(np.prod(constant.dims)) for constant in model.graph.initializer)
    assert numbers < 0.7 * sum(coef.size for coef in reg.coefs_)


def test_the_series_of_the_normal_distribution():
    """Its terms are enough, and its period is, for double precision."""
    from skc2c.onnx import activations

    z = np.linspace(-activations._LARGEST, activations._LARGEST, 1001)
    angular = 2.0 * np.pi / activations._PERIOD * activations._ODD
    series = 0.5 + 2.0 / np.pi * np.sin(np.outer(z, angular)) @ (
        np.exp(-0.5 * angular**2) / activations._ODD
    )
    np.testing.assert_allclose(series, ndtr(z), atol=1e-15)


# ---------------------------------------------------------------------- optional packages


def test_the_package_does_not_import_them(in_another_process):
    modules = "__import__('skc2c.onnx') and set(__import__('sys').modules)"
    imported = in_another_process(eval, modules)
    assert "skc2c.onnx" in imported
    assert not imported & {"onnx", "skl2onnx", "onnxruntime"}


def test_without_skl2onnx_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'skc2c\[onnx\]'"):
        register_converters()
