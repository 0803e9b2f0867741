"""What moves, and how it measures beside this camera's normal footage."""
