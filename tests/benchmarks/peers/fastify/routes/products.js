// Products: a seller's newest, one by its id, and a search.
import { pool } from '../database.js'
import { Refusal, notFound } from '../errors.js'
import { searchStatement, words } from '../search.js'

const COLUMNS = `id, user_id AS "userId", name, description, price, currency, status,
  created_at AS "createdAt", updated_at AS "updatedAt"`
const NEWEST = `SELECT ${COLUMNS} FROM products WHERE user_id = $1 AND status = 'live'`
const ORDER = 'ORDER BY created_at DESC, id DESC LIMIT $2'

const first = { name: 'first-products', text: `${NEWEST} ${ORDER}` }
// The cursor is the last product's id, by which its place is found; that of a search counts its matches.
const next = {
  name: 'next-products',
  text: `${NEWEST} AND (created_at, id) < (SELECT created_at, id FROM products WHERE id = $3) ${ORDER}`,
}
const one = { name: 'product', text: `SELECT ${COLUMNS} FROM products WHERE id = $1 AND status = 'live'` }
const found = searchStatement('search IS NOT NULL')
const everywhere = { name: 'search', text: `SELECT ${COLUMNS} FROM (${found}) AS found` }
const foundOfSeller = searchStatement('user_id = $6')
const ofSeller = { name: 'search-of-seller', text: `SELECT ${COLUMNS} FROM (${foundOfSeller}) AS found` }

const product = {
  type: 'object',
  properties: {
    id: { type: 'integer' },
    userId: { type: 'integer' },
    name: { type: 'string' },
    description: { type: 'string' },
    price: { type: 'integer' },
    currency: { type: 'string' },
    status: { type: 'string' },
    createdAt: { type: 'string', format: 'date-time' },
    updatedAt: { type: 'string', format: 'date-time' },
  },
}
const list = {
  querystring: {
    type: 'object',
    additionalProperties: false,
    properties: {
      userId: { type: 'integer', minimum: 1 },
      q: { type: 'string' },
      limit: { type: 'integer', minimum: 1, maximum: 200 },
      cursor: { type: 'integer', minimum: 1 },
    },
  },
  response: {
    200: {
      type: 'object',
      properties: {
        products: { type: 'array', items: product },
        nextCursor: { type: 'string', nullable: true },
      },
    },
  },
}
const get = {
  params: { type: 'object', properties: { id: { type: 'integer', minimum: 1 } } },
  response: { 200: { type: 'object', properties: { product } } },
}

export default async function routes(app) {
  app.addHook('onSend', async (request, reply) => {
    reply.header('Vary', 'Authorization, Cookie')
    if (reply.statusCode !== 200) return
    reply.header('Cache-Control', `${request.headers.authorization ? 'private' : 'public'}, no-cache`)
  })

  app.get('/', { schema: list }, async (request, reply) => {
    const q = request.query.q?.trim()
    const { userId, cursor, limit = q ? 50 : 200 } = request.query
    const rows = await (q ? search(q, userId, cursor ?? 0, limit) : newest(userId, cursor, limit))
    if (rows.length <= limit) return { products: rows, nextCursor: null }
    const products = rows.slice(0, limit)
    const nextCursor = String(q ? (cursor ?? 0) + limit : products.at(-1).id)
    const query = new URLSearchParams({ ...request.query, cursor: nextCursor })
    reply.header('Link', `</api/products?${query}>; rel="next"`)
    return { products, nextCursor }
  })

  app.get('/:id', { schema: get }, async (request, reply) => {
    const { rows } = await pool.query({ ...one, values: [request.params.id] })
    if (!rows.length) throw notFound()
    reply.header('ETag', `"${rows[0].id}-${rows[0].updatedAt.getTime()}"`)
    return { product: rows[0] }
  })
}

async function newest(userId, cursor, limit) {
  if (!userId) throw new Refusal(400, 'user_id_required', 'userId is required')
  const query = cursor
    ? { ...next, values: [userId, limit + 1, cursor] }
    : { ...first, values: [userId, limit + 1] }
  return (await pool.query(query)).rows
}

async function search(q, userId, offset, limit) {
  const query = userId
    ? { ...ofSeller, values: [...words(q), limit + 1, offset, userId] }
    : { ...everywhere, values: [...words(q), limit + 1, offset] }
  return (await pool.query(query)).rows
}
