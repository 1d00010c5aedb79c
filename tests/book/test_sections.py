"""A lesson is split into pages where its sections begin."""

import nbformat

from autograder.book.sections import split, write_pages

CELLS = [
    (
        "markdown",
        "# Lesson 1 · All\n\nWhy.\n\n## 1 Groups\n\n*About.*\n\n### 1.1 What is $C_n$?\n\nText.",
    ),
    ("code", "# ## not a heading\n1"),
    ("markdown", "#### Exercise 1 · The product\n\n```\n## not a heading\n```"),
    ("markdown", "### 1.2 More\n\nBy [(2)](#eq-two).\n\n(eq-two)=\n\n$$x \\tag{2}$$"),
    ("markdown", "## 2 The end\n\nGood-bye.\n\n#### Question 1 · Why?"),
]


def lesson():
    """A lesson of two chapters, the second without sections."""
    make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
    cells = [make[kind](text, id=f"c{number}") for number, (kind, text) in enumerate(CELLS)]
    return nbformat.v4.new_notebook(cells=cells)


def test_sections_begin_at_their_headings():
    overview, sections = split(lesson().cells)
    assert [cell.source for cell in overview] == ["# Lesson 1 · All\n\nWhy.\n"]
    found = [(section.chapter, section.title, section.name) for section in sections]
    assert found == [
        ("1 Groups", "1.1 What is $C_n$?", "1-1-what-is-c-n"),
        ("1 Groups", "1.2 More", "1-2-more"),
        ("2 The end", "2 The end", "2-the-end"),
    ]
    first = [cell.source.strip() for cell in sections[0].cells]
    assert first == ["*About.*", "Text.", CELLS[1][1], CELLS[2][1]]


def test_pages_of_a_lesson(tmp_path):
    write_pages(lesson(), "07_x", tmp_path)
    pages = {
        path.relative_to(tmp_path).as_posix(): nbformat.read(path, as_version=4)
        for path in tmp_path.rglob("*.ipynb")
    }
    for page in pages.values():
        nbformat.validate(page)
    text = {name: "\n\n".join(cell.source for cell in page.cells) for name, page in pages.items()}
    overview = text["07_x.ipynb"]
    assert ":caption: 1 Groups\n\n07_x/1-1-what-is-c-n\n07_x/1-2-more\n" in overview
    assert ":maxdepth: 1\n\n07_x/2-the-end\n" in overview and "07_x/one-page.ipynb" in overview
    first = text["07_x/1-1-what-is-c-n.ipynb"]
    assert first.startswith("# 1.1 What is $C_n$?\n\n:::{container} chapter\n1 Groups\n:::")
    assert "\n## Exercise 1 · The product" in first and "```\n## not a heading\n```" in first
    # Equations have names of their own in every lesson, and on the page that repeats them.
    assert "(#eq-07-two)" in text["07_x/1-2-more.ipynb"]
    assert "\n(eq-07-two)=\n" in text["07_x/1-2-more.ipynb"]
    whole = text["07_x/one-page.ipynb"]
    assert "(#eq-07-all-two)" in whole and "\n(eq-07-all-two)=\n" in whole
    assert "\n### 1.1 What" in whole and "\n\n#### Question 1" in whole
    assert pages["07_x/one-page.ipynb"].metadata == {"orphan": True, "nosearch": True}
