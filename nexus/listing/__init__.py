"""Read access for the pages: visible columns, and lists that an index answers.

Who may ask is decided elsewhere.
"""
