"""Results of study.py as a picture."""

import numpy as np
from scipy.stats import studentized_range
from study_tables import REFERENCE, mean_ranks, scores_of


def draw(records, options, path):
    """Mean ranks with the critical difference, and losses with quartiles, as a file."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    scores, _ = scores_of(records, options)
    ranks = mean_ranks(scores)
    order = sorted(ranks, key=ranks.get, reverse=True)
    figure, (left, right) = plt.subplots(
        1, 2, sharey=True, figsize=(9.0, 0.27 * len(order) + 1.6), layout="constrained"
    )
    draw_ranks(left, [ranks[name] for name in order], order, len(scores.sets))
    draw_losses(right, [scores.log_ratios(name, REFERENCE) for name in order], order)
    left.set_yticks(range(len(order)), order)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def colour(name):
    """By how a contestant was tuned."""
    kinds = {"untuned": "C0", "tuned": "C1", "single": "C2"}
    return kinds.get(name.split()[0], "0.4")


def draw_ranks(axes, ranks, names, n_sets):
    axes.scatter(ranks, range(len(ranks)), c=[colour(name) for name in names])
    width = critical_difference(len(ranks), n_sets)
    axes.axvspan(min(ranks), min(ranks) + width, color="0.93", zorder=0)
    axes.set(xlabel="mean rank (grey: within the critical difference)")


def draw_losses(axes, ratios, names):
    for place, (ratio, name) in enumerate(zip(ratios, names, strict=True)):
        low, middle, high = np.quantile(list(ratio.values()), (0.25, 0.5, 0.75))
        axes.plot((low, high), (place, place), color=colour(name))
        axes.plot(middle, place, "o", color=colour(name))
    axes.axvline(0.0, color="0.6", linewidth=0.8)
    axes.set(xlabel=f"log ratio of losses to {REFERENCE} (median, quartiles)")


def critical_difference(n_contestants, n_sets, level=0.05):
    """How far apart mean ranks have to be (Nemenyi's test)."""
    q = studentized_range.ppf(1.0 - level, n_contestants, np.inf) / np.sqrt(2.0)
    return q * np.sqrt(n_contestants * (n_contestants + 1) / (6.0 * n_sets))
