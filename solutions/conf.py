"""Sphinx's configuration of the book; `python -m autograder book` builds it."""

import importlib.util
import shutil
from pathlib import Path

from sphinx.application import Sphinx

from autograder.book import resolve_links
from autograder.course import Course

COURSE = Course.find(Path(__file__).parent)

project = "Regular group convolutions"
author = "The gcnn-course authors"
copyright = "2026, the gcnn-course authors · text CC BY 4.0, code MIT"  # noqa: A001
language = "en"

extensions = ["myst_nb"]
exclude_patterns = ["_build"]
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath", "html_image"]
myst_heading_anchors = 3

html_theme = "sphinx_book_theme"
html_title = project
html_theme_options = {
    "repository_url": COURSE.repository_url,
    "use_repository_button": True,
    "use_issues_button": True,
    "show_toc_level": 2,
}

# MathJax comes with the book, so that formulas show without a connection and no other server hears
# of the readers. JupyterLab carries it only bundled into its own program, and nbclassic, the other
# maintained package with its files, has the old MathJax 2 and brings a whole server along;
# sphinx-mathjax-offline is the files of MathJax 3.2 and nothing else. Of its 24 MB, mostly for
# speech in many languages, the book takes what TeX input and HTML output need.
MATHJAX_FILES = ["tex-chtml.js", "input/tex/extensions", "output/chtml/fonts/woff-v2"]
mathjax_path = "mathjax/tex-chtml.js"
# The options of version 3: MyST-Parser fills in which elements hold formulas.
mathjax3_config = {"options": {"menuOptions": {"settings": {"assistiveMml": True}}}}


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Copy the needed files of MathJax to the finished pages."""
    package = importlib.util.find_spec("sphinx-mathjax-offline")
    if error or package is None:
        return
    source = Path(package.submodule_search_locations[0]) / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for name in MATHJAX_FILES:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)


def resolve_page_links(app: Sphinx, page: str, source: list[str]) -> None:
    """Point a page's links to files of the repository to where they are online."""
    document = Path(app.env.doc2path(page))
    if document.suffix == ".md":
        source[0] = resolve_links(source[0], document, COURSE)


def resolve_included_links(app: Sphinx, path: Path, page: str, source: list[str]) -> None:
    """The same for a document of the repository that a page includes."""
    source[0] = resolve_links(source[0], Path(app.srcdir, path).resolve(), COURSE)


def setup(app: Sphinx) -> None:
    """Connect the functions above to Sphinx's events."""
    app.connect("source-read", resolve_page_links)
    app.connect("include-read", resolve_included_links)
    app.connect("build-finished", copy_mathjax)
