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
    ways = [[(sizes, _costs(run, sizes)) for sizes in _ways(len(run.folds), n)] for run in runs]
    whole = [of_run[0] for of_run in ways]
    best = _best(ways, whole, n)
    if _loads(best, n)[0] >= _loads(whole, n)[0]:
        best = whole
    return [_parts(run, *way) for run, way in zip(runs, best, strict=True)]


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

    def load(share):
        return sum(run.cost for run in share)

    shares = [[] for _ in range(n)]
    for run in sorted(runs, key=lambda run: run.cost, reverse=True):
        min(shares, key=load).append(run)
    return sorted(filter(None, shares), key=load, reverse=True)


def cost_of_whole(run, parts):
    """What a run costs, by what parts of it did."""
    weights = [_weight(run, len(part.folds)) for part in parts]
    return sum(part.cost for part in parts) * _weight(run, len(run.folds)) / sum(weights)


def _ways(n_folds, n):
    """Sizes of parts: of parts that are about as large, the fewest first, or of any two."""
    for k in range(1, min(n_folds, n) + 1):
        size, n_larger = divmod(n_folds, k)
        yield [size + 1] * n_larger + [size] * (k - n_larger)
    if n > 1:
        yield from ([n_folds - size, size] for size in range(1, n_folds // 2))


def _costs(run, sizes):
    """What parts of a run cost that have so many of its folds."""
    whole = _weight(run, len(run.folds))
    return [run.cost * _weight(run, size) / whole for size in sizes]


def _weight(run, n_folds):
    return _FIXED + len(run.candidates) * n_folds


def _best(ways, chosen, n):
    """Which way to divide each run: another one of a run is taken while that helps."""
    while True:
        options = [
            [*chosen[:i], way, *chosen[i + 1 :]] for i, of_run in enumerate(ways) for way in of_run
        ]
        best = min(options, key=lambda chosen: _loads(chosen, n))
        if _loads(best, n) >= _loads(chosen, n):
            return chosen
        chosen = best


def _loads(chosen, n):
    """Of the shares that there would be, largest first: the less the better."""
    loads = [0.0] * n
    for cost in sorted((cost for _, costs in chosen for cost in costs), reverse=True):
        loads[loads.index(min(loads))] += cost
    return sorted(loads, reverse=True)


def _parts(run, sizes, costs):
    if len(sizes) == 1:
        return [run]
    parts = run.divided(sizes)
    for part, cost in zip(parts, costs, strict=True):
        part.cost = cost
    return parts
