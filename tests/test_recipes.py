"""Recipes for people in a hurry: a data frame as it comes, through skrub's `tabular_pipeline`."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split

from skc2c import C2CClassifier, C2CRegressor

pd = pytest.importorskip("pandas")
skrub = pytest.importorskip("skrub")

ROOT = Path(__file__).parent.parent
N_ROWS = 600


@pytest.fixture(scope="module")
def orders():
    """Orders of a shop: text, categories, dates of two kinds, numbers, and gaps in all of them."""
    rng = np.random.default_rng(0)
    goods = rng.choice(["running shoes", "rain jacket", "tent", "head lamp"], N_ROWS)
    model = rng.integers(1000, size=N_ROWS)
    day = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 700, N_ROWS), unit="D")
    X = pd.DataFrame(
        {
            "item": [f"{word}, model {i}" for word, i in zip(goods, model, strict=True)],
            "town": rng.choice(["Oslo", "Bergen", "Bodø"], N_ROWS),
            "ordered": day,
            "delivered": (day + pd.Timedelta(days=3)).strftime("%Y-%m-%d"),
            "price": rng.lognormal(4.0, 0.6, N_ROWS),
            "pieces": rng.integers(1, 5, N_ROWS),
        }
    )
    level = 2.0 * (goods == "running shoes") + 2.0 * (day.month <= 2) + np.log(X["price"]) - 5.0
    for column in X.columns.drop("item"):
        X[column] = X[column].mask(rng.random(N_ROWS) < 0.05)
    return X, level.to_numpy(), rng


@pytest.fixture(scope="module")
def returned(orders):
    """Which of the orders are returned."""
    X, level, rng = orders
    return X, np.where(level + 0.5 * rng.logistic(size=N_ROWS) > 0.0, "returned", "kept")


def test_classifier_learns_from_a_data_frame(returned):
    X_train, X_test, y_train, y_test = train_test_split(*returned, random_state=0)
    model = skrub.tabular_pipeline(C2CClassifier(random_state=0)).fit(X_train, y_train)
    chance = np.mean(y_test == "kept")
    assert 0.5 < chance < 0.75
    assert set(model.predict(X_test)) == {"kept", "returned"}
    assert model.score(X_test, y_test) > chance + 0.1
    ignorant = np.tile(np.mean(y_train[:, None] == model.classes_, axis=0), (len(y_test), 1))
    loss = log_loss(y_test, model.predict_proba(X_test))
    assert loss < 0.9 * log_loss(y_test, ignorant)


def test_classifier_in_cross_validation(returned):
    X, y = returned
    model = skrub.tabular_pipeline(C2CClassifier(max_iter=40, random_state=0))
    scores = cross_val_score(model, X, y, cv=2)
    assert scores.min() > np.mean(y == "kept") + 0.05


def test_regressor_learns_from_a_data_frame(orders):
    X, level, rng = orders
    y = 1000.0 + 300.0 * (level + 0.3 * rng.normal(size=N_ROWS))
    model = skrub.tabular_pipeline(C2CRegressor(max_iter=40, random_state=0))
    assert cross_val_score(model, X, y, cv=2).min() > 0.5


@pytest.mark.filterwarnings("ignore:Found unknown categories")
def test_rows_unlike_any_before_are_predicted(returned):
    """Words never seen, and nothing but gaps."""
    X, y = returned
    model = skrub.tabular_pipeline(C2CClassifier(max_iter=5, random_state=0)).fit(X, y)
    odd = X.head(3).copy()
    odd.loc[odd.index[0], ["item", "town"]] = "skis", "Narvik"
    odd.loc[odd.index[1]] = None
    proba = model.predict_proba(odd.astype(X.dtypes))
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-6)


def test_gaps_are_filled_and_columns_scaled_in_front(returned):
    """The tags say that the estimator takes no NaN, and skrub does not take it for a tree."""
    model = skrub.tabular_pipeline(C2CClassifier())
    *steps, last = model.named_steps
    assert last == "c2cclassifier"
    assert "simpleimputer" in steps
    assert any("scaler" in step for step in steps)
    assert np.isfinite(np.asarray(model[:-1].fit_transform(returned[0]))).all()


def test_parameters_are_tuned_through_the_pipeline(returned):
    X, y = (part[:200] for part in returned)
    X = X[["town", "price"]]  # text and dates take skrub longer than the fits take
    model = skrub.tabular_pipeline(C2CClassifier(max_iter=5, random_state=0))
    search = GridSearchCV(model, {"c2cclassifier__alpha": [0.0, 1.0]}, cv=2).fit(X, y)
    assert search.best_params_["c2cclassifier__alpha"] in (0.0, 1.0)


def test_example_runs_and_draws(run_example):
    out, picture = run_example("tabular_dataframe")
    for name in ("C2CClassifier", "HistGradientBoosting", "MLPClassifier"):
        assert f"| {name} |" in out
    assert picture.stat().st_size > 10_000
