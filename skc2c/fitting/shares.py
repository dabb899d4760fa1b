"""How runs are shared among processes, so that all are done at about the same time."""

# What a step costs however many members it has, in units of what one member costs: a run of four
# takes 1.1 to 1.3 times as long in two halves (over the open sets).
_FIXED = 1.0


def divided(runs, n):
    """Divide the folds of runs as long as it lets n processes be done earlier.

    Parameters
    ----------
    runs : list of Run
    n : int

    Returns
    -------
    runs : list of Run
        Those that are divided in the place of what they come from.
    """
    n_parts, best = max(2, -(-n // len(runs))), runs
    while True:
        options = [_with_parts(best, i, n_parts) for i in range(len(best))]
        option = min(options, key=lambda runs: _loads(runs, n))
        if _loads(option, n) >= _loads(best, n):
            break
        best = option
    return best if _loads(best, n)[0] < _loads(runs, n)[0] else runs


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
    shares = [[] for _ in range(n)]
    for run in sorted(runs, key=lambda run: run.cost, reverse=True):
        min(shares, key=_load).append(run)
    return sorted(filter(None, shares), key=_load, reverse=True)


def _load(share):
    return sum(run.cost for run in share)


def _loads(runs, n):
    """Of the shares that there would be, largest first: the less the better."""
    return [_load(share) for share in shared(runs, n)]


def _with_parts(runs, i, n):
    """The runs, of which one is divided into n parts, if its folds are as many."""
    parts = runs[i].divided(n)
    if len(parts) > 1:
        for part in parts:
            part.cost = runs[i].cost * _relative_cost(part) / _relative_cost(runs[i])
    return [*runs[:i], *parts, *runs[i + 1 :]]


def _relative_cost(run):
    return _FIXED + len(run.members)
