"""Inspection beside the straight line: which crops of a camera are looked at, and what many looks come to."""
