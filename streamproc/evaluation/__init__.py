"""How well rules do on labelled footage: loading, scoring, measures. Nothing that runs live imports it."""
