"""What stages run on: bounded channels, clocks, the supervisor of threads."""
