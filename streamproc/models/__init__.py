"""Where weights come from: pinned, hashed, cached."""
