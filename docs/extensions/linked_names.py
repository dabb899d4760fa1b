"""Names in backticks become links: `C2CClassifier` to its page, an example to the gallery.

So pages are plain Markdown, which is read as well where there is no Sphinx.
"""

import re

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

ROOMS = ("solvers", "inspection", "model_selection", "onnx", "plots")
MODULES = ("", "skc2c.", *(f"skc2c.{room}." for room in ROOMS))
EXAMPLE = re.compile(r"examples/(plot_\w+)\.py")


class LinkedNames(SphinxPostTransform):
    """Put a link around each literal that names something on the site."""

    default_priority = 5

    def run(self, **kwargs):
        for literal in list(self.document.findall(nodes.literal)):
            if not isinstance(literal.parent, (nodes.reference, nodes.title)):
                self.link(literal)

    def link(self, literal):
        """Replace one literal by a link around it."""
        target = self.target(literal.astext().removesuffix("()"))
        if target and target[0] != self.env.docname:
            link = make_refnode(
                self.app.builder, self.env.docname, *target, literal.deepcopy(), literal.astext()
            )
            literal.replace_self(link)

    def target(self, name):
        """Document and anchor of a name, or None."""
        if example := EXAMPLE.fullmatch(name):
            page = f"auto_examples/{example[1]}"
            return (page, "") if page in self.env.found_docs else None
        objects = self.env.domains.python_domain.objects
        found = [objects[module + name] for module in MODULES if module + name in objects]
        return (found[0].docname, found[0].node_id) if found else None


def setup(app):
    """Called by Sphinx."""
    app.add_post_transform(LinkedNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
