"""When to look, windows, and the gate that decides what is worth a model's time."""
