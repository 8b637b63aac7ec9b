"""The API as its description says it is, held against requests that nobody thought of."""
