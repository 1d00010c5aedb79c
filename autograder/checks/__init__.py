"""Hidden tests: properties of a student's answer, judged against an independent oracle."""

from autograder.checks.judge import Judge, PropertyFailed

__all__ = ["Judge", "PropertyFailed"]
