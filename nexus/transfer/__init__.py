"""Import and export of data as files, with proof that nothing was lost."""
