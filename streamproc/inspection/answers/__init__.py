"""Inspection in words: a language model explains what the expert scored; it never changes the score."""
