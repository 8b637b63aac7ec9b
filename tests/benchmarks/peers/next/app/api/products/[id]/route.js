// One product.
import { z } from 'zod'
import { prisma } from '../../../../lib/database.js'
import { notFound } from '../../../../lib/errors.js'
import { productOut } from '../../../../lib/representations.js'
import { kept, route } from '../../../../lib/route.js'

const Params = z.object({ id: z.coerce.number().int().min(1) })

export const GET = route('/api/products/[id]', async (request, { params }) => {
  const product = await prisma.product.findFirst({ where: { id: Params.parse(params).id, status: 'live' } })
  if (!product) throw notFound()
  const ETag = `"${product.id}-${product.updatedAt.getTime()}"`
  const headers = { ETag, 'Cache-Control': kept(request) }
  return Response.json({ product: productOut(product) }, { headers })
})
