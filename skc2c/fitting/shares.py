"""How runs are shared among processes, so that all are done at about the same time."""

# What a step costs however many members it has, in units of what one member costs: a run of four
# takes 1.1 to 1.3 times as long in two halves (over the open sets).
_FIXED = 1.0


def divided(runs, n):
    """Divide the folds of runs if that lets n processes be done earlier.

    Parameters
    ----------
    runs : list of Run
    n : int

    Returns
    -------
    runs : list of Run
        Those that are divided in the place of what they come from.
    """
    whole = [1] * len(runs)
    counts = _best_counts(runs, whole, n)
    if _loads(runs, counts, n)[0] >= _loads(runs, whole, n)[0]:
        return runs
    return [part for run, k in zip(runs, counts, strict=True) for part in _parts(run, k)]


def shared(runs, n):
    """Share runs among n processes: each goes, the costliest first, where there is least to do.

    Parameters
    ----------
    runs : list of Run
    n : int

    Returns
    -------
    shares : list of list of Run
        At most n, and no empty ones. That with the most to do comes first.
    """
    return [[runs[i] for i in share] for share in _shared([run.cost for run in runs], n)]


def _shared(costs, n):
    """The shares, as places in the list of costs."""

    def load(share):
        return sum(costs[i] for i in share)

    shares = [[] for _ in range(n)]
    for i in sorted(range(len(costs)), key=costs.__getitem__, reverse=True):
        min(shares, key=load).append(i)
    return sorted(filter(None, shares), key=load, reverse=True)


def _best_counts(runs, counts, n):
    """Into how many parts to divide each run: one more at a time, as long as that helps."""
    while True:
        options = [
            [*counts[:i], k + 1, *counts[i + 1 :]]
            for i, (run, k) in enumerate(zip(runs, counts, strict=True))
            if k < len(run.folds)
        ]
        best = min(options, key=lambda counts: _loads(runs, counts, n), default=counts)
        if _loads(runs, best, n) >= _loads(runs, counts, n):
            return counts
        counts = best


def _loads(runs, counts, n):
    """Of the shares that there would be, largest first: the less the better."""
    parts = zip(runs, counts, strict=True)
    costs = [cost for run, k in parts for cost in _costs(run, k)]
    return [sum(costs[i] for i in share) for share in _shared(costs, n)]


def _costs(run, k):
    """What k parts of a run cost, the first of which have the folds that are left over."""
    n_folds, n_larger = divmod(len(run.folds), k)
    sizes = [n_folds + 1] * n_larger + [n_folds] * (k - n_larger)
    whole = _FIXED + len(run.candidates) * len(run.folds)
    return [run.cost * (_FIXED + len(run.candidates) * size) / whole for size in sizes]


def _parts(run, k):
    parts = run.divided(k)
    for part, cost in zip(parts, _costs(run, k), strict=True):
        part.cost = cost
    return parts
