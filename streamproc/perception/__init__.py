"""Windows in words."""
