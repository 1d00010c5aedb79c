"""The worked-out lessons with their results, and the website made of them."""
