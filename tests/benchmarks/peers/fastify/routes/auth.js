// Signing in, and who is signed in.
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import bcrypt from 'bcrypt'
import { pool, transaction } from '../database.js'
import { Refusal } from '../errors.js'

const LIFETIME = 2 * 60 * 60
const IDLE = 30 * 24 * 60 * 60
const KID = createHash('sha256').update(`key name${process.env.JWT_SECRET_KEY}`).digest('hex').slice(0, 8)

const byEmail = {
  name: 'user-by-email',
  text: `SELECT id, email, password, role, created_at AS "createdAt" FROM users
    WHERE lower(email) = lower($1)`,
}
const ofSession = {
  name: 'user-of-session',
  text: `SELECT u.id, u.email, u.role, u.created_at AS "createdAt"
    FROM sessions AS s JOIN users AS u ON u.id = s.user_id
    WHERE s.id = $1 AND s.user_id = $2 AND s.ended_at IS NULL`,
}
const begin = {
  name: 'begin-session',
  text: 'INSERT INTO sessions (id, user_id, user_agent, address) VALUES ($1, $2, $3, $4)',
}
const addRefresh = {
  name: 'add-refresh',
  text: 'INSERT INTO refresh_tokens (hash, session_id) VALUES ($1, $2)',
}

const user = {
  type: 'object',
  properties: {
    id: { type: 'integer' },
    email: { type: 'string' },
    role: { type: 'string' },
    createdAt: { type: 'string', format: 'date-time' },
  },
}
const me = { response: { 200: { type: 'object', properties: { user } } } }
const login = {
  body: {
    type: 'object',
    required: ['email', 'password'],
    additionalProperties: false,
    properties: {
      email: { type: 'string', maxLength: 1024 },
      password: { type: 'string', maxLength: 1024 },
    },
  },
  response: {
    200: {
      type: 'object',
      properties: {
        success: { type: 'boolean' },
        token: { type: 'string' },
        refreshToken: { type: 'string' },
        expiresIn: { type: 'integer' },
        user,
      },
    },
  },
}

export default async function routes(app) {
  app.get('/me', { schema: me }, async (request) => {
    return { user: await caller(request) }
  })

  app.post('/login', { schema: login }, async (request, reply) => {
    const { email, password } = request.body
    // Asked for now, since a client that has left has no address.
    const address = request.ip
    const { rows: [account] } = await pool.query({ ...byEmail, values: [email] })
    if (!account || !(await bcrypt.compare(password, account.password))) {
      throw new Refusal(401, 'invalid_credentials', 'Invalid e-mail or password')
    }
    const session = randomUUID()
    const refreshToken = randomBytes(32).toString('base64url')
    const agent = (request.headers['user-agent'] ?? '').slice(0, 255)
    await transaction(async (client) => {
      await client.query({ ...begin, values: [session, account.id, agent, address] })
      await client.query({ ...addRefresh, values: [sha256(refreshToken), session] })
    })
    const token = app.jwt.sign(claims(account, session), { expiresIn: LIFETIME, kid: KID })
    reply.header('Set-Cookie', [
      cookie('token', token, LIFETIME, '/'),
      cookie('refresh', refreshToken, IDLE, '/api/auth'),
    ])
    return { success: true, token, refreshToken, expiresIn: LIFETIME, user: account }
  })
}

async function caller(request) {
  try {
    const { sub, id, sid, type } = await request.jwtVerify()
    if (type === 'access' && sub === String(id)) {
      const { rows } = await pool.query({ ...ofSession, values: [sid, id] })
      if (rows.length) return rows[0]
    }
  } catch (error) {
    if (error.statusCode !== 401) throw error
  }
  throw new Refusal(401, 'unauthenticated', 'Sign in first')
}

function claims({ id, email }, session) {
  return { sub: String(id), id, email, sid: session, type: 'access', fresh: false, jti: randomUUID() }
}

function cookie(name, value, seconds, path) {
  return `${name}=${value}; Max-Age=${seconds}; Path=${path}; Secure; HttpOnly; SameSite=Strict`
}

function sha256(text) {
  return createHash('sha256').update(text).digest('hex')
}
