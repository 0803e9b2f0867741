"""`streamproc plan`: what a site of so many cameras needs, reckoned from what was measured."""
