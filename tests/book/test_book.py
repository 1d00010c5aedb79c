"""The book is built from `solutions/`, without execution and without a connection."""

import re
import shutil
from base64 import b64decode

import nbformat
import pytest
from conftest import ROOT

from autograder.book import website as book
from autograder.book.pages import BADGE_IMAGE, present_lesson, without_badges
from autograder.book.reference import reference
from autograder.book.results import networks_table, results
from autograder.book.train import read_rows
from autograder.course import Course
from autograder.errors import CourseError

# The smallest PNG: one grey pixel.
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
STEM = "01_regular_group_convolutions"
TEXT = f"""# Tiny lesson

[{BADGE_IMAGE}]({Course(ROOT).colab_url(STEM)})

Here $a^2$ and

<a id="eq-integral"></a>

$$\\int f \\tag{{1}}$$

See [(1)](#eq-integral)."""
SECTION = """## 1 A chapter

### 1.1 A section

By [(1)](#eq-integral).

#### 1.1.1 A part"""


@pytest.fixture
def course(tmp_path):
    """A copy of what the book is made of, with a tiny notebook in the place of the lessons."""
    shutil.copytree(
        ROOT / "solutions", tmp_path / "solutions", ignore=shutil.ignore_patterns("*.ipynb")
    )
    for name in ("pyproject.toml", "README.md", "CONTRIBUTING.md", "STYLE_GUIDE.md"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    for folder in ("benchmarks", "data/results"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for page in (tmp_path / "solutions" / "reference").glob("*.md"):
        page.write_text(f"# {page.stem}\n", encoding="utf-8")  # importing all of it takes a while
    (tmp_path / "solutions" / "images").mkdir(exist_ok=True)
    picture = tmp_path / "solutions" / "images" / "01_regular_group_convolutions.png"
    picture.write_bytes(b64decode(PIXEL))
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "nbgrader_config.py").touch()
    notebook = nbformat.v4.new_notebook(
        metadata={"language_info": {"name": "python", "pygments_lexer": "ipython3"}},
        cells=[
            nbformat.v4.new_markdown_cell(TEXT, id="start"),
            nbformat.v4.new_code_cell(
                "raise SystemExit('the book must not execute anything')",
                execution_count=1,
                id="code",
                metadata={"mystnb": {"image": {"alt": "One grey pixel"}}, "tags": ["cover"]},
                outputs=[
                    nbformat.v4.new_output(
                        "display_data",
                        {"image/png": PIXEL},
                        metadata={"image/png": {"alt": "One grey pixel", "width": 7}},
                    )
                ],
            ),
            nbformat.v4.new_markdown_cell("Because $a$ is even.", id="why"),
            nbformat.v4.new_markdown_cell(SECTION, id="section"),
        ],
    )
    course = Course(tmp_path)
    for stem in Course(ROOT).lessons():  # the README links to each
        notebook.cells[0].source = TEXT.replace(STEM, stem)
        nbformat.write(notebook, course.solutions_notebook(stem))
        write_release(course, notebook, stem)
        (course.notebooks / f"{stem}.py").touch()
    return course


def write_release(course, notebook, stem):
    """Write the student notebook that belongs to a rendered one."""
    given = nbformat.from_dict(notebook)
    _, code, why, _ = given.cells
    code.source, code.outputs = "result = ...", []
    code.metadata = nbformat.from_dict({"nbgrader": {"solution": True, "grade": False}})
    why.source = "*Your answer.*"
    why.metadata = nbformat.from_dict({"nbgrader": {"solution": True, "grade": True}})
    path = course.release_notebook(stem)
    path.parent.mkdir(parents=True)
    nbformat.write(given, path)


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
    pages = {path.name: path.read_text(encoding="utf-8") for path in output.glob("*.html")}
    lesson = pages[f"{STEM}.html"]
    assert 'alt="One grey pixel"' in lesson
    assert 'width="7"' in lesson
    for text in (
        "Where you start",
        "Show the solution",
        "<summary>A model answer</summary>",
        'href="#eq-01-integral"',
    ):
        assert text in lesson
    assert lesson.index("Where you start") < lesson.index("Show the solution")
    # Links instead of Colab's picture, and a copy of the student notebook.
    assert f'href="{course.colab_url(STEM)}"' in lesson
    (download,) = output.glob(f"_downloads/*/{STEM}.ipynb")
    assert download.read_bytes() == course.release_notebook(STEM).read_bytes()
    assert "colab-badge" not in "".join(pages.values())
    assert "interpolated in every step" in pages["results.html"]
    assert {"contributing.html", "style-guide.html", "instructors.html"} <= set(pages)
    assert 'href="01_regular_group_convolutions.html"' in pages["index.html"]
    assert 'href="style-guide.html"' in pages["contributing.html"]
    # Nothing that a page needs comes from elsewhere, and formulas need no script.
    for page in pages.values():
        loaded = re.findall(r'<(?:script|link rel="stylesheet")[^>]*(?:src|href)="([^"]*)"', page)
        assert loaded
        assert not [address for address in loaded if "//" in address]
    assert "fontawesome.js" not in lesson and "<math" in lesson
    # A page for each section, the whole lesson on one, and what machines look for.
    section = (output / STEM / "1-1-a-section.html").read_text(encoding="utf-8")
    assert "<h1>1.1 A section" in section and 'href="../index.html"' in section
    assert 'href="../01_regular_group_convolutions.html#eq-01-integral"' in section
    assert "A section" in (output / STEM / "one-page.html").read_text(encoding="utf-8")
    assert f"{course.book_url}{STEM}/1-1-a-section.html" in (output / "sitemap.xml").read_text()
    assert f'<base href="{course.book_url}">' in pages["404.html"]
    # What only serves the next build is not published.
    assert not list(output.rglob("*.doctree"))


def test_a_lesson_is_presented(course, tmp_path):
    text = course.solutions_notebook(STEM).read_text(encoding="utf-8")
    made = present_lesson(STEM, course, tmp_path / "pages")
    nbformat.validate(made)
    start, given, code, why, _ = made.cells
    assert BADGE_IMAGE not in start.source and course.colab_url(STEM) in start.source
    assert f"</../release/{STEM}/{STEM}.ipynb>" in start.source
    assert "\n(eq-integral)=\n" in start.source
    assert "```python\nresult = ...\n```" in given.source
    assert code.metadata.tags == ["cover", "hide-input", "solution"]
    assert code.metadata.mystnb.code_prompt_show == "Show the solution"
    assert code.metadata.mystnb.image == {"alt": "One grey pixel"}
    assert code.outputs and why.source.startswith("<details>")
    assert "Because $a$ is even." in why.source
    # The notebook itself stays as it is.
    assert course.solutions_notebook(STEM).read_text(encoding="utf-8") == text


def with_cell(course, cell, **nbgrader):
    """Put a code cell at the lesson's end, and return what the book makes of it."""
    for path in (course.solutions_notebook(STEM), course.release_notebook(STEM)):
        notebook = nbformat.read(path, as_version=4)
        notebook.cells.append(nbformat.from_dict({**cell, "metadata": {"nbgrader": nbgrader}}))
        nbformat.write(notebook, path)
    return present_lesson(STEM, course, course.root / "pages").cells[-1]


def test_folds_are_named_by_what_they_hold(course):
    titled = nbformat.v4.new_code_cell("# @title Check: the product\ncheck()", id="product-test")
    shown = with_cell(course, titled, grade=True, solution=False)
    assert shown.source == "check()" and shown.metadata.tags == ["hide-input"]
    assert shown.metadata.mystnb.code_prompt_show == "Check: the product"
    assert shown.metadata.mystnb.code_prompt_hide == "Check: the product"
    untitled = nbformat.v4.new_code_cell("check()", id="other-test")
    shown = with_cell(course, untitled, grade=True, solution=False)
    assert shown.metadata.mystnb.code_prompt_show == "The check"
    plain = with_cell(course, nbformat.v4.new_code_cell("draw()", id="plain"))
    assert "tags" not in plain.metadata and "mystnb" not in plain.metadata


def test_setup_is_left_out(course):
    setup = nbformat.v4.new_code_cell("import torch", id="setup")
    assert with_cell(course, setup).cell_type == "markdown"


def test_things_to_turn_stand_in_their_places(tmp_path):
    course = Course(ROOT)
    first, _, third, *_ = course.lessons()
    for stem, cell in ((first, "lift"), (third, "breaks")):
        cells = present_lesson(stem, course, tmp_path).cells
        assert sum(f'class="{cell}"' in cell_.source for cell_ in cells) == 1


def test_links_stand_below_the_title_where_there_is_no_badge(course):
    notebook = nbformat.read(course.solutions_notebook(STEM), as_version=4)
    notebook.cells[0].source = "# Title\n\nText."
    nbformat.write(notebook, course.solutions_notebook(STEM))
    made = present_lesson(STEM, course, course.root / "pages")
    assert made.cells[0].source.startswith(
        "# Title\n\n:::{container} lesson-links\n[Open in Colab]"
    )
    assert made.cells[0].source.endswith(":::\n\nText.")


def test_a_lesson_needs_its_student_notebook(course):
    release = nbformat.read(course.release_notebook(STEM), as_version=4)
    del release.cells[1]
    nbformat.write(release, course.release_notebook(STEM))
    with pytest.raises(CourseError, match="a cell 'code' that the student notebook has not"):
        present_lesson(STEM, course, course.root / "pages")
    course.release_notebook(STEM).unlink()
    with pytest.raises(CourseError, match="run: python -m autograder build"):
        present_lesson(STEM, course, course.root / "pages")


def test_badges_become_links():
    assert without_badges(f"| [{BADGE_IMAGE}](https://a.b) |") == "| [Open in Colab](https://a.b) |"


def test_docstrings_are_plain_text():
    lines = ["Shape [B, |H|], `|H|` and *args; name_ and a_b; 2 * 3.", "- item"]
    expected = [r"Shape [B, \|H\|], `|H|` and \*args; name\_ and a_b; 2 * 3.", "- item"]
    assert book.escape_docstring(lines) == expected


def test_results_are_those_of_the_files():
    course = Course(ROOT)
    text = results(course)
    rows = read_rows(ROOT / "data" / "results" / f"{STEM}.csv")
    assert rows
    for row in rows:
        for part in (row["network"], row["turned"], row["upright"], row["torch"]):
            assert f"| {part} |" in text
        assert not row["seconds"] or f"| {int(row['seconds']) / 60:.0f} |" in text
    trained = nbformat.read(course.solutions_notebook(STEM), as_version=4).metadata.course.training
    assert trained == "none" and "none, with the course's networks." in text


def test_the_training_of_a_rendering_is_told_whatever_it_was(course):
    notebook = nbformat.read(course.solutions_notebook(STEM), as_version=4)
    assert "Training for the lesson as the book shows it: not recorded." in result_of(course)
    for training, told in (("full", "full, in the lesson itself."), ("fast", "fast.")):
        notebook.metadata["course"] = {"training": training}
        nbformat.write(notebook, course.solutions_notebook(STEM))
        assert told in result_of(course)


def result_of(course):
    """Return the results of the one lesson, which lies in `notebooks/` for that."""
    (course.notebooks / f"{STEM}.py").touch()
    return results(course)


def test_tables_of_results():
    row = {"network": "A", "seed": "1200", "parameters": "1200", "epochs": "2", "images": "3000"}
    row |= {"precision": "32-true", "seconds": "90", "machine": ""}
    assert networks_table([row, row | {"machine": "Some CPU, 2 processor cores"}]) == (
        "| network | seed | parameters | epochs | images | precision | minutes | machine |\n"
        "|---|---|---|---|---|---|---|---|\n"
        "| A | 1200 | 1,200 | 2 | 3,000 | 32-true | 2 |  |\n"
        "| A | 1200 | 1,200 | 2 | 3,000 | 32-true | 2 | Some CPU, 2 processor cores |\n"
    )


def test_every_module_is_in_the_reference_once_and_every_package_has_a_page():
    """That the finished pages hold them as well, test_book_browser.py sees to."""
    pages = reference()
    listed = re.findall(r"^\.\. automodule:: (\S+)$", "\n".join(pages.values()), re.MULTILINE)
    files = (path.relative_to(ROOT).with_suffix("") for path in ROOT.glob("autograder/**/*.py"))
    names = {".".join(path.parts).removesuffix(".__init__") for path in files}
    assert sorted(listed) == sorted(names - {"autograder.__main__"})
    assert {path.stem for path in ROOT.glob("solutions/reference/*.md")} == set(pages)
    for page in set(pages) - {"index"}:
        assert f"(/reference/{page}.md)" in pages["index"]


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
