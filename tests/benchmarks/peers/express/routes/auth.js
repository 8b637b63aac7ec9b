// Signing in, and who is signed in.
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import bcrypt from 'bcrypt'
import { Router } from 'express'
import jwt from 'jsonwebtoken'
import { z } from 'zod'
import { prisma } from '../database.js'
import { Refusal } from '../errors.js'
import { userOut } from '../representations.js'

const SECRET = process.env.JWT_SECRET_KEY
const KID = sha256(`key name${SECRET}`).slice(0, 8)
const LIFETIME = 2 * 60 * 60
const IDLE = 30 * 24 * 60 * 60

const SignIn = z.strictObject({ email: z.string().max(1024), password: z.string().max(1024) })
const Claims = z.object({ sub: z.string(), id: z.number().int(), sid: z.uuid(), type: z.literal('access') })

export const auth = Router()

auth.get('/api/auth/me', async (req, res) => {
  res.json({ user: userOut(await caller(req)) })
})

auth.post('/api/auth/login', async (req, res) => {
  const { email, password } = SignIn.parse(req.body ?? {})
  // Asked for now, since a client that has left has no address.
  const address = req.ip
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
      userAgent: (req.get('User-Agent') ?? '').slice(0, 255),
      address,
      refreshTokens: { create: { hash: sha256(refreshToken) } },
    },
  })
  const token = issue(user, session.id)
  setCookie(res, 'token', token, LIFETIME, '/')
  setCookie(res, 'refresh', refreshToken, IDLE, '/api/auth')
  res.json({ success: true, token, refreshToken, expiresIn: LIFETIME, user: userOut(user) })
})

async function caller(req) {
  const [, token] = /^Bearer\s+(\S+)$/i.exec(req.get('Authorization') ?? '') ?? []
  const claims = verified(token)
  const session = claims && (await prisma.session.findFirst({
    where: { id: claims.sid, userId: claims.id, endedAt: null },
    include: { user: { omit: { password: true } } },
  }))
  if (!session) throw new Refusal(401, 'unauthenticated', 'Sign in first')
  return session.user
}

function verified(token) {
  try {
    const { success, data } = Claims.safeParse(jwt.verify(token, SECRET, { algorithms: ['HS256'] }))
    return success && data.sub === String(data.id) ? data : null
  } catch (error) {
    if (error instanceof jwt.JsonWebTokenError) return null
    throw error
  }
}

function issue({ id, email }, sessionId) {
  const claims = { sub: String(id), id: Number(id), email, sid: sessionId, type: 'access', fresh: false }
  return jwt.sign(claims, SECRET, { expiresIn: LIFETIME, jwtid: randomUUID(), keyid: KID })
}

function setCookie(res, name, value, seconds, path) {
  res.cookie(name, value, { maxAge: seconds * 1000, path, secure: true, httpOnly: true, sameSite: 'strict' })
}

function sha256(text) {
  return createHash('sha256').update(text).digest('hex')
}
