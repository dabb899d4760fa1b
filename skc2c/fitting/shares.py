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
    parts : list of list of Run
        Of each run: itself, or runs of some of its folds.
    """
    whole = [[len(run.folds)] for run in runs]
    sizes = _best_sizes(runs, whole, n)
    if _loads(runs, sizes, n)[0] >= _loads(runs, whole, n)[0]:
        sizes = whole
    return [_parts(run, of_run) for run, of_run in zip(runs, sizes, strict=True)]


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


def cost_of_whole(run, parts):
    """What a run costs, by what parts of it did."""
    weights = [_weight(run, len(part.folds)) for part in parts]
    return sum(part.cost for part in parts) * _weight(run, len(run.folds)) / sum(weights)


def _shared(costs, n):
    """The shares, as places in the list of costs."""

    def load(share):
        return sum(costs[i] for i in share)

    shares = [[] for _ in range(n)]
    for i in sorted(range(len(costs)), key=costs.__getitem__, reverse=True):
        min(shares, key=load).append(i)
    return sorted(filter(None, shares), key=load, reverse=True)


def _best_sizes(runs, sizes, n):
    """How many folds the parts of each run should have: another run is divided while that helps."""
    while True:
        options = [
            [*sizes[:i], way, *sizes[i + 1 :]]
            for i, run in enumerate(runs)
            for way in _ways(len(run.folds), n)
        ]
        best = min(options, key=lambda sizes: _loads(runs, sizes, n), default=sizes)
        if _loads(runs, best, n) >= _loads(runs, sizes, n):
            return sizes
        sizes = best


def _ways(n_folds, n):
    """Ways to divide so many folds: into parts that are about as large, or into any two."""
    for k in range(1, min(n_folds, n) + 1):
        size, n_larger = divmod(n_folds, k)
        yield [size + 1] * n_larger + [size] * (k - n_larger)
    if n > 1:
        yield from ([n_folds - size, size] for size in range(1, n_folds // 2))


def _loads(runs, sizes, n):
    """Of the shares that there would be, largest first: the less the better."""
    pairs = zip(runs, sizes, strict=True)
    costs = [_cost(run, size) for run, of_run in pairs for size in of_run]
    return [sum(costs[i] for i in share) for share in _shared(costs, n)]


def _cost(run, size):
    """What a part of a run costs that has so many of its folds."""
    return run.cost * _weight(run, size) / _weight(run, len(run.folds))


def _weight(run, n_folds):
    return _FIXED + len(run.candidates) * n_folds


def _parts(run, sizes):
    if len(sizes) == 1:
        return [run]
    parts = run.divided(sizes)
    for part, size in zip(parts, sizes, strict=True):
        part.cost = _cost(run, size)
    return parts
