"""The search: the product's own statement, so that PostgreSQL does the same work for both."""

from models import Product

ASKED = """
    (plainto_tsquery('pg_catalog.russian', %s)
     && (plainto_tsquery('pg_catalog.russian', %s) || to_tsquery('pg_catalog.simple', %s)))
"""

NEWEST = f"""
    SELECT id, created_at, search, status = 'live' AND search @@ {ASKED} AS found
    FROM products WHERE search IS NOT NULL ORDER BY created_at DESC, id DESC
"""

STATEMENT = f"""
WITH common AS MATERIALIZED (
    SELECT count(1) FILTER (WHERE found) >= 20 AS yes FROM ({NEWEST} LIMIT 400) AS sample
), walked AS MATERIALIZED (
    SELECT id, created_at, search FROM ({NEWEST} LIMIT 20000) AS near
    WHERE found AND (SELECT yes FROM common)
    ORDER BY created_at DESC, id DESC LIMIT 1000
), done AS MATERIALIZED (
    SELECT (SELECT yes FROM common) AND (
        (SELECT count(1) = 1000 FROM walked)
        OR (SELECT count(1) = 0 FROM ({NEWEST} LIMIT 1 OFFSET 20000) AS beyond)
    ) AS yes
), best AS (
    SELECT id, (ts_rank(search, {ASKED}) * 1000000)::bigint AS rank
    FROM (
        SELECT id, created_at, search FROM walked WHERE (SELECT yes FROM done)
        UNION ALL (
            SELECT id, created_at, search FROM (
                SELECT id, created_at, search FROM products
                WHERE search IS NOT NULL AND status = 'live' AND search @@ (SELECT {ASKED})
                    AND (SELECT NOT yes FROM done)
                OFFSET 0
            ) AS asked_for
            ORDER BY created_at DESC, id DESC LIMIT 1000
        )
    ) AS either
    ORDER BY rank DESC, created_at DESC, id DESC LIMIT %s
)
SELECT products.* FROM products JOIN best USING (id)
ORDER BY best.rank DESC, products.created_at DESC, products.id DESC
"""


def found(words: str, *, limit: int) -> list[Product]:
    """The products with all words, the newest thousand of them best first; the last may be a beginning."""
    *others, last = words.strip()[:200].split()
    quoted = last.replace("\\", "\\\\").replace("'", "''")
    asked = (" ".join(others), last, f"'{quoted}':*")
    # The statement asks in five places.
    return list(Product.raw(STATEMENT, *asked * 5, limit))
