"""Results as lines of JSON, to which each run adds, and where the next one goes on."""

import json


def read(path):
    """What the lines of a file hold; nothing if there is none."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def append(path, *records):
    """Add a line for each record."""
    with path.open("a") as file:
        file.writelines(json.dumps(record, separators=(",", ":")) + "\n" for record in records)
