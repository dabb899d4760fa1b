"""Code without the empty line that doctest wants before the end of a block in Markdown."""

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform


class TrimmedBlocks(SphinxPostTransform):
    """Take white space off the end of each block of code."""

    default_priority = 5

    def run(self, **kwargs):
        for block in self.document.findall(nodes.literal_block):
            if len(block) == 1 and isinstance(block[0], nodes.Text):
                block[0] = nodes.Text(block[0].rstrip())


def setup(app):
    """Called by Sphinx."""
    app.add_post_transform(TrimmedBlocks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
