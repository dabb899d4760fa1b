"""
Adversarial directions: the largest eigenvalue, and how far it carries
======================================================================

The worst small perturbation instead of the average one turns a sum of eigenvalues into the largest
of them (section 3.3 of the paper)::

    c2c, random             epsilon^2 trace(J'J)         c2c, adversarial    epsilon^2 max(J'J)
    vat, random             epsilon^2 / 2 trace(I)       vat                 epsilon^2 / 2 max(I)

where ``I = J' F J`` is the Fisher information of the output distribution with respect to the input.
This example measures the ratio of each penalty to its limit, for networks fitted to digits. The
squared distance of logits stays near its limit up to perturbations of length one, and so does the
true maximum, found by gradient ascent. The divergence does not: it is larger than its limit before
it becomes smaller. The panels on the right show why, row by row. Of the two signs of the worst
direction, which are alike to first order, one makes the network surer of its class, which costs
little, and the other leads to another class. Where the network is sure, its probabilities do not
react to a small perturbation, the eigenvalue is next to zero, and the divergence at length one is
many times what it says. A network fitted with vat is not so sure, and nearer to its limit.
"""

import argparse
import warnings

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from numpy.testing import assert_allclose
from scipy.special import rel_entr
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import euclidean_distances
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skc2c import C2C, VAT, C2CClassifier, C2CRegressor
from skc2c.inspection import (
    adversarial_perturbation,
    fisher_information,
    jacobian,
    penalty_value,
)

# One network on the rows as they are.
PLAIN = {"cv": None, "input_scaling": None, "numeric_embedding": None, "l2": 1.0}
NETWORKS = {
    "tanh": {"activation": "tanh"},
    "gelu": {"activation": "gelu"},
    "relu": {"activation": "relu"},
    "relu, c2c": {"penalty": "c2c", "alpha": 0.3, "epsilon": 0.1},
    "relu, vat": {"penalty": "vat", "alpha": 1.0, "epsilon": 1.0},
}
LENGTHS = np.array([0.03, 0.06, 0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0])
SHOWN = (0.125, 0.25, 0.5, 1.0, 2.0)
EXACT = 30  # power iterations, of which training takes one
TINY = 1e-3
N_DRAWS = 20


def fitted(X, y, fast):
    """Networks fitted to the same rows."""
    settings = {"penalty": None, "max_iter": 10 if fast else 100, "learning_rate_init": 0.003}
    settings |= PLAIN | {"random_state": 0, "hidden_layer_sizes": (20 if fast else 100,)}
    return {name: C2CClassifier(**settings | own).fit(X, y) for name, own in NETWORKS.items()}


def eigenvalues(forms):
    """Of symmetric matrices (n, D, D), in ascending order."""
    return np.linalg.eigvalsh(forms)


def penalties(n_features):
    """Each penalty, its radius at a length of one, and the terms of its limit.

    These are functions of the eigenvalues of J'J and of those of the Fisher information.
    """
    random = n_features**-0.5  # in each feature, for a mean squared length of one
    worst = {"n_perturbations": 2, "n_power_iterations": EXACT}
    return {
        "c2c, random": (C2C(n_perturbations=N_DRAWS), random, lambda of_J, _: of_J),
        "c2c, adversarial": (C2C("adversarial", **worst), 1.0, lambda of_J, _: of_J[:, -1:]),
        "vat, random": (
            VAT("random", n_perturbations=N_DRAWS),
            random,
            lambda of_J, of_I: of_I / 2,
        ),
        "vat": (VAT(**worst), 1.0, lambda _, of_I: of_I[:, -1:] / 2),
    }


def spectra(network, X):
    """Eigenvalues of J'J and of the Fisher information at each row."""
    J = jacobian(network, X)
    of_slopes = eigenvalues(np.swapaxes(J, 1, 2) @ J)
    assert_allclose(of_slopes.sum(axis=1), (J**2).sum(axis=(1, 2)))  # equation 5
    return of_slopes, eigenvalues(fisher_information(network, X))


def ratios(network, X, found):
    """Each penalty over its limit at each length."""
    result = {}
    for name, (penalty, radius, limit) in penalties(X.shape[1]).items():
        tiny, *values = (
            penalty_value(network, X, penalty, radius * length, random_state=0) / length**2
            for length in (TINY, *LENGTHS)
        )
        terms = radius**2 * limit(*found)  # (n, number of eigenvalues)
        # u'Iu of a standard normal u has variance 2 trace(I^2).
        error = np.sqrt(2.0 * (terms**2).sum() / N_DRAWS) / len(X)
        is_random = penalty.perturbation == "random"
        assert_allclose(tiny, terms.sum(axis=1).mean(), rtol=0.02, atol=4.0 * error * is_random)
        # The same draws at every length share their luck.
        result[name] = np.array(values) / tiny
    return result


def table(measured):
    lines = ["| penalty | network | " + " | ".join(f"{length:g}" for length in SHOWN) + " |"]
    lines.append("|---" * (2 + len(SHOWN)) + "|")
    for penalty in next(iter(measured.values())):
        for name, ratio in measured.items():
            values = np.interp(SHOWN, LENGTHS, ratio[penalty])
            cells = " | ".join(f"{value:.2f}" for value in values)
            lines.append(f"| {penalty} | {name} | {cells} |")
    return "\n".join(lines)


def highest(network, X, length, n_steps):
    """The largest ||h - h~||^2 within a length, by gradient ascent from both first-order ones."""
    h = network.decision_function(X)
    start = adversarial_perturbation(
        network, X, length, penalty="c2c", n_power_iterations=EXACT, random_state=0
    )
    best = np.zeros(len(X))
    for dx in (start, -start):
        for _ in range(n_steps):
            away = network.decision_function(X + dx) - h
            best = np.maximum(best, (away**2).sum(axis=1))
            gradient = np.einsum("nk,nkd->nd", away, jacobian(network, X + dx))
            dx = length * gradient / np.linalg.norm(gradient, axis=1, keepdims=True)
    return best.mean()


def divergences(network, X, length):
    """KL along the worst direction, the larger and the smaller of its two signs, and the limit."""
    dx = adversarial_perturbation(network, X, length, n_power_iterations=EXACT, random_state=0)
    p = network.predict_proba(X)
    both = [network.predict_proba(X + shift) for shift in (dx, -dx)]
    # A probability may be too small for a number.
    found = np.sort([rel_entr(p, np.maximum(q, 1e-300)).sum(axis=1) for q in both], axis=0)
    return *found, length**2 / 2.0 * eigenvalues(fisher_information(network, X))[:, -1]


def in_words(name, certainty, smaller, larger, expected):
    """What came of `divergences`, at rows that the network is sure of and at the others."""
    sure = certainty > 0.99
    for kind, rows in (("above", sure), ("below", ~sure)):
        if not rows.any():
            continue
        means = (f"{values[rows].mean():.3f}" for values in (smaller, larger, expected))
        print(f"| {name} | {kind} 0.99 | {rows.mean():.0%} | " + " | ".join(means) + " |")


def distance_of_classes(X, y):
    """Median distance of a row from the nearest one of another class."""
    distances = np.where(y[:, None] == y, np.inf, euclidean_distances(X))
    return np.median(distances.min(axis=1))


def check_one_output():
    """One output has one eigenvalue; and a normal distribution makes vat half of c2c (eq. 7)."""
    X, y = load_diabetes(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    settings = PLAIN | {"penalty": None, "max_iter": 50, "random_state": 0}
    network = C2CRegressor(activation="tanh", **settings).fit(X, y)
    J = jacobian(network, X)
    exact = penalty_value(network, X, "jacobian", 0.3)
    assert_allclose(eigenvalues(np.swapaxes(J, 1, 2) @ J)[:, -1].mean() * 0.09, exact)
    for epsilon in LENGTHS:
        draw = {"epsilon": epsilon, "random_state": 0}
        distance = penalty_value(network, X, C2C("adversarial"), **draw)
        assert_allclose(penalty_value(network, X, "vat", **draw), distance / 2.0, rtol=1e-9)
    print("One output: max(J'J) = trace(J'J), and vat is half of adversarial c2c at every epsilon.")


def draw(measured, maxima, scatter, path):
    figure, axes = plt.subplots(2, 3, figsize=(14, 8), layout="constrained")
    panels = dict(zip(next(iter(measured.values())), axes[:, :2].T.ravel(), strict=True))
    for i, (name, ratio) in enumerate(measured.items()):
        for penalty, axis in panels.items():
            axis.semilogx(LENGTHS, ratio[penalty], "o-", markersize=4, color=f"C{i}", label=name)
        if name in maxima:
            panels["c2c, adversarial"].semilogx(
                LENGTHS, maxima[name], "--", color=f"C{i}", label=f"{name}: true maximum"
            )
    for penalty, axis in panels.items():
        axis.axhline(1.0, color="0.7", linewidth=1, zorder=0)
        axis.set(title=f"{penalty}, over its limit", xlabel="length of the perturbation")
        axis.set(ylim=(0.0, 2.3))
        axis.legend(fontsize=8, loc="lower left")
    for axis, (name, (certainty, smaller, larger, expected)) in zip(
        axes[:, 2], scatter.items(), strict=True
    ):
        look = {"c": certainty, "s": 14, "cmap": "viridis", "vmin": 0.5, "vmax": 1}
        axis.scatter(expected, smaller, marker="v", label="the smaller sign", **look)
        points = axis.scatter(expected, larger, marker="^", label="the larger sign", **look)
        axis.plot([1e-6, 1e2], [1e-6, 1e2], "k", linewidth=1)
        axis.set(xscale="log", yscale="log", xlim=(1e-6, 1e2), ylim=(1e-6, 1e2))
        axis.set(xlabel="epsilon² / 2 max(I)", ylabel="KL at length 1, by row", title=name)
        axis.legend(fontsize=8, loc="lower right")
        figure.colorbar(points, ax=axis, label="highest probability", location="right")
    figure.savefig(path, dpi=110)


def report_eigenvalues(networks, found, X, y):
    apart = distance_of_classes(X, y)
    print(f"\n{len(y)} digits not trained on, {apart:.2f} from the nearest one of another class.\n")
    print(
        "| network | accuracy | max / trace of J'J | max / trace of I | mean trace of J'J | of I |"
    )
    print("|---|---|---|---|---|---|")
    for name, pair in found.items():
        shares = " | ".join(f"{e[:, -1].sum() / e.sum():.2f}" for e in pair)
        sums = " | ".join(f"{e.sum(axis=1).mean():.3g}" for e in pair)
        print(f"| {name} | {networks[name].score(X, y):.3f} | {shares} | {sums} |")


def true_maxima(networks, found, X, fast):
    """The largest squared distance within each length, over the limit."""
    maxima = {}
    for name in ("tanh", "relu, c2c"):
        n_steps = 3 if fast else 15
        values = np.array([highest(networks[name], X, length, n_steps) for length in LENGTHS])
        maxima[name] = values / (found[name][0][:, -1].mean() * LENGTHS**2)
        cells = " | ".join(f"{value:.2f}" for value in np.interp(SHOWN, LENGTHS, maxima[name]))
        print(f"| c2c, true maximum | {name} | {cells} |")
    return maxima


def both_signs(networks, X):
    """Divergences at length one, row by row, of a network that is sure and of one that is not."""
    print("\nDivergence at length 1 along the worst direction, mean over the rows:\n")
    print("| network | highest probability | rows | smaller sign | larger sign | limit |")
    print("|---|---|---|---|---|---|")
    scatter = {}
    for name in ("relu", "relu, vat"):
        certainty = networks[name].predict_proba(X).max(axis=1)
        scatter[name] = certainty, *divergences(networks[name], X, 1.0)
        in_words(name, *scatter[name])
    return scatter


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--output", default="theory_adversarial.png", help="where to save it")
    parser.add_argument("--fast", action="store_true", help="only show that it runs")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # trained for as long as is asked for
    X, y = load_digits(return_X_y=True)
    n_test = 30 if options.fast else 300
    X, X_test, y, y_test = train_test_split(X / 16.0, y, test_size=n_test, random_state=0)
    check_one_output()
    networks = fitted(X, y, options.fast)
    found = {name: spectra(network, X_test) for name, network in networks.items()}
    report_eigenvalues(networks, found, X_test, y_test)
    measured = {name: ratios(networks[name], X_test, found[name]) for name in networks}
    print("\nRatio of each penalty to its limit, by the length of the perturbation:\n")
    print(table(measured))
    maxima = true_maxima(networks, found, X_test, options.fast)
    draw(measured, maxima, both_signs(networks, X_test), options.output)
    print(f"\nPicture saved to {options.output}")


if __name__ == "__main__":
    main()
