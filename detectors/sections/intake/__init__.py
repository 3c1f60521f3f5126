"""The tables of what comes before judging: admission, context, sources, late and missing data."""
