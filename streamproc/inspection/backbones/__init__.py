"""Image encoders behind one protocol, ``inspection.nouns.Backbone``: each in a module of its own."""
