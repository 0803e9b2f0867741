"""The demonstration: cameras of real footage, a development broker, the pipeline."""
