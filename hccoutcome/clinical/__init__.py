"""The clinical record: variables, composite indices, liver function and staging scores."""
