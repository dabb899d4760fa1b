"""
Close-to-clean and the Jacobian: where the two part
===================================================

Averaged over small random perturbations, the close-to-clean penalty is the squared Frobenius norm
of the Jacobian: ``E ||h - h~||^2 -> epsilon^2 ||J||_F^2`` (equations 1 and 2 of the paper). This
example measures the ratio of the two for networks that were fitted to real rows, from a
perturbation so small that nothing but the slope counts to one that is larger than the data.

The next term of the series, of order ``epsilon^4``, says how soon they part. It has two parts: one
of the second derivatives, which the paper's series ends with and leaves out as small, and one of
the third derivatives, which the series does not reach though it is of the same order. Where a
network saturates, as one of tanh does, the second part is the larger one: with the first part alone
the penalty would seem to grow faster than ``epsilon^2``, when in truth it grows more slowly.

A network of relu has no second derivatives, only kinks, and no such series.
"""

import argparse
import warnings

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from numpy.testing import assert_allclose
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from skc2c import C2C, C2CRegressor
from skc2c.inspection import jacobian, penalty_value
from skc2c.penalties import Probe, gaussian

# One network on rows with unit variance, as they are: epsilon is in standard deviations.
PLAIN = {"cv": None, "input_scaling": None, "numeric_embedding": None, "l2": 1.0}
NETWORKS = {
    "linear": {"hidden_layer_sizes": ()},
    "tanh": {"activation": "tanh"},
    "tanh, two layers": {"activation": "tanh", "hidden_layer_sizes": (50, 50)},
    "tanh, fitted with c2c": {"activation": "tanh", "penalty": "c2c", "alpha": 0.5, "epsilon": 0.3},
    "gelu": {"activation": "gelu"},
    "relu": {"activation": "relu"},
}
HAS_KINKS = {"relu"}
TINY = 1e-4
EPSILONS = np.array([0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0])
SHOWN = (0.1, 0.3, 0.5, 1.0, 2.0)


class Mirrored(C2C):
    """c2c with each perturbation in both directions, where odd powers of epsilon cancel exactly."""

    def probe(self, network, likelihood, theta, X, y, epsilon, rng):
        dx = gaussian(rng, (self.n_perturbations // 2, *X.shape), epsilon, X.dtype)
        return Probe.around(X, np.concatenate([dx, -dx]), epsilon)


def fitted(X, y, fast):
    """Networks fitted to the same rows."""
    settings = {"penalty": None, "max_iter": 30 if fast else 300, "learning_rate_init": 0.003}
    settings |= PLAIN | {"random_state": 0, "tol": 0.0}
    return {name: C2CRegressor(**settings | own).fit(X, y) for name, own in NETWORKS.items()}


def slopes(network, X, n_draws):
    """c2c over epsilon^2 for tiny epsilon, and the exact norm that it is held against."""
    penalty = C2C(n_perturbations=n_draws)
    found = penalty_value(network, X, penalty, TINY, random_state=0) / TINY**2
    J = jacobian(network, X)
    # ||J u||^2 of a standard normal u has variance 2 tr((J J')^2).
    variance = 2.0 * ((J @ np.swapaxes(J, 1, 2)) ** 2).sum() / (n_draws * len(X) ** 2)
    exact = penalty_value(network, X, "jacobian", 1.0)
    assert_allclose(exact, (J**2).sum(axis=(1, 2)).mean())
    assert abs(found - exact) < 4.0 * np.sqrt(variance)
    return found, exact


def ratios(network, X, n_draws):
    """c2c over its limit at each epsilon: the same draws at all of them, which share their luck."""
    penalty = Mirrored(n_perturbations=n_draws)

    def over_square(epsilon):
        return penalty_value(network, X, penalty, epsilon, random_state=0) / epsilon**2

    return np.array([over_square(epsilon) for epsilon in EPSILONS]) / over_square(TINY)


def next_term(network, X, step=1e-3):
    """What epsilon^2 is multiplied by in the ratio: of second, and of third derivatives.

    With ``H`` the Hessian and ``L`` the gradient of its trace, for each output,
    ``E (h~ - h)^2 = epsilon^2 ||J||^2 + epsilon^4 (||H||^2 / 2 + tr(H)^2 / 4 + J L) + ...``
    Both are differences of the exact Jacobian.
    """
    J = jacobian(network, X)
    shifts = step * np.eye(X.shape[1])
    pairs = [(jacobian(network, X + shift), jacobian(network, X - shift)) for shift in shifts]
    H = np.stack([(above - below) / (2.0 * step) for above, below in pairs])  # (D, n, K, D)
    L = sum(above - 2.0 * J + below for above, below in pairs) / step**2
    trace = np.einsum("dnkd->nk", H)
    second = (H**2).sum(axis=(0, 2, 3)) / 2.0 + (trace**2).sum(axis=1) / 4.0
    third = (J * L).sum(axis=(1, 2))
    return np.array([second.mean(), third.mean()]) / (J**2).sum(axis=(1, 2)).mean()


def table(measured, terms):
    """Ratios at some epsilons, with what the series says of them."""
    lines = ["| network | | " + " | ".join(f"{epsilon:g}" for epsilon in SHOWN) + " |"]
    lines.append("|---" * (2 + len(SHOWN)) + "|")
    for name, ratio in measured.items():
        rows = {"measured": np.interp(SHOWN, EPSILONS, ratio)}
        if name not in HAS_KINKS:
            square = np.square(SHOWN)
            rows["to second derivatives"] = 1.0 + terms[name][0] * square
            rows["to order epsilon^4"] = 1.0 + terms[name].sum() * square
        for kind, values in rows.items():
            cells = " | ".join(f"{value:.3f}" for value in values)
            lines.append(f"| {name} | {kind} | {cells} |")
    return "\n".join(lines)


def draw(measured, terms, path):
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    fine = np.geomspace(EPSILONS[0], EPSILONS[-1], 200)
    for i, (name, ratio) in enumerate(measured.items()):
        color = f"C{i}"
        left.semilogx(EPSILONS, ratio, "o-", color=color, markersize=4, label=name)
        if name == "linear":
            continue
        right.loglog(EPSILONS, abs(ratio - 1.0), "o-", color=color, markersize=4)
        if name not in HAS_KINKS:
            second, third = terms[name]
            left.semilogx(fine, 1.0 + (second + third) * fine**2, "--", color=color, linewidth=1)
            left.semilogx(fine, 1.0 + second * fine**2, ":", color=color, linewidth=1.5)
            right.loglog(fine, abs(second + third) * fine**2, "--", color=color, linewidth=1)
    left.axvline(10**-0.5, color="0.8", zorder=0)
    left.text(10**-0.5, 0.42, " 1 / √D", color="0.5", fontsize=9)
    left.set(ylim=(0.4, 1.6), xlabel="epsilon", ylabel="c2c / (epsilon² ‖J‖²)")
    left.plot([], [], "k--", linewidth=1, label="all terms of order epsilon⁴")
    left.plot([], [], "k:", label="second derivatives alone")
    left.legend(fontsize=9, loc="upper left")
    left.set_title("Ratio to the limit")
    right.set(ylim=(1e-5, 3.0), xlabel="epsilon", ylabel="|ratio - 1|")
    right.set_title("Distance from the limit")
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--output", default="theory_jacobian.png", help="where to save the picture")
    parser.add_argument("--fast", action="store_true", help="only show that it runs")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # trained for as long as is asked for
    X, y = load_diabetes(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    n_draws = 20 if options.fast else 200
    networks = fitted(X, y, options.fast)
    print("load_diabetes, epsilon in standard deviations of a feature\n")
    print(f"| network | c2c / epsilon², epsilon = {TINY:g} | exact ‖J‖² | R2 |\n|---|---|---|---|")
    for name, network in networks.items():
        found, exact = slopes(network, X, n_draws)
        print(f"| {name} | {found:.4f} | {exact:.4f} | {network.score(X, y):.3f} |")
    measured = {name: ratios(network, X, n_draws) for name, network in networks.items()}
    terms = {n: next_term(network, X) for n, network in networks.items() if n not in HAS_KINKS}
    assert_allclose(measured["linear"], 1.0, rtol=1e-6)
    assert_allclose(terms["linear"], 0.0, atol=1e-6)
    for name, (second, third) in terms.items():
        # Up to 0.2 nothing of a higher order is seen: a tenth of the distance at most.
        small = EPSILONS <= 0.2
        expected = (second + third) * EPSILONS[small] ** 2
        atol = 0.1 * abs(expected).max() + 1e-6
        assert_allclose(measured[name][small] - 1.0, expected, atol=atol, rtol=0.0)
    print("\nRatio of c2c to its limit, by epsilon:\n")
    print(table(measured, terms))
    draw(measured, terms, options.output)
    print(f"\nPicture saved to {options.output}")


if __name__ == "__main__":
    main()
