"""Sphinx's configuration of the book; `python -m autograder book` builds it."""

from pathlib import Path

from sphinx.application import Sphinx

from autograder.book import draw, turn
from autograder.book.pages import without_badges
from autograder.book.reference import reference
from autograder.book.results import headline, results
from autograder.book.website import escape_docstring, resolve_links
from autograder.course import Course

COURSE = Course.find(Path(__file__).parent)

project = "Group-equivariant networks"
author = "The gcnn-course authors"
copyright = "2026, the gcnn-course authors · text CC BY 4.0, code MIT"  # noqa: A001
language = "en"
smartquotes_action = "qe"  # --force is an option, not a dash

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "autograder.book.formulas"]
html_math_renderer = "mathml"
exclude_patterns = ["_build"]
templates_path = ["_templates"]
# An exercise is a heading of the fourth level, also in a chapter without sections.
suppress_warnings = ["myst.header"]
nb_execution_mode = "off"
nb_merge_streams = True
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
myst_enable_extensions = [
    "amsmath",
    "colon_fence",
    "deflist",
    "dollarmath",
    "html_image",
    "substitution",
]
myst_substitutions = {
    "results": results(COURSE),
    "headline": headline(COURSE),
    "turn": turn.markup(COURSE),
    "draw": draw.markup(COURSE),
    "reference": reference(),
}
myst_heading_anchors = 3

# The reference is made from docstrings, in which `name` is code.
default_role = "code"
autodoc_default_options = {"show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_mock_imports = ["torch"]
autodoc_typehints_format = "short"
autodoc_use_type_comments = False  # types stand in annotations here
toc_object_entries_show_parents = "hide"
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False

# What search engines and shared links show; the picture is copied beside the pages.
DESCRIPTION = (
    "A hands-on course in PyTorch: build networks that know a digit at any angle, from the "
    "definition of a group to the trained network, with exercises that check themselves."
)
html_baseurl = COURSE.book_url
CARD = Path("images", "01_regular_group_convolutions.png")
html_extra_path = [str(CARD)] if (Path(__file__).parent / CARD).is_file() else []
myst_html_meta = {
    "description": DESCRIPTION,
    "property=og:title": project,
    "property=og:description": DESCRIPTION,
    "property=og:type": "website",
    "property=og:image": f"{COURSE.book_url}{CARD.name}",
}

CITATION = f"{COURSE.repository_url}/blob/main/CITATION.cff"
html_theme = "sphinx_book_theme"
html_title = project
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["book.css", "draw.css", "lift.css", "breaks.css"]
html_js_files: list[str | tuple[str, dict[str, str]]] = ["book.js"]
html_js_files += [(f"{name}.js", {"defer": "defer"}) for name in ("turn", "draw", "lift", "breaks")]
# Readers get the student notebook; the rendered one, with all its pictures, is the page itself.
html_copy_source = False
html_search_scorer = str(Path(__file__).with_name("search-scorer.js"))
html_use_index = False
html_domain_indices = False
html_sidebars = {"**": ["home.html", "search-button-field.html", "navigation.html"]}
html_context = {"default_mode": "auto"}
html_theme_options = {
    "repository_url": COURSE.repository_url,
    "extra_footer": f'Edition {COURSE.edition} · <a href="{CITATION}">How to cite the course</a>',
    "use_repository_button": True,
    "use_issues_button": True,
    "use_download_button": False,
    "show_toc_level": 2,
    # The search field of the sidebar is enough; this one would need a bar of its own.
    "navbar_persistent": [],
}


def prepare_included(app: Sphinx, path: Path, page: str, source: list[str]) -> None:
    """Let the links of an included document lead to where their targets are online."""
    document = Path(app.srcdir, path).resolve()
    source[0] = resolve_links(without_badges(source[0]), document, COURSE)


def prepare_docstring(app: Sphinx, what: str, name: str, obj, options, lines: list[str]) -> None:
    """Let a docstring mean what it says: |H| is a group's order, not a substitution."""
    lines[:] = escape_docstring(lines)


def setup(app: Sphinx) -> None:
    """Connect the functions above to Sphinx's events."""
    # Before napoleon, whose sections are markup.
    app.connect("autodoc-process-docstring", prepare_docstring, priority=400)
    app.connect("include-read", prepare_included)
