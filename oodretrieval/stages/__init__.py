"""The stages in the order of the pipeline, one folder per verb: a settings dataclass and a function each."""
