// Orders: placed in one transaction, and once for each idempotency key.
import { createHash, createHmac, randomUUID } from 'node:crypto'
import { transaction } from '../database.js'
import { Refusal, notFound } from '../errors.js'

const COLUMNS = `id, product_id AS "productId", product_name AS "productName", email, name, status,
  amount, currency, created_at AS "createdAt", updated_at AS "updatedAt"`

const claim = {
  name: 'claim-key',
  text: `INSERT INTO idempotency_keys (hash, body, order_id, product_id, status)
    VALUES ($1, $2, $3, $4, 'created') ON CONFLICT DO NOTHING`,
}
const claimed = {
  name: 'claimed-order',
  text: `SELECT k.body, o.id, k.product_id AS "productId", o.product_name AS "productName", o.email, o.name,
      k.status, o.amount, o.currency, o.created_at AS "createdAt", o.created_at AS "updatedAt"
    FROM idempotency_keys AS k JOIN orders AS o ON o.id = k.order_id WHERE k.hash = $1`,
}
const paidKey = { name: 'paid-key', text: "UPDATE idempotency_keys SET status = 'paid' WHERE order_id = $1" }
const offer = {
  name: 'offer',
  text: `SELECT user_id, name, price, currency FROM products
    WHERE id = $1 AND status = 'live' FOR KEY SHARE`,
}
const insert = {
  name: 'insert-order',
  text: `INSERT INTO orders (id, product_id, seller_id, product_name, email, name, status, amount, currency)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING ${COLUMNS}`,
}
const event = {
  name: 'insert-event',
  text: `INSERT INTO order_events (order_id, at, "from", "to", actor, request_id)
    VALUES ($1, $2, NULL, $3, 'buyer', $4)`,
}

const order = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    productId: { type: 'integer', nullable: true },
    productName: { type: 'string' },
    email: { type: 'string' },
    name: { type: 'string', nullable: true },
    status: { type: 'string' },
    amount: { type: 'integer' },
    currency: { type: 'string' },
    createdAt: { type: 'string', format: 'date-time' },
    updatedAt: { type: 'string', format: 'date-time' },
  },
}
const schema = {
  body: {
    type: 'object',
    required: ['productId', 'email'],
    additionalProperties: false,
    properties: {
      productId: { type: 'integer', minimum: 1 },
      email: { type: 'string', format: 'email', maxLength: 254 },
      name: { type: 'string', maxLength: 255, nullable: true },
    },
  },
  headers: {
    type: 'object',
    properties: { 'idempotency-key': { type: 'string', minLength: 32, maxLength: 255 } },
  },
  response: { 201: { type: 'object', properties: { order, receiptToken: { type: 'string' } } } },
}

export default async function routes(app) {
  // The body's bytes are kept: a key answers again for the same body only.
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, raw, done) => {
    request.rawBody = raw
    app.getDefaultJsonParser('error', 'error')(request, raw.toString(), done)
  })
  app.decorateRequest('rawBody', null)

  app.post('/', { schema }, async (request, reply) => {
    const { order, replayed } = await transaction((client) => place(client, request))
    reply.code(201).header('Location', `/api/orders/${order.id}`)
    if (replayed) reply.header('Idempotent-Replayed', 'true')
    return { order, receiptToken: receipt(order.id) }
  })
}

async function place(client, { id: requestId, body, rawBody, headers }) {
  const id = randomUUID()
  const key = headers['idempotency-key']
  if (key) {
    const hashes = [digest(key), digest(rawBody)]
    const { rowCount } = await client.query({ ...claim, values: [...hashes, id, body.productId] })
    if (!rowCount) return { order: await madeBefore(client, hashes), replayed: true }
  }
  const { rows: [product] } = await client.query({ ...offer, values: [body.productId] })
  if (!product) throw notFound()
  const status = product.price === 0 ? 'paid' : 'created'
  if (key && status === 'paid') await client.query({ ...paidKey, values: [id] })
  const buyer = [body.email, body.name]
  const { user_id: seller, name, price, currency } = product
  const values = [id, body.productId, seller, name, ...buyer, status, price, currency]
  const { rows: [order] } = await client.query({ ...insert, values })
  await client.query({ ...event, values: [id, order.createdAt, status, requestId] })
  return { order, replayed: false }
}

async function madeBefore(client, [hash, body]) {
  const { rows: [made] } = await client.query({ ...claimed, values: [hash] })
  if (!made) {
    throw new Refusal(409, 'idempotency_in_progress', 'The first request with this key is not through yet')
  }
  if (made.body !== body) throw new Refusal(422, 'idempotency_mismatch', 'The key was used with another body')
  return made
}

function receipt(orderId) {
  const bytes = Buffer.from(orderId.replaceAll('-', ''), 'hex')
  const code = createHmac('sha256', process.env.RECEIPT_KEY).update('receipt of order ').update(bytes)
  return code.digest('base64url')
}

function digest(value) {
  return createHash('sha256').update(value).digest('hex')
}
