"""Draw the plan of the house from the imports that are in the code: python docs/draw_plan.py."""

import ast
import sys
from html import escape
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "static" / "plan.svg"
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from test_architecture import FILES, FLOORS, imported_modules, room

WIDTH, HEIGHT, GAP, LEFT, PITCH = 132, 34, 14, 60, 92
NAMES = {"__init__": "skc2c"}
STYLE = (
    "text{font:12px sans-serif;fill:#222}"
    ".floor{fill:#888}.room{fill:#eaf2f8;stroke:#2166ac}"
    ".import{fill:none;stroke:#2166ac;stroke-opacity:.45}"
)


def imports():
    """Pairs of rooms, the first of which imports the second."""
    pairs = {
        (room(path), module.split(".")[1])
        for path in FILES
        for module in imported_modules(path)
        if module.startswith("skc2c.")
    }
    return {(a, b) for a, b in pairs if a != b and {a, b} <= set(FLOORS)}


def direct(pairs):
    """The pairs that no chain of others stands for, so that the picture stays legible."""

    def reached(start, without):
        below = {b for a, b in pairs if a == start and (a, b) != without}
        return below.union(*(reached(b, None) for b in below))

    return sorted((a, b) for a, b in pairs if b not in reached(a, (a, b)))


def places():
    """Left upper corner of each room: a row for each floor, the top one first."""
    floors = groupby(sorted(FLOORS, key=lambda name: (-FLOORS[name], name)), FLOORS.get)
    rows = [list(names) for _, names in floors]
    step, longest = WIDTH + GAP, max(map(len, rows))
    return {
        name: (LEFT + step * column + step * (longest - len(names)) // 2, 10 + PITCH * row)
        for row, names in enumerate(rows)
        for column, name in enumerate(names)
    }


def arrow(start, end):
    """A curve from the lower side of a room to the upper side of another."""
    (x, y), (u, v) = start, end
    x, u, y = x + WIDTH // 2, u + WIDTH // 2, y + HEIGHT
    return f'<path class="import" d="M{x} {y}C{x} {y + 40} {u} {v - 40} {u} {v}"/>'


def box(name, place):
    """A room with its name; pointed at, with its purpose."""
    x, y = place
    path = ROOT / "skc2c" / name
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    purpose = escape(ast.get_docstring(ast.parse(path.read_text())).splitlines()[0])
    return (
        f'<g><title>{purpose}</title><rect class="room" x="{x}" y="{y}" width="{WIDTH}"'
        f' height="{HEIGHT}" rx="5"/><text x="{x + WIDTH // 2}" y="{y + 21}"'
        f' text-anchor="middle">{NAMES.get(name, name)}</text></g>'
    )


def plan():
    """The picture, as SVG."""
    at = places()
    width, height = max(x for x, _ in at.values()) + WIDTH + 20, max(y for _, y in at.values()) + 50
    floors = {y: FLOORS[name] for name, (_, y) in at.items()}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">',
        f'<style>{STYLE}</style><rect width="{width}" height="{height}" fill="#fff"/>',
        *(arrow(at[a], at[b]) for a, b in direct(imports())),
        *(f'<text class="floor" x="8" y="{y + 21}">floor {n}</text>' for y, n in floors.items()),
        *(box(name, place) for name, place in at.items()),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(plan())
