"""Results of other load generators for language models, as measures of a server under load."""
