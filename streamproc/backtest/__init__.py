"""`streamproc rules backtest`: what a rule set would have raised on recorded footage."""
