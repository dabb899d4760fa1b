"""The records of robustness.py as Markdown tables."""

import numpy as np
from timing import markdown


def report(records, contestants, factors):
    """All tables, and what the figures were measured with."""
    contestants = [name for name in contestants if any(r["contestant"] == name for r in records)]
    sets = list(dict.fromkeys(r["set"] for r in records))
    environments = dict.fromkeys(f"{r['date']}; {r['environment']}" for r in records)
    parts = [
        summary(records, contestants, factors),
        gains(records, contestants, factors),
        by_set(records, contestants, sets, len(factors) // 2),
        strengths(records, contestants, sets),
        attackers(records, factors),
        of_sets(records, sets),
        *environments,
    ]
    return "\n\n".join(parts)


def mean(records, field, place=None, **chosen):
    """Mean over the records of some of them; a dash if none has the field."""
    found = [r[field] for r in records if chosen.items() <= r.items() and field in r]
    if not found:
        return "-"
    return f"{np.mean(found if place is None else [values[place] for values in found]):.3f}"


def summary(records, contestants, factors):
    """Mean over the sets and divisions."""
    header = ["", "clean", *(f"attacked, {f:g}" for f in factors)]
    header += [f"certified, {f:g}" for f in factors] + [f"by norms, {factors[0]:g}"]
    places = range(len(factors))
    lines = []
    for name in contestants:
        of_name = [r for r in records if r["contestant"] == name]
        cells = [mean(of_name, "both", place) for place in places]
        cells += [mean(of_name, "by_slopes", place) for place in places]
        lines.append([name, mean(of_name, "clean"), *cells, mean(of_name, "by_norms", 0)])
    return markdown(header, lines)


def gains(records, contestants, factors):
    """What each has more than the network without a penalty: mean over the divisions of both."""
    place = len(factors) // 2
    header = ["less None", "clean", *(f"attacked, {f:g}" for f in factors)]
    lines = []
    for name in contestants:
        rows = differences(records, name)
        if name == "None" or not len(rows):
            continue
        better = f"{(rows[:, 1 + place] > 0.0).sum()} of {len(rows)}"
        lines.append([name, *(f"{gain:+.3f}" for gain in rows.mean(axis=0)), better])
    return markdown([*header, f"better, {factors[place]:g}"], lines)


def differences(records, name):
    """Accuracy before and after the attacks less that of None, (n_divisions, 1 + n_radii)."""
    accuracy = {name: {}, "None": {}}
    for r in records:
        if r["contestant"] in accuracy:
            accuracy[r["contestant"]][r["set"], r["fold"]] = np.array([r["clean"], *r["both"]])
    own, plain = accuracy[name], accuracy["None"]
    return np.array([own[place] - plain[place] for place in own if place in plain])


def by_set(records, contestants, sets, place):
    """Attacked and clean accuracy on each set, at one of the radii."""
    lines = [
        [
            name,
            *(
                f"{mean(records, 'both', place, set=s, contestant=name)} "
                f"({mean(records, 'clean', set=s, contestant=name)})"
                for s in sets
            ),
        ]
        for name in contestants
    ]
    return markdown(["attacked (clean)", *sets], lines)


def strengths(records, contestants, sets):
    """What was chosen in each division."""
    lines = []
    for name in contestants:
        cells = [chosen(records, name, s) for s in sets]
        if any(cells):
            lines.append([name, *cells])
    return markdown(["strength", *sets], lines)


def chosen(records, contestant, name):
    found = [r for r in records if (r["contestant"], r["set"]) == (contestant, name)]
    return ", ".join(f"{r['strength']:g}" for r in found if r["strength"] is not None)


def attackers(records, factors):
    """Accuracy after our attack, after those of the library, and after both."""
    records = [r for r in records if "foolbox" in r]
    lines = [
        [f"{factor:g}", *(mean(records, field, place) for field in ("ours", "foolbox", "both"))]
        for place, factor in enumerate(factors)
    ]
    return markdown(["radius", "after our attack", "after foolbox", "after both"], lines)


def of_sets(records, sets):
    """Radii and processor time of each set."""
    lines = []
    for name in sets:
        found = [r for r in records if r["set"] == name]
        radii = ", ".join(
            f"{radius:.2f}" for radius in np.mean([r["radii"] for r in found], axis=0)
        )
        cpu = [f"{sum(r[field] for r in found):.0f}" for field in ("fit_cpu", "attack_cpu")]
        lines.append([name, radii, *cpu])
    return markdown(["", "radii, mean", "fits, CPU s", "attacks, CPU s"], lines)
