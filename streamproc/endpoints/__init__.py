"""Where a model answers: servers over HTTP, or an engine in this process; and which of several is asked next."""
