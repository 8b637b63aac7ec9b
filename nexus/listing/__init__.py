"""Read access for the pages: visible columns, and lists that an index supports.

Who may read is decided elsewhere.
"""
