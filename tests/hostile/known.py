"""Attacks that succeed still: name → why, and what would end it."""

KNOWN: dict[str, str] = {}
