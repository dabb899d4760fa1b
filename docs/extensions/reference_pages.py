"""A page for each public name in the tables of api.md, from its docstring."""

import re
from collections import defaultdict
from pathlib import Path

PAGE = """\
{name}
{underline}

.. currentmodule:: {module}

.. auto{kind}:: {name}
{methods}
.. minigallery:: {module}.{name}
   :add-heading: Examples with {name}
   :heading-level: -
"""


def names_of(text):
    """Module, name and methods of what the tables of the API page list."""
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading, body = section.split("\n", 1)
        module = re.findall(r"`(skc2c[\w.]*)`", heading)[-1]
        methods = defaultdict(list)
        for name, method in re.findall(r"^\| `(\w+)(?:\.(\w+))?` \|", body, re.MULTILINE):
            methods[name] += [method] if method else []
        for name, own in methods.items():
            yield module.removesuffix(f".{name}"), name, own


def page(module, name, methods):
    """The text of a page, for autodoc."""
    return PAGE.format(
        name=name,
        underline="=" * len(name),
        module=module,
        kind="class" if name[0].isupper() else "function",
        methods="".join(f"\n   .. automethod:: {method}\n" for method in methods),
    )


def write_pages(app):
    """Write the pages that changed, so that Sphinx reads no others again."""
    folder = Path(app.srcdir, "generated")
    folder.mkdir(exist_ok=True)
    for entry in names_of(Path(app.srcdir, "api.md").read_text()):
        path, text = folder / f"{entry[0]}.{entry[1]}.rst", page(*entry)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def setup(app):
    """Called by Sphinx."""
    app.connect("builder-inited", write_pages, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
