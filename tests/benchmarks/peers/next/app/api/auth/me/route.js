// Who is signed in.
import { prisma } from '../../../../lib/database.js'
import { Refusal } from '../../../../lib/errors.js'
import { userOut } from '../../../../lib/representations.js'
import { route } from '../../../../lib/route.js'
import { verified } from '../../../../lib/tokens.js'

export const GET = route('/api/auth/me', async (request) => {
  return Response.json({ user: userOut(await caller(request)) })
})

async function caller(request) {
  const [, token] = /^Bearer\s+(\S+)$/i.exec(request.headers.get('authorization') ?? '') ?? []
  const claims = token && (await verified(token))
  const session = claims && (await prisma.session.findFirst({
    where: { id: claims.sid, userId: claims.id, endedAt: null },
    include: { user: { omit: { password: true } } },
  }))
  if (!session) throw new Refusal(401, 'unauthenticated', 'Sign in first')
  return session.user
}
