"""Leave the outputs out of a notebook that is read piece by piece, however large they are.

Grading runs a notebook anew, so its outputs are not needed. Only the text is looked at: what is no
JSON comes out as it went in.
"""

from __future__ import annotations

import re

OUTSIDE = re.compile(rb'["\[\]{}]')
STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
INSIDE = re.compile(rb'["\\]')
# { "cells": [ {, and one step deeper, in a worksheet, of nbformat 3.
DEPTHS = (3, 5)


class WithoutOutputs:
    """Takes pieces of a file, and gives them back with `"outputs": []` in the place of outputs.

    kept: what came out so far.
    """

    def __init__(self) -> None:
        self.kept = bytearray()
        self._open: list[int] = []
        self._string: bytearray | None = None  # the one that is being read
        self._escaped = False
        self._last = b""  # the last string outside of what is left out
        self._skip = 0  # the depth of the outputs that are being left out

    def feed(self, piece: bytes) -> None:
        """Take the next piece."""
        at = 0
        while at < len(piece):
            at = self._inside(piece, at) if self._string is not None else self._outside(piece, at)

    def _keep(self, data: bytes) -> None:
        if not self._skip:
            self.kept += data

    def _inside(self, piece: bytes, at: int) -> int:
        """Read on in a string; return where to go on."""
        assert self._string is not None
        if self._escaped:
            self._escaped = False
            self._keep(piece[at : at + 1])
            return at + 1
        match = INSIDE.search(piece, at)
        end = match.end() if match else len(piece)
        self._keep(piece[at:end])
        if len(self._string) < 20:
            self._string += piece[at : at + 20] if match is None else piece[at : match.start()]
        if match and match.group() == b"\\":
            self._escaped = True
            self._string += b"\\"
        elif match:
            self._last, self._string = bytes(self._string), None
        return end

    def _outside(self, piece: bytes, at: int) -> int:
        """Read on between strings; return where to go on."""
        match = OUTSIDE.search(piece, at)
        if match is None:
            self._keep(piece[at:])
            return len(piece)
        sign = match.group()
        self._keep(piece[at : match.start()])
        if sign == b'"':
            if self._skip and (string := STRING.match(piece, match.start())):
                return string.end()  # the same, faster
            self._keep(sign)
            self._string = bytearray()
        elif sign in b"[{":
            if sign == b"[" and self._last == b"outputs" and len(self._open) in DEPTHS:
                self._keep(b"[]")
                self._skip = self._skip or len(self._open) + 1
            self._open.append(sign[0])
            self._keep(sign)
            self._last = b""
        else:
            self._keep(sign)
            if self._skip == len(self._open):
                self._skip = 0
            if self._open:
                self._open.pop()
        return match.end()
