// Signing in with e-mail and password.
import { randomBytes } from 'node:crypto'
import bcrypt from 'bcrypt'
import { NextResponse } from 'next/server'
import { z } from 'zod'
import { prisma } from '../../../../lib/database.js'
import { Refusal } from '../../../../lib/errors.js'
import { userOut } from '../../../../lib/representations.js'
import { route } from '../../../../lib/route.js'
import { LIFETIME, issue, sha256 } from '../../../../lib/tokens.js'

const IDLE = 30 * 24 * 60 * 60
const SignIn = z.strictObject({ email: z.string().max(1024), password: z.string().max(1024) })

export const POST = route('/api/auth/login', async (request) => {
  const { email, password } = SignIn.parse(await request.json())
  const [user] = await prisma.$queryRaw`
    SELECT id, email, password, role, created_at AS "createdAt" FROM users
    WHERE lower(email) = lower(${email})`
  if (!user || !(await bcrypt.compare(password, user.password))) {
    throw new Refusal(401, 'invalid_credentials', 'Invalid e-mail or password')
  }
  const refreshToken = randomBytes(32).toString('base64url')
  const session = await prisma.session.create({
    data: {
      userId: user.id,
      userAgent: (request.headers.get('user-agent') ?? '').slice(0, 255),
      // Next writes it, where no proxy did.
      address: request.headers.get('x-forwarded-for') ?? '',
      refreshTokens: { create: { hash: sha256(refreshToken) } },
    },
  })
  const token = await issue(user, session.id)
  const answer = { success: true, token, refreshToken, expiresIn: LIFETIME, user: userOut(user) }
  const response = NextResponse.json(answer)
  setCookie(response, 'token', token, LIFETIME, '/')
  setCookie(response, 'refresh', refreshToken, IDLE, '/api/auth')
  return response
})

function setCookie(response, name, value, maxAge, path) {
  response.cookies.set(name, value, { maxAge, path, secure: true, httpOnly: true, sameSite: 'strict' })
}
