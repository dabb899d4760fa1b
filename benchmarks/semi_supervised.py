"""What do rows without a label add? Two moons, digits and regression, with rivals.

Usage: python benchmarks/semi_supervised.py [--data FOLDER] [--seeds 5] [--output FILE]

Two moons: 500 rows with a noise of 0.1, of which three of each class, drawn at random, have a
label. Accuracy on the others. Digits: load_digits divided by 16 and centred, 30 % held out, 10
labels a class, the other training rows without a label, hidden layers (100, 100), one fixed
setting a penalty and one network without cross-validation, input scaling or embedding, and the
estimator as it comes but for the penalty. Regression, with such networks too: every regression
set of a folder of .npz files with X and y (skipped without --data): 100 labelled rows, up to
3,000 without a label, inputs standardised, root mean squared error on up to 2,000 held-out rows
in standard deviations of y there. The supervised network trains for as many updates as the
others. Prints Markdown.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from plain import PLAIN
from sklearn.datasets import load_digits, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier
from timing import markdown

from skc2c import VAT, C2CClassifier, C2CRegressor

SETTINGS = {**PLAIN, "learning_rate_init": 0.001, "max_iter": 200}
SURE = VAT(entropy_weight=0.1, balance_weight=0.4)
DIGITS = {
    "None": {"penalty": None},
    "c2c": {"penalty": "c2c", "alpha": 3.0, "epsilon": 0.1},
    "jacobian": {"penalty": "jacobian", "alpha": 3.0, "epsilon": 0.1},
    "ladder": {"penalty": "ladder", "alpha": 1.0, "epsilon": 0.1},
    "vat": {"penalty": "vat", "alpha": 1.0, "epsilon": 0.5},
    "vat, entropy 0.1, balance 0.4": {"penalty": SURE, "alpha": 1.0, "epsilon": 0.5},
}
DEFAULTS = {f"{penalty}, by default": penalty for penalty in ("vat", "c2c")}
REGRESSION = {
    "None": {"penalty": None},
    "c2c, labelled rows alone": {"penalty": "c2c", "alpha": 0.1, "epsilon": 0.1},
    "c2c": {"penalty": "c2c", "alpha": 0.1, "epsilon": 0.1},
    "vat": {"penalty": "vat", "alpha": 0.1, "epsilon": 0.3},
}
UPDATES = 3000  # at most, of every regression network


def digits_data(seed, labels_per_class=10):
    """Training rows, their labels with -1 for unknown, and held-out rows and labels."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X / 16, y, test_size=0.3, stratify=y, random_state=seed
    )
    mean, rng = X_train.mean(axis=0), np.random.default_rng(seed)
    known = [rng.permutation(np.flatnonzero(y_train == k))[:labels_per_class] for k in range(10)]
    marked = np.full(len(y_train), -1)
    marked[np.concatenate(known)] = y_train[np.concatenate(known)]
    return X_train - mean, marked, X_test - mean, y_test


def digits_models(seed):
    """Every contestant by name; those that learn from labelled rows alone say so."""
    settings = SETTINGS | {"hidden_layer_sizes": (100, 100), "random_state": seed, "l2": 0.1}
    updates = {"max_iter": 200 * 7, "n_iter_no_change": np.inf}
    for name, parameters in DIGITS.items():
        if parameters["penalty"] is None:
            model = C2CClassifier(**settings | updates, **parameters)
            yield name, model, False
        else:
            yield name, C2CClassifier(**settings, **parameters, missing_label=-1), True
    yield from default_models(seed)
    mlp = MLPClassifier((100, 100), max_iter=1000, random_state=seed)
    yield "MLPClassifier", mlp, False
    yield "SelfTrainingClassifier(MLPClassifier)", SelfTrainingClassifier(mlp), True
    yield "LabelSpreading, 7 neighbours", LabelSpreading("knn", n_neighbors=7), True


def default_models(seed):
    """The estimator with nothing said but the penalty."""
    for name, penalty in DEFAULTS.items():
        yield name, C2CClassifier(penalty=penalty, missing_label=-1, random_state=seed), True


def moons_data(seed):
    """Rows, their labels with -1 for unknown, and those of the rows without one."""
    X, y = make_moons(500, noise=0.1, random_state=seed)
    rng = np.random.default_rng(seed)
    known = np.concatenate([rng.choice(np.flatnonzero(y == k), 3, False) for k in (0, 1)])
    marked = np.full(len(y), -1)
    marked[known] = y[known]
    return X, marked, X[marked == -1], y[marked == -1]


def moons_models(seed):
    """Every contestant by name."""
    yield from default_models(seed)
    mlp = MLPClassifier(max_iter=1000, random_state=seed)
    yield "SelfTrainingClassifier(MLPClassifier)", SelfTrainingClassifier(mlp), True
    for neighbours in (7, 20):
        spreading = LabelSpreading("knn", n_neighbors=neighbours)
        yield f"LabelSpreading, {neighbours} neighbours", spreading, True


def moons_table(seeds):
    return _table(moons_data, moons_models, seeds)


def digits_table(seeds):
    return _table(digits_data, digits_models, seeds)


def _table(data, models, seeds):
    scores = {}
    for seed in range(seeds):
        X, marked, X_test, y_test = data(seed)
        known = marked != -1
        for name, model, uses_all in models(seed):
            rows = (X, marked) if uses_all else (X[known], marked[known])
            scores.setdefault(name, []).append(model.fit(*rows).score(X_test, y_test))
    lines = [
        [name, *_mean_and_error(values), f"{min(values):.3f}"] for name, values in scores.items()
    ]
    return markdown(["", "accuracy", "standard error", "lowest"], lines)


def _mean_and_error(values):
    return f"{np.mean(values):.4f}", f"{np.std(values, ddof=1) / np.sqrt(len(values)):.4f}"


def regression_error(path, seed, parameters, uses_all):
    """Root mean squared error in standard deviations of the held-out targets."""
    with np.load(path) as data:
        X, y = data["X"].astype(float), data["y"].astype(float)
    order = np.random.default_rng(seed).permutation(len(y))
    n_test = min(len(y) // 3, 2000)
    test, train = order[:n_test], order[n_test:][:3100]
    scaler = StandardScaler().fit(X[train])
    labelled, rest = train[:100], train[100:]
    extra = {"X_unlabeled": scaler.transform(X[rest])} if uses_all else {}
    n_batches = -(-len(train if uses_all else labelled) // 200)
    settings = SETTINGS | {"random_state": seed, "l2": 1.0, "max_iter": UPDATES // n_batches}
    reg = C2CRegressor(**settings, **parameters)
    reg.fit(scaler.transform(X[labelled]), y[labelled], **extra)
    error = reg.predict(scaler.transform(X[test])) - y[test]
    return np.sqrt(np.mean(error**2)) / y[test].std()


def is_regression(path):
    with np.load(path) as data:
        return data["y"].dtype.kind == "f" and len(np.unique(data["y"])) > 20


def regression_table(folder, seeds):
    paths = [path for path in sorted(Path(folder).glob("*.npz")) if is_regression(path)]
    paths = [path for path in paths if path.stem != "mnist_train"]
    errors = {
        name: np.array(
            [
                [
                    regression_error(path, s, parameters, name in ("c2c", "vat"))
                    for s in range(seeds)
                ]
                for path in paths
            ]
        )
        for name, parameters in REGRESSION.items()
    }
    lines = []
    for i, path in enumerate(paths):
        means = {name: values[i].mean() for name, values in errors.items()}
        lines.append([path.stem, *(f"{mean:.3f}" for mean in means.values())])
    logs = {name: np.log(values / errors["None"]).mean() for name, values in errors.items()}
    lines.append(["mean log ratio to None", *(f"{value:.3f}" for value in logs.values())])
    wins = [
        f"{np.sum(values.mean(axis=1) < errors['None'].mean(axis=1))} of {len(paths)}"
        for values in errors.values()
    ]
    return markdown(["", *errors], [*lines, ["sets won against None", *wins]])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of .npz files with X and y")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    sections = [
        f"## Two moons with 6 labels, {2 * options.seeds} draws",
        moons_table(2 * options.seeds),
    ]
    sections += [f"## Digits with 100 labels, {options.seeds} seeds", digits_table(options.seeds)]
    if options.data:
        sections += [
            f"## Regression with 100 labels, {2 * options.seeds} seeds",
            regression_table(options.data, 2 * options.seeds),
        ]
    text = "\n\n".join(sections) + "\n"
    print(text)
    if options.output:
        options.output.write_text(text)


if __name__ == "__main__":
    main()
