"""Votes, smoothing, the verdict and its reasons."""
