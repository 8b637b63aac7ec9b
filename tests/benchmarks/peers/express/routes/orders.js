// Orders: placed in one transaction, and once for each idempotency key.
import { createHash, createHmac, randomUUID } from 'node:crypto'
import { Router } from 'express'
import { z } from 'zod'
import { prisma } from '../database.js'
import { Refusal, notFound } from '../errors.js'
import { orderOut } from '../representations.js'

const Key = z.string().min(32).max(255).optional()
const NewOrder = z.strictObject({
  productId: z.number().int().min(1),
  email: z.email().max(254),
  name: z.string().max(255).nullish(),
})

export const orders = Router()

orders.post('/api/orders', async (req, res) => {
  const body = NewOrder.parse(req.body ?? {})
  const key = Key.parse(req.get('Idempotency-Key'))
  const hashes = key && { hash: digest(key), body: digest(req.rawBody) }
  const { order, replayed } = await prisma.$transaction((tx) => place(tx, body, hashes, req.id))
  res.status(201).set('Location', `/api/orders/${order.id}`)
  if (replayed) res.set('Idempotent-Replayed', 'true')
  res.json({ order: orderOut(order), receiptToken: receipt(order.id) })
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

function digest(value) {
  return createHash('sha256').update(value).digest('hex')
}
