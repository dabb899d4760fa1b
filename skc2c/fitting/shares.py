"""How runs are shared among processes, so that all are done at about the same time."""

from typing import NamedTuple

# What a step costs however many members it has, in units of what one member costs: a run of four
# takes 1.1 to 1.3 times as long in two halves (over the open sets).
_FIXED = 1.0

# Seconds that pass until another process has what it needs, and until this one has what came of it
# (measured; with much data it takes longer, and so do cycles).
_SENDING = 0.003

# A run is not handed over for fewer steps: what this process makes in its first step and keeps is
# there by then, and does not change while the other one's share is being sent.
_FEWEST_STEPS = 5


class HandedOver(NamedTuple):
    """A run that another process begins, and this one ends.

    The other does so before its own share, and this one after it: then all processes can be done at
    the same time, and what a step costs in any case is not paid twice, as by parts of a run.

    Attributes
    ----------
    run : Run
    n_steps : int
        How many the other process takes.
    """

    run: object
    n_steps: int


def divided(runs, n, n_steps):
    """Divide the folds of runs if that lets n processes be done earlier.

    Parameters
    ----------
    runs : list of Run
    n : int
    n_steps : int
        How many steps are to be taken.

    Returns
    -------
    parts : list of list of Run
        Of each run: itself, or runs of some of its folds.
    """
    ways = [[_pieces(run, sizes) for sizes in _ways(len(run.folds), n)] for run in runs]
    whole = [of_run[0] for of_run in ways]
    best = _best(ways, whole, n, n_steps)
    if _longest(best, n, n_steps) >= _longest(whole, n, n_steps):
        best = whole
    return [_parts(run, pieces) for run, pieces in zip(runs, best, strict=True)]


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
    shares, loads = [[] for _ in range(n)], [0.0] * n
    for run in sorted(runs, key=lambda run: run.cost, reverse=True):
        i = loads.index(min(loads))
        shares[i].append(run)
        loads[i] += run.cost
    return sorted(filter(None, shares), key=_load, reverse=True)


def handed_over(shares, n_steps):
    """Which run of the first share the process of the last share should begin.

    Parameters
    ----------
    shares : list of list of Run
        As `shared` returns them.
    n_steps : int
        How many steps are to be taken.

    Returns
    -------
    handed_over : HandedOver or None
    """
    first, last = shares[0], shares[-1]
    load = n_steps * _load(first)
    # It is sent twice as often as otherwise.
    ahead = load - n_steps * _load(last) - 2 * _SENDING
    for run in reversed(first):  # the cheapest first
        k = int(ahead / (2 * run.cost))
        is_back = k * run.cost + _SENDING < load - n_steps * run.cost
        if run.can_begin and _FEWEST_STEPS <= k < n_steps and is_back:
            return HandedOver(run, k)
    return None


def cost_of_whole(run, parts):
    """What a run costs, by what parts of it did."""
    weights = [_weight(run, len(part.folds)) for part in parts]
    return sum(part.cost for part in parts) * _weight(run, len(run.folds)) / sum(weights)


class _Piece(NamedTuple):
    """A run, or a part of one."""

    cost: float
    n_folds: int
    can_begin: bool


def _load(share):
    return sum(run.cost for run in share)


def _ways(n_folds, n):
    """Sizes of parts: of parts that are about as large, the fewest first, or of any two."""
    for k in range(1, min(n_folds, n) + 1):
        size, n_larger = divmod(n_folds, k)
        yield [size + 1] * n_larger + [size] * (k - n_larger)
    if n > 1:
        yield from ([n_folds - size, size] for size in range(1, n_folds // 2))


def _pieces(run, sizes):
    """Parts of a run that have so many of its folds."""
    each = run.cost / _weight(run, len(run.folds))
    return [_Piece(each * _weight(run, size), size, run.can_begin) for size in sizes]


def _weight(run, n_folds):
    return _FIXED + len(run.candidates) * n_folds


def _best(ways, chosen, n, n_steps):
    """Which way to divide each run: another one of a run is taken while that helps."""
    while True:
        options = [
            [*chosen[:i], way, *chosen[i + 1 :]] for i, of_run in enumerate(ways) for way in of_run
        ]
        best = min(options, key=lambda chosen: _longest(chosen, n, n_steps))
        if _longest(best, n, n_steps) >= _longest(chosen, n, n_steps):
            return chosen
        chosen = best


def _longest(chosen, n, n_steps):
    """When the last of the shares that there would be is done, and how much there is to do."""
    pieces = [piece for of_run in chosen for piece in of_run]
    shares = shared(pieces, n)
    found = handed_over(shares, n_steps)
    loads = [n_steps * _load(share) for share in shares]
    if found:
        work = found.n_steps * found.run.cost
        loads[0] -= work
        loads[-1] += work + _SENDING
    first, *others = loads
    return max([first, *(load + _SENDING for load in others)]), sum(loads)


def _parts(run, pieces):
    if len(pieces) == 1:
        return [run]
    parts = run.divided([piece.n_folds for piece in pieces])
    for part, piece in zip(parts, pieces, strict=True):
        part.cost = piece.cost
    return parts
