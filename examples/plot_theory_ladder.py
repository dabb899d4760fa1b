"""
The ladder: close-to-clean behind a denoiser
============================================

The Gamma model of the ladder network charges for ``E ||h - g(h~)||^2``, the distance of the output
from a perturbed one that a denoiser ``g`` has mended. With ``g`` the identity this is the
close-to-clean penalty (section 3.4 of the paper), which is where training starts. This example
looks at where it ends.

A fitted denoiser undoes some of what the noise does. So at the epsilon of training the ladder
charges less than c2c does, and leaves the network rougher. At a smaller epsilon it charges more.
For ``epsilon -> 0`` it does not even vanish, for ``g`` moves outputs without noise too: what is
left is ``||h - g(h)||^2``. The next term, of order ``epsilon^2``, has the slope and the bend of
``g``::

    E ||h - g(h~)||^2 = sum_k (h_k - g_k)^2 + epsilon^2 sum_k (g_k'^2 ||J_k||^2
                        - (h_k - g_k) (g_k'' ||J_k||^2 + g_k' tr(H_k))) + ...
"""

import argparse
import warnings

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from numpy.testing import assert_allclose
from scipy.special import expit
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from skc2c import C2C, C2CClassifier, Ladder
from skc2c.inspection import jacobian, penalty_value

# One network on the rows as they are.
PLAIN = {"cv": None, "input_scaling": None, "numeric_embedding": None, "l2": 1.0}
TRAINED = (0.05, 0.1, 0.2, 0.4)
EPSILONS = np.array([0.003, 0.006, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8])
SHOWN = (0.0125, 0.05, 0.1, 0.2, 0.4, 0.8)
N_DRAWS = 10


def fitted(X, y, penalty, epsilon, fast):
    settings = PLAIN | {"max_iter": 10 if fast else 100, "learning_rate_init": 0.003}
    return C2CClassifier(
        (100,), "tanh", penalty=penalty, alpha=0.1, epsilon=epsilon, random_state=0, **settings
    ).fit(X, y)


def denoise(clf, u):
    """The fitted denoiser at outputs (n, K), from its formula in the docstring of `Ladder`."""
    a = clf.penalty_parameters_.reshape(10, -1).astype(float)
    mean = a[0] * expit(a[1] * u + a[2]) + a[3] * u + a[4]
    slope = a[5] * expit(a[6] * u + a[7]) + a[8] * u + a[9]
    return (u - mean) * slope + mean


def series(clf, X, step=1e-3):
    """The two coefficients of the series: that of epsilon^0 and that of epsilon^2."""
    h, J = clf.decision_function(X), jacobian(clf, X)
    trace = sum(
        jacobian(clf, X + shift)[:, :, d] - jacobian(clf, X - shift)[:, :, d]
        for d, shift in enumerate(step * np.eye(X.shape[1]))
    ) / (2.0 * step)
    above, g, below = (denoise(clf, h + shift) for shift in (step, 0.0, -step))
    slope, bend = (above - below) / (2.0 * step), (above - 2.0 * g + below) / step**2
    square = (J**2).sum(axis=2)
    second = slope**2 * square - (h - g) * (bend * square + slope * trace)
    return ((h - g) ** 2).sum(axis=1).mean(), second.sum(axis=1).mean()


def by_hand(clf, X, epsilon):
    """The ladder's penalty from public outputs and other random numbers."""
    rng, h = np.random.default_rng(1), clf.decision_function(X)
    draws = epsilon * rng.standard_normal((N_DRAWS, *X.shape))
    near = [denoise(clf, clf.decision_function(X + dx)) for dx in draws]
    return np.mean([((h - denoised) ** 2).sum(axis=1).mean() for denoised in near])


def values(clf, X, penalty):
    return np.array([penalty_value(clf, X, penalty, e, random_state=0) for e in EPSILONS])


def check_identity(clf, X):
    """Of a network that has no denoiser: that of the ladder is the identity then."""
    for epsilon in EPSILONS:
        draw = {"epsilon": epsilon, "random_state": 0}
        expected = penalty_value(clf, X, "c2c", **draw)
        assert_allclose(penalty_value(clf, X, "ladder", **draw), expected, rtol=1e-12)
    print("With g the identity the ladder's penalty is that of c2c at every epsilon.\n")


def measured(clf, X):
    """Values of the ladder's penalty and of c2c, and the series, at every epsilon."""
    ladder = values(clf, X, Ladder(n_perturbations=N_DRAWS))
    c2c = values(clf, X, C2C(n_perturbations=N_DRAWS))
    constant, second = series(clf, X)
    expected = constant + second * EPSILONS**2
    assert_allclose(ladder[0], expected[0], rtol=0.02)
    assert_allclose(by_hand(clf, X, 0.1), ladder[EPSILONS == 0.1], rtol=0.05)  # other draws
    return ladder, c2c, expected


def draw(found, ladders, X, path):
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(15, 4.8), layout="constrained")
    for i, (epsilon, clf) in enumerate(ladders.items()):
        ladder, c2c, expected = found[epsilon]
        own = {"color": f"C{i}"}
        left.loglog(EPSILONS, ladder, "o-", markersize=4, label=f"trained at {epsilon}", **own)
        left.loglog(EPSILONS, expected, "--", linewidth=1, **own)
        middle.loglog(EPSILONS, ladder / c2c, "o-", markersize=4, **own)
        middle.axvline(epsilon, color=f"C{i}", linewidth=0.8, linestyle=":")
        h = clf.decision_function(X)
        u = np.linspace(*np.quantile(h, [0.01, 0.99]), 100)
        right.plot(u, denoise(clf, np.tile(u[:, None], h.shape[1]))[:, 3], **own)
    left.plot([], [], "k--", linewidth=1, label="series to epsilon²")
    left.set(xlabel="epsilon", ylabel="E ‖h - g(h~)‖²", title="The ladder's penalty")
    left.legend(fontsize=9)
    middle.axhline(1.0, color="0.7", linewidth=1, zorder=0)
    middle.set(xlabel="epsilon", title="... over that of c2c (dotted: epsilon of training)")
    limits = right.get_xlim()
    right.plot(limits, limits, color="0.7", linewidth=1, zorder=0)
    right.set(xlabel="output", ylabel="denoised output", title="The denoiser of class 3")
    figure.savefig(path, dpi=110)


def report(ladders, rivals, X, y):
    print("Trained with alpha = 0.1 on digits; mean ‖J‖² and accuracy at rows not trained on:\n")
    print("| epsilon | ladder | c2c |\n|---|---|---|")
    for epsilon in TRAINED:
        cells = (
            f"{penalty_value(clf, X, 'jacobian', 1.0):.1f}, {clf.score(X, y):.3f}"
            for clf in (ladders[epsilon], rivals[epsilon])
        )
        print(f"| {epsilon:g} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--output", default="theory_ladder.png", help="where to save the picture")
    parser.add_argument("--fast", action="store_true", help="only show that it runs")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # trained for as long as is asked for
    X, y = load_digits(return_X_y=True)
    n_test = 60 if options.fast else 300
    n_train = 400 if options.fast else len(X) - n_test
    split = train_test_split(X / 16.0, y, train_size=n_train, test_size=n_test, random_state=0)
    X, X_test, y, y_test = split
    ladders = {e: fitted(X, y, "ladder", e, options.fast) for e in TRAINED}
    rivals = {e: fitted(X, y, "c2c", e, options.fast) for e in TRAINED}
    check_identity(rivals[TRAINED[0]], X_test)
    found = {e: measured(clf, X_test) for e, clf in ladders.items()}
    report(ladders, rivals, X_test, y_test)
    print("\nThe ladder's penalty over that of c2c for the same network, by epsilon:\n")
    print("| trained at | " + " | ".join(f"{e:g}" for e in SHOWN) + " |")
    print("|---" * (1 + len(SHOWN)) + "|")
    for epsilon, (ladder, c2c, _) in found.items():
        ratios = (ladder / c2c)[np.isin(EPSILONS, SHOWN)]
        print(f"| {epsilon:g} | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |")
    draw(found, ladders, X_test, options.output)
    print(f"\nPicture saved to {options.output}")


if __name__ == "__main__":
    main()
