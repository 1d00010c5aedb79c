"""The reference of the package: what its pages in the book hold, made from the folders as they are.

A module is in the reference because it is there. A package also needs a page of its own,
`solutions/reference/<package>.md`: the list of all pages links to it, and Sphinx fails without.
"""

from __future__ import annotations

import ast

from autograder.course import PACKAGE

MODULE = "```{{eval-rst}}\n.. automodule:: {}\n   :{}:\n```\n\n"


def reference() -> dict[str, str]:
    """Return the Markdown of each page by its package's name, and of their list as `index`.

    The page `autograder` holds the modules that stand in no folder.
    """
    pages = {"index": "| page | what it is about |\n|---|---|\n"}
    for path in sorted(PACKAGE.rglob("*.py")):
        *folders, name = path.relative_to(PACKAGE).with_suffix("").parts
        if name == "__main__":  # importing it would run a command
            continue
        page = folders[0] if folders else PACKAGE.name
        module = ".".join([PACKAGE.name, *folders, name]).removesuffix(".__init__")
        if name == "__init__" and not folders[1:]:
            text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            pages["index"] += f"| [](/reference/{page}.md) | {text.splitlines()[0]} |\n"
            pages[page] = ""
        else:
            pages[page] += f"## `{module}`\n\n"
        # What a package hands on is described where it is defined.
        pages[page] += MODULE.format(module, "no-members" if name == "__init__" else "members")
    return pages
