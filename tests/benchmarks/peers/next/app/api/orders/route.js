// Orders: placed in one transaction, and once for each idempotency key.
import { createHmac, randomUUID } from 'node:crypto'
import { z } from 'zod'
import { prisma } from '../../../lib/database.js'
import { Refusal, notFound } from '../../../lib/errors.js'
import { orderOut } from '../../../lib/representations.js'
import { route } from '../../../lib/route.js'
import { sha256 } from '../../../lib/tokens.js'

const Key = z.string().min(32).max(255).optional()
const NewOrder = z.strictObject({
  productId: z.number().int().min(1),
  email: z.email().max(254),
  name: z.string().max(255).nullish(),
})

export const POST = route('/api/orders', async (request, { requestId }) => {
  const raw = await request.text()
  const body = NewOrder.parse(JSON.parse(raw))
  const key = Key.parse(request.headers.get('idempotency-key') ?? undefined)
  const hashes = key && { hash: sha256(key), body: sha256(raw) }
  const { order, replayed } = await prisma.$transaction((tx) => place(tx, body, hashes, requestId))
  const headers = { Location: `/api/orders/${order.id}` }
  if (replayed) headers['Idempotent-Replayed'] = 'true'
  return Response.json({ order: orderOut(order), receiptToken: receipt(order.id) }, { status: 201, headers })
})

async function place(tx, { productId, email, name }, hashes, requestId) {
  const id = randomUUID()
  if (hashes) {
    const claim = { ...hashes, orderId: id, productId, status: 'created' }
    const { count } = await tx.idempotencyKey.createMany({ data: claim, skipDuplicates: true })
    if (!count) return { order: await madeBefore(tx, hashes), replayed: true }
  }
  const product = await tx.product.findFirst({ where: { id: productId, status: 'live' } })
  if (!product) throw notFound()
  const status = product.price === 0n ? 'paid' : 'created'
  if (hashes && status === 'paid') {
    await tx.idempotencyKey.update({ where: { hash: hashes.hash }, data: { status } })
  }
  const order = await tx.order.create({
    data: {
      id,
      productId,
      sellerId: product.userId,
      productName: product.name,
      email,
      name,
      status,
      amount: product.price,
      currency: product.currency,
      events: { create: { target: status, actor: 'buyer', requestId } },
    },
  })
  return { order, replayed: false }
}

async function madeBefore(tx, { hash, body }) {
  const made = await tx.idempotencyKey.findUnique({ where: { hash }, include: { order: true } })
  if (!made) {
    throw new Refusal(409, 'idempotency_in_progress', 'The first request with this key is not through yet')
  }
  if (made.body !== body) throw new Refusal(422, 'idempotency_mismatch', 'The key was used with another body')
  const { order, productId, status } = made
  return { ...order, productId, status, updatedAt: order.createdAt }
}

function receipt(orderId) {
  const bytes = Buffer.from(orderId.replaceAll('-', ''), 'hex')
  const code = createHmac('sha256', process.env.RECEIPT_KEY).update('receipt of order ').update(bytes)
  return code.digest('base64url')
}
