"""Results of untuned.py as Markdown tables."""

from functools import partial

import numpy as np
from timing import markdown

REFERENCE = "mlp"
OPPONENTS = ("mlp", "hgb", "catboost", "realmlp")
OWN = "skc2c"


def calibration_error(bins):
    """Expected calibration error: mean over rows of the gap between hits and confidence.

    Parameters
    ----------
    bins : array-like of shape (n_bins, 3)
        Rows, hits and summed confidence.
    """
    n, hits, confidence = np.transpose(bins)
    return np.abs(hits - confidence).sum() / n.sum()


class Scores:
    """Measurements of all folds together, by contestant and set.

    Parameters
    ----------
    records : list of dict
        Of two with the same contestant, set and fold the first one counts.
    options : Options
    """

    def __init__(self, records, options):
        found = {}
        for record in records:
            if options.wants(record["set"]):
                folds = found.setdefault((record["contestant"], record["set"]), {})
                folds.setdefault(record["fold"], record)
        self._folds = {
            key: list(folds.values()) for key, folds in found.items() if len(folds) == options.folds
        }
        self.sets = sorted({name for _, name in self._folds})
        present = {contestant for contestant, _ in self._folds}
        self.contestants = [name for name in options.contestants if name in present]

    def values(self, contestant, field, reduce=np.mean):
        """One figure for each set whose folds are complete and have the field."""
        found = {}
        for name in self.sets:
            folds = self._folds.get((contestant, name), [])
            if folds and field in folds[0]:
                found[name] = reduce([fold[field] for fold in folds])
        return found

    def pooled_calibration_error(self, contestant):
        """Of the test rows of all folds together, by set."""
        bins = self.values(contestant, "bins", partial(np.sum, axis=0))
        return {name: calibration_error(total) for name, total in bins.items()}

    def log_ratios(self, contestant, other, field="loss"):
        """Logarithm of the ratio of two contestants' figures, on each set that both have."""
        own, others = self.values(contestant, field), self.values(other, field)
        return {name: np.log(own[name] / others[name]) for name in own if name in others}

    def origins(self):
        """Contestants and days of the measurements, by what they were made with."""
        found = {}
        for (contestant, _), folds in self._folds.items():
            for record in folds:
                contestants, days = found.setdefault(record["environment"], (set(), set()))
                contestants.add(contestant)
                days.add(record["date"])
        return found


# ---------------------------------------------------------------------- cells of the tables


def mean(values, form="{:+.3f}"):
    return form.format(np.mean(list(values.values()))) if values else ""


def median(values, form="{:+.3f}"):
    return form.format(np.median(list(values.values()))) if values else ""


def standard_error(values):
    """Of the mean over sets."""
    if len(values) < 2:
        return ""
    return f"{np.std(list(values.values()), ddof=1) / np.sqrt(len(values)):.4f}"


def extreme(values, which=max, form="{:+.3f}"):
    """The largest (or smallest) value, and the set it is of."""
    if not values:
        return ""
    name = which(values, key=values.get)
    return f"{form.format(values[name])} ({name})"


def count(values, limit=0.0):
    """On how many sets the value is below a limit."""
    return f"{sum(v < limit for v in values.values())} of {len(values)}" if values else ""


# ------------------------------------------------------------------------------ the tables


def losses(scores, contestants):
    """Mean over folds, by set."""
    columns = {name: scores.values(name, "loss") for name in contestants}
    lines = [
        [name, *(f"{column[name]:.4f}" if name in column else "" for column in columns.values())]
        for name in scores.sets
    ]
    return markdown(["set", *columns], lines)


def summary(scores):
    """The loss against the MLP's, and on how many sets it is below each opponent's."""
    opponents = [name for name in OPPONENTS if name in scores.contestants]
    header = ["", "sets", f"mean log ratio to {REFERENCE}", "median", "worst"]
    header += [*(f"below {name}" for name in opponents), "mean accuracy", "mean R2"]
    lines = []
    for name in scores.contestants:
        ratios = scores.log_ratios(name, REFERENCE)
        wins = [
            "" if other == name else count(scores.log_ratios(name, other)) for other in opponents
        ]
        cells = [mean(ratios), median(ratios), extreme(ratios), *wins, *mean_scores(scores, name)]
        lines.append([name, len(scores.values(name, "loss")), *cells])
    return markdown(header, lines)


def mean_scores(scores, contestant):
    """Mean accuracy over the sets with classes, and mean R2 over the others."""
    classes, score = scores.values(contestant, "ece"), scores.values(contestant, "score")
    for wanted in (True, False):
        of_task = {name: value for name, value in score.items() if (name in classes) == wanted}
        yield mean(of_task, "{:.3f}")


def seconds(scores, threads):
    """Summed over sets and folds, and set by set against the MLP."""
    field, clock = ("fit_cpu", "processor") if threads == 1 else ("fit_wall", "clock")
    fields = {
        "fitting, processor": "fit_cpu",
        "fitting, clock": "fit_wall",
        "predicting, clock": "predict_wall",
    }
    references = (REFERENCE, "mlp-200")
    header = ["", "sets", *fields]
    header += [f"fitting, {clock}, median ratio to {name}" for name in references] + ["highest"]
    lines = []
    for name in scores.contestants:
        sums = [sum(scores.values(name, part, np.sum).values()) for part in fields.values()]
        ratios = [scores.log_ratios(name, other, field) for other in references]
        ratios = [{key: np.exp(value) for key, value in found.items()} for found in ratios]
        cells = [*(f"{s:.1f}" for s in sums), *(median(found, "{:.2f}") for found in ratios)]
        cells.append(extreme(ratios[0], form="{:.2f}"))
        lines.append([name, len(scores.values(name, "loss")), *cells])
    return markdown(header, lines)


def calibration(scores):
    """Expected calibration errors: means over sets, and set by set against the MLP's."""
    kinds = {
        "mean of the folds": partial(scores.values, field="ece"),
        "folds pooled": scores.pooled_calibration_error,
    }
    header = ["", "sets"]
    for kind in kinds:
        header += [kind, f"ratio to {REFERENCE}'s", "worst ratio", f"below {REFERENCE}'s"]
    lines = []
    for name in scores.contestants:
        sets = len(scores.values(name, "ece"))
        cells = [calibration_cells(errors(name), errors(REFERENCE)) for errors in kinds.values()]
        if sets:
            lines.append([name, sets, *cells[0], *cells[1]])
    return markdown(header, lines)


def calibration_cells(own, reference):
    shared = [name for name in own if name in reference]
    ratios = {name: own[name] / reference[name] for name in shared}
    means = [np.mean([errors[name] for name in shared]) for errors in (own, reference) if shared]
    ratio = f"{means[0] / means[1]:.2f}" if shared else ""
    return [mean(own, "{:.3f}"), ratio, extreme(ratios, form="{:.2f}"), count(ratios, limit=1.0)]


def changes(scores, variants):
    """What leaving out or changing one thing does to the loss, set by set."""
    header = [f"instead of {OWN}", "sets", "mean log ratio of losses", "standard error"]
    header += ["lowest", "highest", "better", "better by more than 2 %", "ratio of seconds"]
    lines = []
    for name in scores.contestants:
        ratios = scores.log_ratios(name, OWN)
        if name in variants and name != OWN and ratios:
            cells = [mean(ratios, "{:+.4f}"), standard_error(ratios)]
            cells += [extreme(ratios, min), extreme(ratios)]
            cells += [count(ratios), count(ratios, -np.log(1.02))]
            lines.append([name, len(ratios), *cells, ratio_of_seconds(scores, name, ratios)])
    return markdown(header, lines)


def ratio_of_seconds(scores, contestant, sets):
    """Of the processor in fitting, summed over these sets, to those of the package's default."""
    sums = [
        sum(values[name] for name in sets)
        for values in (scores.values(who, "fit_cpu") for who in (contestant, OWN))
    ]
    return f"{sums[0] / sums[1]:.2f}"


def out_of_fold(scores):
    """Out-of-fold scores and losses against those of test rows: how optimistic they are."""
    header = ["", "sets", "score: out of fold minus test", "standard error"]
    header += ["log ratio of losses: out of fold to test", "standard error"]
    lines = []
    for name in scores.contestants:
        own, test = scores.values(name, "oob_score"), scores.values(name, "score")
        gaps = {key: own[key] - test[key] for key in own}
        own, test = scores.values(name, "oob_loss"), scores.values(name, "loss")
        ratios = {key: np.log(own[key] / test[key]) for key in own}
        if gaps:
            cells = [mean(gaps, "{:+.4f}"), standard_error(gaps)]
            cells += [mean(ratios, "{:+.4f}"), standard_error(ratios)]
            lines.append([name, len(gaps), *cells])
    return markdown(header, lines)


def origins(scores):
    """A line for each environment in which something was measured."""
    lines = []
    for text, (contestants, days) in scores.origins().items():
        who = ", ".join(name for name in scores.contestants if name in contestants)
        when = " to ".join(sorted({min(days), max(days)}))
        lines.append(f"* {who}: {when}, {text}")
    return "\n".join(lines)


def report(records, options, variants):
    """All tables.

    Parameters
    ----------
    records : list of dict
    options : Options
        Which contestants and sets, how many rows, folds and threads.
    variants : list of str
        Contestants that are the package itself, with its defaults or with one thing changed.

    Returns
    -------
    text : str
    """
    scores = Scores(records, options)
    own = [name for name in scores.contestants if name in variants]
    others = [name for name in scores.contestants if name not in variants or name == OWN]
    sections = {
        "Loss": losses(scores, others),
        "Loss of the variants": losses(scores, own),
        "Summary": summary(scores),
        "Seconds": seconds(scores, options.threads),
        "Expected calibration error": calibration(scores),
        "One thing changed": changes(scores, variants),
        "Out of fold": out_of_fold(scores),
        "Measured with": origins(scores),
    }
    protocol = (
        f"At most {options.rows} rows a set, {options.folds} folds, "
        f"{options.threads} thread{'s' * (options.threads > 1)}. Loss: log-loss, or root mean "
        "squared error in standard deviations of y. Logarithms are natural; negative is less loss."
    )
    texts = [f"## {title}\n\n{text}" for title, text in sections.items()]
    return "\n\n".join([protocol, *texts])
