"""All runs of a fit up to a step, on several processes."""

from functools import partial

from skc2c.fitting.shares import cost_of_whole, divided, handed_over, shared
from skc2c.machine.processes import Relay, here


def advance(runs, stop, over_shares=here, n_shares=1):
    """Train all runs up to a step.

    Parameters
    ----------
    runs : list of Run
    stop : int
    over_shares, n_shares
        As for `cross_fit`.

    Returns
    -------
    trained : list of dict
        As `Run.trained` returns them.
    """
    n_steps = stop - runs[0].n_steps
    parts = divided(runs, n_shares, n_steps)
    shares = shared([part for of_run in parts for part in of_run], n_shares)
    found = handed_over(shares, n_steps)
    if found is None:
        results = over_shares(partial(_advance, stop=stop), shares)
    else:
        shares = [[run for run in shares[0] if run is not found.run], *shares[1:], [found.run]]
        results = over_shares(partial(_advance, stop=stop), shares[:-1], _relay(*found, stop))
    trained = [
        _resumed(*each)
        for share, of_share in zip(shares, results, strict=True)
        for each in zip(share, of_share, strict=True)
    ]
    for run, of_run in zip(runs, parts, strict=True):
        if len(of_run) > 1:
            run.rejoin(of_run)
            run.cost = cost_of_whole(run, of_run)
    return trained


def _advance(share, stop):
    """Train runs up to a step, maybe in another process: progress, and what is measured."""
    measured = [run.advance(stop) for run in share]
    return [(run.progress(), found) for run, found in zip(share, measured, strict=True)]


def _resumed(run, found):
    progress, measured = found
    run.resume(progress)
    return run.trained(measured)


def _relay(run, n_steps, stop):
    """Another process takes so many steps, and this one the others."""

    def end(progress):
        run.resume(progress)
        return _advance([run], stop)

    return Relay(partial(_begin, until=run.n_steps + n_steps, stop=stop), run, end)


def _begin(run, until, stop):
    run.begin(until, stop)
    return run.progress()
