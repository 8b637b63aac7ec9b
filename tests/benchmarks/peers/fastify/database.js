// The pool. Each statement has a name, so PostgreSQL parses and plans it once for each connection.
import pg from 'pg'

// Ids and amounts are far below 2^53.
pg.types.setTypeParser(pg.types.builtins.INT8, Number)

// Ten is pg's own default: a process of Node has as many queries under way as it has requests.
export const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 })

export async function transaction(work) {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    const result = await work(client)
    await client.query('COMMIT')
    return result
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  } finally {
    client.release()
  }
}
