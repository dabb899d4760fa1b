"""How the gallery calls an example."""

import ast
import tempfile
from pathlib import Path


def arguments(gallery_conf, script_vars):
    """Arguments that keep the picture that an example saves out of the folder of examples.

    The example is given back its docstring, which the gallery takes from it, for its help.
    """
    source = Path(script_vars["src_file"]).read_text()
    script_vars["example_globals"]["__doc__"] = ast.get_docstring(ast.parse(source), clean=False)
    if "--output" not in source:
        return []
    return ["--output", str(Path(tempfile.gettempdir()) / "skc2c_example.png")]
