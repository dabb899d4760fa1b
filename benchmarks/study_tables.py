"""Results of study.py as Markdown tables."""

import copy
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest, false_discovery_control, rankdata, spearmanr
from timing import markdown
from untuned_tables import Scores, count, extreme, mean, median, standard_error

FAMILY = ("c2c", "c2c-adv", "jacobian", "noise", "vat", "kl-random", "kl-random both")
REFERENCE = "mlp"
DEFAULT = "untuned c2c"
# Who is compared with whom, by question.
PAIRS = {
    "Does a penalty help, tuned?": [
        *((f"tuned {name}", "single none") for name in FAMILY),
        ("tuned l2", "single none"),
    ],
    "Is a tuned penalty better than tuned weight decay?": [
        *((f"tuned {name}", "tuned l2") for name in FAMILY),
        ("tuned c2c and l2", "tuned l2"),
        ("tuned c2c and l2", "tuned c2c"),
    ],
    "Does a penalty help, untuned?": [(f"untuned {name}", "untuned none") for name in FAMILY],
    "Random or adversarial?": [
        *((f"{how} kl-random", f"{how} vat") for how in ("tuned", "untuned")),
        *((f"{how} kl-random both", f"{how} vat") for how in ("tuned", "untuned")),
        ("tuned kl-random both", "tuned kl-random"),
        *((f"{how} c2c", f"{how} c2c-adv") for how in ("tuned", "untuned")),
    ],
    "Do the random ones differ, tuned?": [
        (f"tuned {name}", "tuned c2c") for name in ("kl-random both", "jacobian", "noise")
    ],
    "What is choosing worth?": [
        ("single paper", "single none"),
        ("tuned c2c", "single paper"),
        (DEFAULT, "single paper"),
        (DEFAULT, "tuned c2c and l2"),
        (DEFAULT, "tuned l2"),
    ],
    "Against others": [(DEFAULT, other) for other in ("mlp", "mlp tuned", "linear", "hgb")],
}


def complete_rounds(records, options):
    """The records of each seed and fold for which everything was measured, numbered as folds.

    Returns
    -------
    records : list of dict
    n_rounds : int
    """
    wanted = [
        r for r in records if options.wants(r["set"]) and r["contestant"] in options.contestants
    ]
    n_cells = len({r["set"] for r in wanted}) * len(options.contestants)
    cells = {}
    for r in wanted:
        cells.setdefault((r["seed"], r["fold"]), set()).add((r["set"], r["contestant"]))
    rounds = [key for key in sorted(cells) if len(cells[key]) == n_cells]
    place = {key: i for i, key in enumerate(rounds)}
    kept = [
        {**r, "fold": place[r["seed"], r["fold"]]}
        for r in wanted
        if (r["seed"], r["fold"]) in place
    ]
    return kept, len(rounds)


def scores_of(records, options):
    """Measurements of the complete rounds, by contestant and set."""
    kept, n_rounds = complete_rounds(records, options)
    if not n_rounds:
        raise SystemExit("No round is complete yet: nothing to compare.")
    options = copy.copy(options)
    options.folds = n_rounds
    return Scores(kept, options), kept


# ------------------------------------------------------------------------------ comparisons


def mean_ranks(scores):
    """Mean rank of each contestant by its loss over the sets; 1 is the best."""
    losses = [list(scores.values(name, "loss").values()) for name in scores.contestants]
    ranks = rankdata(losses, axis=0).mean(axis=1)
    return dict(zip(scores.contestants, ranks, strict=True))


class Pair(NamedTuple):
    """Two contestants, and the logarithm of the ratio of their losses on each set."""

    own: str
    other: str
    ratios: dict

    def decided(self):
        """Sets where one of the two is better: of fits that are the same neither is."""
        wins = sum(v < 0 for v in self.ratios.values())
        return wins, sum(v > 0 for v in self.ratios.values())

    def sign_test(self):
        """Probability of so uneven wins (or more) if each is a coin toss."""
        wins, losses = self.decided()
        return binomtest(wins, wins + losses).pvalue if wins + losses else 1.0


def pairs(scores, questions=PAIRS):
    """The pairs of which both were measured, by question."""
    found = {
        question: [
            Pair(own, other, scores.log_ratios(own, other))
            for own, other in asked
            if {own, other} <= set(scores.contestants)
        ]
        for question, asked in questions.items()
    }
    return {question: asked for question, asked in found.items() if asked}


# ------------------------------------------------------------------------------- the tables


def summary(scores):
    """All contestants, the best mean rank first."""
    header = ["", "mean rank", f"mean log ratio to {REFERENCE}", "standard error", "median"]
    header += [f"below {REFERENCE}", "mean accuracy", "median R2", "mean calibration error"]
    header += ["seconds a fold, all sets", f"median ratio of seconds to {REFERENCE}"]
    ranks, lines = mean_ranks(scores), []
    for name in sorted(ranks, key=ranks.get):
        ratios = scores.log_ratios(name, REFERENCE)
        quicker = scores.log_ratios(name, REFERENCE, "fit_cpu")
        cells = [f"{ranks[name]:.1f}", mean(ratios), standard_error(ratios), median(ratios)]
        cells += [count(ratios), *qualities(scores, name)]
        cells.append(f"{sum(scores.values(name, 'fit_cpu').values()):.1f}")
        cells.append(median({key: np.exp(v) for key, v in quicker.items()}, "{:.2f}"))
        lines.append([name, *cells])
    return markdown(header, lines)


def qualities(scores, contestant):
    """Accuracy, R2 and calibration error; the median of R2, which has no lower bound."""
    error, score = scores.values(contestant, "ece"), scores.values(contestant, "score")
    accuracy = {name: value for name, value in score.items() if name in error}
    r2 = {name: value for name, value in score.items() if name not in error}
    return mean(accuracy, "{:.3f}"), median(r2, "{:.3f}"), mean(error, "{:.3f}")


def comparisons(scores):
    """A table for each question, with a sign test in each line."""
    found = pairs(scores)
    tests = [pair.sign_test() for asked in found.values() for pair in asked]
    adjusted = iter(false_discovery_control(tests))
    header = ["", "mean log ratio", "standard error", "median", "better", "worse"]
    header += ["sign test", "adjusted", "lowest", "highest"]
    texts = []
    for question, asked in found.items():
        lines = [[*line(pair)[:7], f"{next(adjusted):.3f}", *line(pair)[7:]] for pair in asked]
        texts.append(f"**{question}**\n\n" + markdown(header, lines))
    return "\n\n".join(texts)


def line(pair):
    """Cells of a comparison."""
    effect = [mean(pair.ratios), standard_error(pair.ratios), median(pair.ratios)]
    test = [*pair.decided(), f"{pair.sign_test():.3f}"]
    ends = [extreme(pair.ratios, min), extreme(pair.ratios)]
    return [f"{pair.own} / {pair.other}", *effect, *test, *ends]


def gains(scores):
    """Logarithm of the ratio of losses to those of the same network without a penalty."""
    names = [f"tuned {name}" for name in ("l2", *FAMILY)]
    return {
        name: scores.log_ratios(name, "single none") for name in names if name in scores.contestants
    }


def gains_by_set(scores):
    """The sets, those with the largest gain of c2c first, and the means for each task."""
    found, of_classes = gains(scores), scores.values(DEFAULT, "ece")
    sizes = [scores.values(DEFAULT, field) for field in ("n", "d")]
    tasks = {name: "classes" if name in of_classes else "regression" for name in scores.sets}
    lines = [
        [
            name,
            tasks[name],
            *(f"{size[name]:.0f}" for size in sizes),
            *(f"{column[name]:+.3f}" for column in found.values()),
        ]
        for name in sorted(scores.sets, key=found["tuned c2c"].get)
    ]
    for task in ("classes", "regression"):
        own = [name for name in scores.sets if tasks[name] == task]
        means = [mean({name: column[name] for name in own}) for column in found.values()]
        lines.append(["mean", task, "", "", *means])
    return markdown(["set", "task", "rows", "columns", *found], lines)


def when(scores):
    """Rank correlation over the sets of each gain with what a set is like."""
    found = gains(scores)
    rows, columns = scores.values(DEFAULT, "n"), scores.values(DEFAULT, "d")
    likeness = {
        "what weight decay gains": found["tuned l2"],
        "rows": rows,
        "columns": columns,
        "rows / columns": {name: rows[name] / columns[name] for name in rows},
    }
    lines = [
        [name, *(correlation(gain, other) for other in likeness.values())]
        for name, gain in found.items()
        if name != "tuned l2"
    ]
    return markdown(["log ratio of", *likeness], lines)


def correlation(own, other):
    if min(len(set(values.values())) for values in (own, other)) < 2:
        return ""
    found = spearmanr([own[name] for name in own], [other[name] for name in own])
    return f"{found.statistic:+.2f} (p = {found.pvalue:.3f})"


def choices(records):
    """How often the plain network was chosen although a penalty could have been."""
    lines = []
    for how, is_plain in (("tuned", lambda r: not r["chosen"]), ("untuned", without_strength)):
        for name in FAMILY:
            own = [is_plain(r) for r in records if r["contestant"] == f"{how} {name}"]
            if own:
                lines.append([f"{how} {name}", f"{sum(own)} of {len(own)}"])
    return markdown(["", "fits that chose no penalty"], lines)


def without_strength(record):
    return record["chosen"]["alpha"] == 0.0


def losses(scores):
    """Mean over the rounds, by set; the transposed table would be wider than a page."""
    lines = [
        [name, *(f"{value:.3f}" for value in scores.values(name, "loss").values())]
        for name in scores.contestants
    ]
    return markdown(["", *scores.sets], lines)


def report(records, runs, options):
    """All tables.

    Parameters
    ----------
    records : list of dict
    runs : list of dict
        When and with what they were made.
    options : Options

    Returns
    -------
    text : str
    """
    scores, kept = scores_of(records, options)
    n_rounds = 1 + max(r["fold"] for r in kept)
    sections = {
        "Summary": summary(scores),
        "Comparisons": comparisons(scores),
        "Gain of each tuned penalty, by set": gains_by_set(scores),
        "When": when(scores),
        "Chosen": choices(kept),
        "Loss": losses(scores),
        "Measured with": "\n".join(
            sorted({f"* {run['date']}, {run['environment']}" for run in runs})
        ),
    }
    protocol = (
        f"{len(scores.sets)} sets of at most {options.rows} rows; {n_rounds} of "
        f"{options.folds * options.seeds} rounds complete ({options.folds} folds a seed). Loss: "
        "log-loss, or root mean squared error in standard deviations of y. Logarithms are natural; "
        "negative is less loss. Sign tests are two-sided, over sets; adjusted for their number "
        "by Benjamini and Hochberg's method. One thread; seconds are the processor's."
    )
    return "\n\n".join([protocol, *(f"## {title}\n\n{text}" for title, text in sections.items())])
