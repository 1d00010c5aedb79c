"""Pythons in which only definitions are run: what they hold of the reference solution, and say."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from conftest import ROOT
from hostile.reference import FOUND, SAID

from autograder.checks import reference
from autograder.checks.remote import KNOWN_KINDS, Names, RemoteError, Session
from autograder.grading.plan import GradeOptions
from autograder.grading.sessions import definitions
from autograder.lesson import Lesson
from autograder.sandbox.limits import Limits
from autograder.sandbox.pythons import Starter, make_starter

TEXT = (ROOT / "tests" / "lessons" / "00_tensors.py").read_text(encoding="utf-8")
LESSON = Lesson.parse(TEXT, ROOT / "notebooks" / "00_tensors.py")


@pytest.fixture(scope="module")
def starter() -> Iterator[Starter]:
    """What starts Pythons here."""
    with make_starter(Limits(), modules=["torch"], sandboxed=GradeOptions().sandbox) as made:
        yield made


def said(session: Session, code: str) -> RemoteError:
    """Return what an attack in the answer `word` says where it is tried among definitions."""
    parts = reference.sources(LESSON, {"word": code}, [])
    space = session.ask("define", [part.sent() for part in parts])
    with pytest.raises(RemoteError) as raised:
        Names(session, space).word(1)
    return raised.value


@pytest.mark.slow
@pytest.mark.parametrize("name", FOUND)
def test_the_solution_that_is_found_is_no_text_and_not_said(starter: Starter, name: str) -> None:
    with definitions(starter, Limits(), 60) as session:
        assert session.wordless
        error = said(session, FOUND[name])
        assert (error.kind, str(error)) == ("RuntimeError", "")
        session.wordless = False
        session.begin(0)
        words = str(said(session, FOUND[name]))
    assert words.startswith("LEAKED "), "the attack is one"
    found = bytes.fromhex(words.removeprefix("LEAKED ")[:200])
    assert b"return" not in found and b"values moved on" not in found, "a text, or a docstring"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_text_of_the_solution_is_in_the_memory() -> None:
    """Without a sandbox, for not every one shows /proc."""
    attack = FOUND["the solution is found in the memory of the process"]
    with (
        make_starter(Limits(), sandboxed=False) as starter,
        definitions(starter, Limits(), 60) as session,
    ):
        session.wordless = False
        words = str(said(session, attack))
    found = bytes.fromhex(words.removeprefix("LEAKED ")[:200])
    assert found[:1] == b"\xe3", "compiled code, as marshal writes it"


@pytest.mark.slow
def test_names_of_exceptions_come_from_a_known_list(starter: Starter) -> None:
    with definitions(starter, Limits(), 60) as session:
        for name in ("the name of an exception", "an exception's notes, cause and attributes"):
            error = said(session, SAID[f"the solution is said by {name}"])
            assert error.kind in KNOWN_KINDS and str(error) == ""
            session.begin(0)
