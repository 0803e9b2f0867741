"""Cameras in processes of their own: what crosses between them and the site, and who keeps them running."""
