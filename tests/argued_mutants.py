"""Mutants that no test can see, and why: what `mutants.py` counts as argued."""

# By what the line looks like after the change.
KINDS = {
    r"strict=\(False\)": "guards against a mistake of the package; both always have equal lengths",
    r"frozen=\(False\)": "guards against a mistake of the package, which never assigns there",
    r"kw_only=\(False\)": "guards against a mistake of the package, which always gives the name",
    r"copy=\(True\)": "a copy that is not needed changes nothing but the time",
    r"reshape\(.*-\(2\)": "numpy takes any negative length for the one that is left over",
}

_BY_REASON = {
    "a shortcut: without it the mean response of the only block is computed apart, to the same": [
        (
            "Term._weighs_alike",
            "return bool(((self.rows.weight != self.rows.weight[0])).all())",
        ),
    ],
    "a figure that was chosen by trial; its neighbour would do as well": [
        ("", "STEPS_PER_ROUND = (21)"),
        ("", "_WORTH_SHARING = 2**(24)"),
        ("", "_STARTS = (11)"),
        ("C2C", "few_labels = FewLabels(alpha=(11.0), radius=0.37)"),
        ("", "_EVALUATIONS_PER_STEP = (101)"),
        ("", "_FTOL = (65) * np.finfo(np.float64).eps"),
        (
            "_Rounds.to_the_end",
            "steps, recent = min((3) * steps, STEPS_PER_ROUND), [*recent, start.value][-_STARTS:]",
        ),
        ("_Rounds.to_the_end", "start, steps = best, steps // (3)"),
    ],
    "the first iteration improves on minus infinity, which starts the count": [
        ("Monitor.__init__", "self._n_without_improvement = (1)"),
    ],
    "costs send no slope back from the loss, which is only to be known": [
        (
            "Term._penalized",
            "gradient = back(np.array((1.0, (1.0)), value_and_loss.dtype))  # of the first alone",
        ),
    ],
    "with an infinite patience nothing hangs on it": [
        (
            "Monitor._figure_of_merit",
            "return (self.loss_curve[-1])  # nothing hangs on it, and all losses are many",
        ),
    ],
    "a default for those that have no use for it": [
        ("Likelihood.imbalance", "def imbalance(self, h, mean_response=None, k=(2)):"),
    ],
    "what all ends are worth where nothing tells them apart": [
        ("loss_of", "return (1.0)"),
    ],
    "starts of rounds are never just as high": [
        ("_Rounds.to_the_end", "if (start.value < max(recent)):"),
    ],
    "noise and its opposite have the same distribution": [
        ("noisy", "yield with_numbers(X, (rows - epsilon * noise))"),
    ],
    "where it divides, the quotient is not used": [
        (
            "_normalize_with_care",
            "return np.where(usable, rows / np.where(usable, length, (2.0)), fallback)",
        ),
        ("_normalize_with_care", "rows = rows / np.where(usable, largest, (2.0))"),
    ],
    "where it divides, the numerator is zero": [
        (
            "RealTargets.units",
            "relative = (y - center) / np.where(largest > 0.0, largest, (2.0))",
        ),
    ],
    "one number more is drawn than needed, and left out": [
        (
            "_standard_normal",
            "uniform = rng.random((2, (count + (2)) // 2), dtype=np.float32)",
        ),
    ],
    "at the bound itself both ways are exact": [
        (
            "normalize",
            "if ((square > limits.tiny / limits.eps) & ((square <= limits.max))).all():",
        ),
    ],
    "a default of a record that is always given": [
        ("Probe", "epsilon: float | np.ndarray = (1.0)"),
        ("CrossPlan", "verbose: bool = (True)"),
        ("Plan", "verbose: bool = (True)"),
    ],
    "at the bound itself both branches are the same": [
        (
            "Poisson.kl_and_gradient",
            "difference = np.where((d <= 1.0), rate * np.expm1(np.minimum(d, 1.0)), "
            "other_rate - rate)",
        ),
    ],
    "a bound for numbers that are not used beyond one": [
        (
            "Categorical.kl_and_gradient",
            'small = np.log1p(np.einsum("nk,nk->n", p, np.expm1(np.clip(d, -(2.0), 1.0))))',
        ),
        (
            "Poisson.kl_and_gradient",
            "difference = np.where(d < 1.0, rate * np.expm1(np.minimum(d, (2.0))), "
            "other_rate - rate)",
        ),
    ],
    "the size of a part changes nothing but time": [
        ("add_decay", "step = max((2), _CHUNK * n // max(1, weights.size))"),
    ],
    "zero over zero is NaN too": [
        ("out_of_fold", "return total / np.where((count >= 0), count, np.nan)[:, None]"),
    ],
    "a seed from another range is as good": [
        (
            "_problem",
            "return FullBatch(plan.objective, int(streams.probe.integers(2**(33))), "
            "plan.theta.dtype)",
        ),
        (
            "_problem",
            "return FullBatch(plan.objective, int(streams.probe.integers((3)**32)), "
            "plan.theta.dtype)",
        ),
        ("OneByOne._problem", "seed = int(self.probe[i].integers(2**(33)))"),
        ("OneByOne._problem", "seed = int(self.probe[i].integers((3)**32))"),
    ],
    "a full-batch solver has no use for the rate": [
        ("OneByOne._descend", "learning_rate=self.plan.rate((1.0)),"),
    ],
}
ARGUED = {mutant: why for why, mutants in _BY_REASON.items() for mutant in mutants}
