// The statement of a search: the best of the newest thousand matches.
//
// Words that many products have are found by walking the list, those that few have by the index of words;
// which of them is decided by how many of the first 400 rows match.
const ASKED = `(plainto_tsquery('pg_catalog.russian', $1)
  && (plainto_tsquery('pg_catalog.russian', $2) || to_tsquery('pg_catalog.simple', $3)))`
const FOUND = `status = 'live' AND search @@ ${ASKED}`

/** The SQL of a search in such products, as of the seller $6; it takes `words`, a limit and an offset. */
export function searchStatement(products) {
  const newest = `SELECT id, created_at, search, (${FOUND}) AS found FROM products
    WHERE ${products} ORDER BY created_at DESC, id DESC`
  return `
WITH common AS MATERIALIZED (
  SELECT count(1) FILTER (WHERE found) >= 20 AS yes FROM (${newest} LIMIT 400) AS sample
), walked AS MATERIALIZED (
  SELECT id, created_at, search FROM (${newest} LIMIT 20000) AS near
  WHERE found AND (SELECT yes FROM common) ORDER BY created_at DESC, id DESC LIMIT 1000
), done AS MATERIALIZED (
  SELECT (SELECT yes FROM common) AND (
    (SELECT count(1) = 1000 FROM walked)
    OR (SELECT count(1) = 0 FROM (${newest} LIMIT 1 OFFSET 20000) AS beyond)
  ) AS yes
), matches AS (
  SELECT * FROM walked WHERE (SELECT yes FROM done)
  UNION ALL (
    SELECT * FROM (
      SELECT id, created_at, search FROM products
      WHERE ${products} AND status = 'live' AND search @@ (SELECT ${ASKED}) AND (SELECT NOT yes FROM done)
      OFFSET 0
    ) AS asked_for ORDER BY created_at DESC, id DESC LIMIT 1000
  )
), best AS (
  SELECT id, created_at, (ts_rank(search, ${ASKED}) * 1000000)::bigint AS rank
  FROM matches ORDER BY rank DESC, created_at DESC, id DESC LIMIT $4 OFFSET $5
)
SELECT p.id, p.user_id, p.name, p.description, p.price, p.currency, p.status, p.created_at, p.updated_at
FROM products AS p JOIN best USING (id) ORDER BY best.rank DESC, p.created_at DESC, p.id DESC`
}

/** What a text asks for: words without their endings, the last perhaps the beginning of another. */
export function words(text) {
  const all = text.trim().slice(0, 200).trim().split(/\s+/)
  const last = all.pop()
  const beginning = last.replaceAll('\\', '\\\\').replaceAll("'", "''")
  return [all.join(' '), last, `'${beginning}':*`]
}
