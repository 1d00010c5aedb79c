"""Marks and what is known of them: nbgrader's gradebook, and a record of each grading."""
