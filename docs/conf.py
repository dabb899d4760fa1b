"""How Sphinx builds the site: `python -m sphinx -W -b html docs OUT`, without network."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "extensions")]

import skc2c

project = "skc2c"
author = "the skc2c developers"
copyright = "2026, the skc2c developers"
version = release = skc2c.__version__

extensions = [
    "sphinx.ext.autodoc",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    # In extensions/, beside this file.
    "linked_names",
    "mathml",
    "reference_pages",
    "trimmed_blocks",
]
exclude_patterns = ["README.md"]
default_role = "py:obj"  # names in single backticks, as scikit-learn's docstrings have them
autodoc_typehints = "none"
numpydoc_show_class_members = False  # `reference_pages` lists the methods

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "plot_",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("skc2c",),
    "reset_argv": "gallery.arguments",
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,  # that page asks for scripts from elsewhere
}

html_theme = "pydata_sphinx_theme"
html_title = "skc2c"
html_favicon = "static/favicon.svg"
html_context = {"default_mode": "auto"}
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
# Pages without pages below them.
ALONE = ("index", "getting_started", "migration", "comparison")
html_sidebars = {name: [] for name in ALONE}
html_theme_options = {
    "logo": {"text": "skc2c"},
    "show_prev_next": False,
    "header_links_before_dropdown": 4,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}
