"""The problems: data, exact evaluation, explicit models and bounds that need no search."""
