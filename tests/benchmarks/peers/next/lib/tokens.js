// Access tokens, and the hash that is kept of a refresh token.
import { createHash, randomUUID } from 'node:crypto'
import { SignJWT, errors, jwtVerify } from 'jose'
import { z } from 'zod'

export const LIFETIME = 2 * 60 * 60

const SECRET = new TextEncoder().encode(process.env.JWT_SECRET_KEY)
const KID = sha256(`key name${process.env.JWT_SECRET_KEY}`).slice(0, 8)
const Claims = z.object({ sub: z.string(), id: z.number().int(), sid: z.uuid(), type: z.literal('access') })

export function issue({ id, email }, sessionId) {
  return new SignJWT({ id: Number(id), email, sid: sessionId, type: 'access', fresh: false })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid: KID })
    .setSubject(String(id))
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime(`${LIFETIME}s`)
    .sign(SECRET)
}

/** The claims of a good token, or null. */
export async function verified(token) {
  try {
    const { payload } = await jwtVerify(token, SECRET, { algorithms: ['HS256'] })
    const { success, data } = Claims.safeParse(payload)
    return success && data.sub === String(data.id) ? data : null
  } catch (error) {
    if (error instanceof errors.JOSEError) return null
    throw error
  }
}

export function sha256(value) {
  return createHash('sha256').update(value).digest('hex')
}
