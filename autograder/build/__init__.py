"""From a lesson's text to its notebooks, and whether what is committed is what a build gives."""
