"""Rule sets: their YAML, matching, induction."""
