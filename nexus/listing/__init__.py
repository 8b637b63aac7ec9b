"""What may be seen of the tables, and how: rows, page by page, as far as indexes carry; not who asks."""
