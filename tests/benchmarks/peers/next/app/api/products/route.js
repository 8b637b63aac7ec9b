// A seller's newest products, and a search.
import { z } from 'zod'
import { prisma } from '../../../lib/database.js'
import { Refusal } from '../../../lib/errors.js'
import { productOut } from '../../../lib/representations.js'
import { kept, route } from '../../../lib/route.js'
import { searchStatement, words } from '../../../lib/search.js'

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

export const GET = route('/api/products', async (request) => {
  const given = Object.fromEntries(request.nextUrl.searchParams)
  const { userId, q, cursor, limit = q ? 50 : 200 } = Query.parse(given)
  const rows = await (q ? search(q, userId, cursor ?? 0, limit) : newest(userId, cursor, limit))
  const products = rows.slice(0, limit).map(productOut)
  const nextCursor = rows.length > limit ? String(q ? (cursor ?? 0) + limit : products.at(-1).id) : null
  const headers = { 'Cache-Control': kept(request) }
  if (nextCursor) {
    headers.Link = `</api/products?${new URLSearchParams({ ...given, cursor: nextCursor })}>; rel="next"`
  }
  return Response.json({ products, nextCursor }, { headers })
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
