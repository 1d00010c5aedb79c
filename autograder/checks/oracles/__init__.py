"""Mathematics that hidden tests compare with, written independently of the lessons."""
