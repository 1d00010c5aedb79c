"""The repository's own promises: dependencies, documents, links, generated files, workflows."""

import ast
import importlib.metadata
import itertools
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import tasks
from autograder import cli
from autograder.course import Course
from autograder.sandbox import warm
from autograder.sandbox.limits import MB, Limits
from autograder.submissions import decoding, reading, safe

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DOCUMENTS = [
    *map(ROOT.joinpath, ("README.md", "CONTRIBUTING.md", "STYLE_GUIDE.md", "CHANGELOG.md")),
    ROOT / "data" / "README.md",
    *sorted((ROOT / "solutions").glob("*.md")),
]
LINK = re.compile(r"\]\((?!\w+:)([^)\s#]*)(?:#([^)\s]*))?\)")


def documents(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def git(*arguments: str) -> str:
    """Return what git prints; skip the test where this is not a git checkout."""
    result = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )
    if result.returncode > 1:
        pytest.skip("not a git checkout")
    return result.stdout


def repository_files() -> list[Path]:
    """All files that are committed, or would be by `git add`."""
    names = git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def is_generated(path: Path) -> bool:
    folder = path.relative_to(ROOT).parts[0]
    return folder in ("source", "release") or (folder == "solutions" and path.suffix == ".ipynb")


# ------------------------------------------------------------------------------- dependencies


def requirements() -> list[Requirement]:
    """Return all dependencies; an extra may name other extras of the project itself."""
    lines = [*PROJECT["dependencies"], *itertools.chain(*PROJECT["optional-dependencies"].values())]
    return [found for found in map(Requirement, lines) if found.name != PROJECT["name"]]


def test_every_dependency_is_bounded_on_both_sides():
    for requirement in requirements():
        operators = {bound.operator for bound in requirement.specifier}
        assert operators == {">=", "<"}, f"{requirement} needs a lower and an upper bound"


def test_environment_agrees_with_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["name"] == PROJECT["name"]
    *packages, pip = environment["dependencies"]
    assert pip == {"pip": ["-e .[dev]"]}
    conda = {r.name.replace("_", "-"): r.specifier for r in map(Requirement, packages)}
    assert conda.pop("python") == Requirement(f"python{PROJECT['requires-python']}").specifier
    conda.pop("pip")
    conda["torch"] = conda.pop("pytorch")
    assert conda == {r.name: r.specifier for r in map(Requirement, PROJECT["dependencies"])}


def imported_modules(text: str) -> set[str]:
    """Return the top-level names of the modules that a Python text imports."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.partition(".")[0])
    return names


def test_what_is_imported_is_declared():
    declared = {requirement.name.lower().replace("_", "-") for requirement in requirements()}
    # escnn is imported only where it is installed, and its place in lesson 4 says so.
    own = {"autograder", "tasks", "tests", "escnn"}
    distributions = importlib.metadata.packages_distributions()
    undeclared: dict[str, list[str]] = {}
    files = [*ROOT.glob("autograder/**/*.py"), *ROOT.glob("notebooks/**/*.py")]
    for path in [*files, ROOT / "nbgrader_config.py"]:
        modules = imported_modules(path.read_text(encoding="utf-8"))
        for module in modules - own - set(sys.stdlib_module_names):
            names = {name.lower().replace("_", "-") for name in distributions.get(module, [])}
            if not names & declared:
                undeclared.setdefault(module, []).append(documents(path))
    assert undeclared == {}


# ------------------------------------------------------------------------- documents and links


@pytest.mark.parametrize("document", DOCUMENTS, ids=documents)
def test_links_lead_to_files_of_the_repository(document):
    text = document.read_text(encoding="utf-8")
    missing = []
    for target, anchor in LINK.findall(text):
        path = (document.parent / target) if target else document
        if not path.exists():
            missing.append(target)
        elif anchor and anchor not in anchors(path):
            missing.append(f"{target}#{anchor}")
    assert missing == []


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub makes for a document's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=documents)
def test_pictures_have_alternative_text(document):
    text = document.read_text(encoding="utf-8")
    assert not re.search(r"!\[\s*\]\(", text)
    pictures = re.findall(r"```\{(?:image|figure)\}", text)
    assert len(pictures) == len(re.findall(r"^:alt: \S", text, re.M))


def test_documented_jobs_exist():
    used = set()
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        used |= set(re.findall(r"(?:`make|tasks\.py) ([a-z]+)", text))
    assert {"demo", "test", "learn", "book"} <= used <= set(tasks.JOBS)


def documented_commands() -> dict[str, set[str]]:
    """Return the subcommands of `python -m autograder` in the documents, each with its options."""
    commands: dict[str, set[str]] = {}
    for path in [*DOCUMENTS, *(ROOT / ".github" / "workflows").glob("*.yml")]:
        text = path.read_text(encoding="utf-8")
        for name, rest in re.findall(r"python -m autograder ([a-z]+)([^`\n]*)", text):
            commands.setdefault(name, set()).update(re.findall(r"--[a-z]+", rest))
    return commands


@pytest.mark.parametrize("name", sorted(documented_commands()))
def test_documented_commands_exist(name: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ending:
        cli.main([name, "--help"])
    assert ending.value.code == 0
    shown = capsys.readouterr().out
    for option in documented_commands()[name]:
        assert option in shown


def test_documented_lessons_exist():
    lessons = Course(ROOT).lessons()
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        begun = re.findall(r"autograder new lesson (\w+)", text)  # the document's own example
        for stem in re.findall(r"\b\d\d_[a-z]\w+", text):
            assert stem in [*lessons, *begun]


def test_address_stands_in_one_place():
    address = PROJECT["urls"]["Repository"].removeprefix("https://")
    owner_and_name = address.partition("/")[2]
    places = []
    for path in repository_files():
        if is_generated(path) or path.suffix in (".png", ".gif", ".gz", ".pt", ".bin", ".woff2"):
            continue
        text = path.read_text(encoding="utf-8")
        if path == ROOT / "README.md":
            text = re.sub(r"<!-- links:start -->.*?<!-- links:end -->", "", text, flags=re.S)
        if owner_and_name in text:
            places.append(documents(path))
    assert places == ["pyproject.toml"]


def test_links_block_of_the_readme_stands_once():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"<!-- links:\w+ -->", text) == [
        "<!-- links:start -->",
        "<!-- links:end -->",
    ]


# ------------------------------------------------------------------ git, CI, edition, commands


def test_generated_files_are_marked():
    paths = ["source/a/a.ipynb", "release/a/a.ipynb", "solutions/a.ipynb", "notebooks/a.py"]
    lines = git("check-attr", "linguist-generated", "--", *paths).splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == ["set", "set", "set", "unspecified"]
    lines = git("check-attr", "diff", "--", *paths, "data/networks/a.pt").splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == [*["unset"] * 3, "unspecified", "unset"]


def test_ci_runs_the_readmes_test_command():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert 'make "${1:-test}" </dev/null' in script
    assert "`make test`" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert os.name == "nt" or os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_edition_stands_where_it_is_cited() -> None:
    edition = Course(ROOT).edition
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == edition
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+?),? ", changelog, re.MULTILINE)[0] == edition


def test_console_script():
    """The installed command is what `python -m autograder` runs."""
    module, _, function = PROJECT["scripts"]["gcnn-course"].partition(":")
    tree = ast.parse((ROOT / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_page_on_the_grader_is_true_to_the_code() -> None:
    page = " ".join((ROOT / "solutions" / "grader.md").read_text(encoding="utf-8").split())
    first, *others = (
        path.read_text(encoding="utf-8").count("@judge.property(")
        for path in sorted((ROOT / "notebooks").glob("*.py"))
    )
    words = {30: "thirty", 40: "forty", 50: "fifty", 60: "sixty", 70: "seventy"}
    assert f"(about {words[round(first, -1)]} in lesson 1, fewer in the others)" in page
    assert max(others) < first
    message = (4 * Limits().output + MB) // 1_000_000
    sizes = [decoding.MAX_BYTES, reading.MAX_TEXT, reading.MAX_CODE, safe.MAX_ALL_PIXELS]
    file, text, code, pixels = (size // 1_000_000 for size in sizes)
    assert (
        f"{file} MB of file, {text} MB of text, {code} MB of code, {reading.MAX_CELLS} cells, "
        f"{pixels} million pixels, {message} MB for a message"
    ) in page
    assert all(machine in page for machine in warm.REFUSED)
