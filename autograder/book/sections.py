"""A lesson as pages of the book: an overview, a page for each section, and all on one page.

The overview has the lesson's own name, `<lesson>.ipynb`; the others lie in a folder of that name.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ONE_PAGE = "one-page"
_FENCE = re.compile(r"^\s*```")
_HEADING = re.compile(r"^(#{2,3}) +(.+)$")
_LOWER_HEADING = re.compile(r"^##(#{2,} )", re.MULTILINE)
_EQUATION = re.compile(r"(?<=\]\(#)eq-|(?<=^\()eq-(?=[\w-]+\)=$)", re.MULTILINE)


@dataclass
class Section:
    """One page: the section's heading, that of its chapter, and its cells."""

    title: str
    chapter: str
    cells: list[NotebookNode] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The file's name, without suffix."""
        words = re.findall(r"[a-z0-9]+", self.title.lower().replace("\\text", ""))
        return "-".join(words)


def write_pages(notebook: NotebookNode, stem: str, folder: Path) -> list[Path]:
    """Write a presented lesson's pages into a folder; return their paths, the overview first."""
    overview, sections = split(notebook.cells)
    number = stem.partition("_")[0]
    contents = [_contents(stem, chapter, list(pages)) for chapter, pages in _chapters(sections)]
    contents.append(
        f"Or read it [all on one page]({stem}/{ONE_PAGE}.ipynb), for instance to print it."
    )
    pages = {folder / f"{stem}.ipynb": [*overview, _markdown("contents", "\n\n".join(contents))]}
    for section in sections:
        pages[folder / stem / f"{section.name}.ipynb"] = _page(section)
    pages[folder / stem / f"{ONE_PAGE}.ipynb"] = notebook.cells
    for path, cells in pages.items():
        once = path.stem == ONE_PAGE
        page = nbformat.from_dict({**notebook, "cells": [dict(cell) for cell in cells]})
        for cell in page.cells:
            # Both lessons have an equation "group", and the one page has it once more.
            cell.source = _EQUATION.sub(f"eq-{number}-{'all-' if once else ''}", cell.source)
        if once:  # what stands on it is found on the others
            page.metadata |= {"orphan": True, "nosearch": True}
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(page, path)
    return list(pages)


def split(cells: list[NotebookNode]) -> tuple[list[NotebookNode], list[Section]]:
    """Return the cells before the first section, and the sections."""
    overview: list[NotebookNode] = []
    sections: list[Section] = []
    begun = False  # a chapter whose first section has not come yet
    for cell in cells:
        for heading, part in _parts(cell):
            level, title = heading
            if level == 2:
                sections.append(Section(title, title))
            elif level == 3 and begun:
                sections[-1].title = title
            elif level == 3:
                sections.append(Section(title, sections[-1].chapter))
            begun = level == 2 or (begun and level == 0 and part.cell_type == "markdown")
            if part.source.strip() or part.cell_type == "code":
                (sections[-1].cells if sections else overview).append(part)
    return overview, sections


def _parts(cell: NotebookNode) -> Iterator[tuple[tuple[int, str], NotebookNode]]:
    """Yield a cell's parts that begin with a heading: its level and words, (0, "") for none."""
    if cell.cell_type != "markdown":
        yield (0, ""), cell
        return
    heading, lines, fenced, count = (0, ""), list[str](), False, 0
    for line in cell.source.splitlines():
        fenced ^= bool(_FENCE.match(line))
        found = None if fenced else _HEADING.match(line)
        if found:
            if lines or heading[0]:
                yield heading, _markdown(f"{cell.id[:60]}-{count}", "\n".join(lines))
            heading, lines, count = (len(found[1]), found[2]), [], count + 1
        else:
            lines.append(line)
    yield heading, nbformat.from_dict({**cell, "source": "\n".join(lines)})


def _page(section: Section) -> list[NotebookNode]:
    """Return a section's cells below its title, the headings two levels higher."""
    chapter = "" if section.chapter == section.title else section.chapter
    title = f"# {section.title}\n\n"
    title += f":::{{container}} chapter\n{chapter}\n:::" if chapter else ""
    cells = [_markdown("title", title)]
    for cell in section.cells:
        raised = nbformat.from_dict(dict(cell))
        if cell.cell_type == "markdown":
            raised.source = _LOWER_HEADING.sub(r"\1", cell.source)
        cells.append(raised)
    return cells


def _chapters(sections: list[Section]) -> Iterator[tuple[str, Iterator[Section]]]:
    return itertools.groupby(sections, key=lambda section: section.chapter)


def _contents(stem: str, chapter: str, sections: list[Section]) -> str:
    """Return the table of contents of one chapter."""
    pages = "\n".join(f"{stem}/{section.name}" for section in sections)
    alone = [section.title for section in sections] == [chapter]
    caption = "" if alone else f":caption: {chapter}\n"
    return f"```{{toctree}}\n:maxdepth: 1\n{caption}\n{pages}\n```"


def _markdown(name: str, source: str) -> NotebookNode:
    return nbformat.v4.new_markdown_cell(source, id=name)
