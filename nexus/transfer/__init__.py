"""Data in and out as files, with proof that nothing was lost on the way."""
