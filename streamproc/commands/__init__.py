"""The subcommands of ``streamproc``, one module a part of an operator's work."""
