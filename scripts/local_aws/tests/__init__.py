"""A test for each patch."""
