// Products: a seller's newest, one by its id, and a search.
import { Router } from 'express'
import { z } from 'zod'
import { prisma } from '../database.js'
import { Refusal, notFound } from '../errors.js'
import { productOut } from '../representations.js'
import { searchStatement, words } from '../search.js'

const Id = z.coerce.number().int().min(1)
// The cursor is the last product's id; that of a search counts its matches.
const Query = z.strictObject({
  userId: Id.optional(),
  q: z.string().trim().optional(),
  limit: z.coerce.number().int().min(1).max(200).optional(),
  cursor: Id.optional(),
})

const COLUMNS = `id, user_id AS "userId", name, description, price, currency, status,
  created_at AS "createdAt", updated_at AS "updatedAt"`
const EVERYWHERE = `SELECT ${COLUMNS} FROM (${searchStatement('search IS NOT NULL')}) AS found`
const OF_SELLER = `SELECT ${COLUMNS} FROM (${searchStatement('user_id = $6')}) AS found`

export const products = Router()

products.use('/api/products', (req, res, next) => {
  res.vary(['Authorization', 'Cookie'])
  next()
})

products.get('/api/products', async (req, res) => {
  const { userId, q, cursor, limit = q ? 50 : 200 } = Query.parse(req.query)
  const rows = await (q ? search(q, userId, cursor ?? 0, limit) : newest(userId, cursor, limit))
  const page = rows.slice(0, limit).map(productOut)
  const nextCursor = rows.length > limit ? String(q ? (cursor ?? 0) + limit : page.at(-1).id) : null
  if (nextCursor) {
    const query = new URLSearchParams({ ...req.query, cursor: nextCursor })
    res.set('Link', `</api/products?${query}>; rel="next"`)
  }
  keep(req, res).json({ products: page, nextCursor })
})

products.get('/api/products/:id', async (req, res) => {
  const product = await prisma.product.findFirst({ where: { id: Id.parse(req.params.id), status: 'live' } })
  if (!product) throw notFound()
  res.set('ETag', `"${product.id}-${product.updatedAt.getTime()}"`)
  keep(req, res).json({ product: productOut(product) })
})

function newest(userId, cursor, limit) {
  if (!userId) throw new Refusal(400, 'user_id_required', 'userId is required')
  return prisma.product.findMany({
    where: { userId, status: 'live' },
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    take: limit + 1,
    ...(cursor && { cursor: { id: cursor }, skip: 1 }),
  })
}

function search(q, userId, offset, limit) {
  return userId
    ? prisma.$queryRawUnsafe(OF_SELLER, ...words(q), limit + 1, offset, userId)
    : prisma.$queryRawUnsafe(EVERYWHERE, ...words(q), limit + 1, offset)
}

function keep(req, res) {
  return res.set('Cache-Control', `${req.get('Authorization') ? 'private' : 'public'}, no-cache`)
}
