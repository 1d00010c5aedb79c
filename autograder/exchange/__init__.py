"""Submissions in from other systems, marks out to them."""
