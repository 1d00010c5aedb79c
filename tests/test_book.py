"""The book is built from `solutions/`, without execution and without a connection."""

import re
import shutil
from base64 import b64decode
from pathlib import Path

import nbformat
import pytest

from autograder import book
from autograder.course import Course
from autograder.errors import CourseError

ROOT = Path(__file__).resolve().parent.parent
# The smallest PNG: one grey pixel.
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)


@pytest.fixture
def course(tmp_path):
    """A copy of what the book is made of, with a tiny notebook in the place of the lessons."""
    shutil.copytree(
        ROOT / "solutions", tmp_path / "solutions", ignore=shutil.ignore_patterns("*.ipynb")
    )
    for name in ("pyproject.toml", "README.md", "CONTRIBUTING.md", "STYLE_GUIDE.md"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / "solutions" / "images").mkdir(exist_ok=True)
    picture = tmp_path / "solutions" / "images" / "01_regular_group_convolutions.png"
    picture.write_bytes(b64decode(PIXEL))
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "nbgrader_config.py").touch()
    notebook = nbformat.v4.new_notebook(
        metadata={"language_info": {"name": "python", "pygments_lexer": "ipython3"}},
        cells=[
            nbformat.v4.new_markdown_cell("# Tiny lesson\n\nHere $a^2$ and\n\n$$\\int f$$"),
            nbformat.v4.new_code_cell(
                "raise SystemExit('the book must not execute anything')",
                execution_count=1,
                metadata={"mystnb": {"image": {"alt": "One grey pixel"}}},
                outputs=[nbformat.v4.new_output("display_data", {"image/png": PIXEL})],
            ),
        ],
    )
    nbformat.write(notebook, tmp_path / "solutions" / "01_regular_group_convolutions.ipynb")
    return Course(tmp_path)


@pytest.mark.parametrize(
    ("target", "resolved"),
    [
        ("../CONTRIBUTING.md", "contributing.md"),
        ("../STYLE_GUIDE.md#figures", "style-guide.md#figures"),
        ("../tasks.py", "{url}/blob/main/tasks.py"),
        ("../data/README.md#x", "{url}/blob/main/data/README.md#x"),
        ("../release", "{url}/tree/main/release"),
        ("instructors.md", "instructors.md"),
        ("#figures", "#figures"),
        ("https://example.org/a", "https://example.org/a"),
        ("mailto:a@example.org", "mailto:a@example.org"),
        ("../../outside.md", "../../outside.md"),
    ],
)
def test_resolve_links(tmp_path, target, resolved):
    course = Course(tmp_path)
    shutil.copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    (tmp_path / "release").mkdir()
    text = f"See [this]({target}), and (not this)."
    expected = resolved.format(url=course.repository_url)
    page = course.solutions / "page.md"
    assert book.resolve_links(text, page, course) == f"See [this]({expected}), and (not this)."


def test_resolve_links_of_an_included_document(tmp_path):
    text = "[A](solutions/01_a.ipynb) [B](STYLE_GUIDE.md) [C](#here)"
    expected = "[A](01_a.ipynb) [B](style-guide.md) [C](#here)"
    assert book.resolve_links(text, tmp_path / "README.md", Course(tmp_path)) == expected


@pytest.mark.slow
def test_tiny_book(course, tmp_path, capfd):
    output = tmp_path / "out" / "book"
    first = book.build_book(course.solutions, output)
    assert first == output / "index.html"
    lesson = (output / "01_regular_group_convolutions.html").read_text(encoding="utf-8")
    assert 'alt="One grey pixel"' in lesson
    pages = {path.name: path.read_text(encoding="utf-8") for path in output.glob("*.html")}
    assert {"contributing.html", "style-guide.html", "instructors.html"} <= set(pages)
    assert 'href="01_regular_group_convolutions.html"' in pages["index.html"]
    assert 'href="style-guide.html"' in pages["contributing.html"]
    # Nothing that a page needs comes from elsewhere, the formulas' program and fonts included.
    for page in pages.values():
        loaded = re.findall(r'<(?:script|link rel="stylesheet")[^>]*(?:src|href)="([^"]*)"', page)
        assert loaded
        assert not [address for address in loaded if "//" in address]
    assert 'src="_static/mathjax/tex-chtml.js"' in lesson
    mathjax = output / "_static" / "mathjax"
    assert (mathjax / "tex-chtml.js").is_file()
    assert (mathjax / "output/chtml/fonts/woff-v2/MathJax_Main-Regular.woff").is_file()
    assert (mathjax / "input/tex/extensions/boldsymbol.js").is_file()
    # What only serves the next build is not published.
    assert not list(output.rglob("*.doctree"))


@pytest.mark.slow
def test_warning_is_an_error(course, tmp_path, capfd):
    page = course.solutions / "instructors.md"
    page.write_text("# Instructors\n\n[nowhere](no-such-page.md)\n", encoding="utf-8")
    with pytest.raises(CourseError, match="Sphinx reports above"):
        book.build_book(course.solutions, tmp_path / "book")
    assert "no-such-page" in capfd.readouterr().err


def test_missing_sphinx(monkeypatch, tmp_path):
    monkeypatch.setattr(book.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CourseError, match=r'pip install -e "\.\[book\]"'):
        book.build_book(tmp_path, tmp_path / "book")
