// The application: what every answer carries, what is logged, and where the routes are.
import { randomUUID } from 'node:crypto'
import express from 'express'
import pino from 'pino'
import { ZodError } from 'zod'
import { Refusal } from './errors.js'
import { seconds, showMetrics } from './metrics.js'
import { auth } from './routes/auth.js'
import { orders } from './routes/orders.js'
import { products } from './routes/products.js'

const WELL_FORMED = /^[A-Za-z0-9._:-]{1,128}$/

const log = pino({ base: null, timestamp: () => `,"at":"${new Date().toISOString()}"` }, pino.destination(2))

export const app = express()
app.disable('x-powered-by')
// Products have a tag of their own, and nobody keeps the rest.
app.disable('etag')

app.use(function observe(req, res, next) {
  const started = performance.now()
  const given = req.get('X-Request-Id') ?? ''
  req.id = WELL_FORMED.test(given) ? given : randomUUID().replaceAll('-', '')
  res.on('finish', () => {
    const ms = performance.now() - started
    const route = req.route?.path ?? '(no route)'
    const facts = { method: req.method, route, status: res.statusCode }
    seconds.observe(facts, ms / 1000)
    log.info({ ...facts, ms: Number(ms.toFixed(1)), request: req.id })
  })
  res.set({
    'X-Request-Id': req.id,
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'same-origin',
    'Cache-Control': 'no-store',
  })
  next()
})

// The body's bytes are kept: an idempotency key answers again for the same body only.
app.use(express.json({ verify: (req, res, raw) => { req.rawBody = raw } }))

app.get('/metrics', showMetrics)
app.use(products, orders, auth)

app.use((req, res) => problem(req, res, 404, 'not_found', 'Not found'))

app.use((error, req, res, next) => {
  if (res.headersSent) return next(error)
  if (error instanceof ZodError) return problem(req, res, 400, 'validation_failed', error.issues[0].message)
  if (error instanceof Refusal) return problem(req, res, error.status, error.code, error.message)
  if (error.status < 500) return problem(req, res, error.status, 'bad_request', error.message)
  log.error(error)
  problem(req, res, 500, 'internal_error', 'Something went wrong')
})

function problem(req, res, status, code, detail) {
  res.status(status).type('application/problem+json')
  res.send(JSON.stringify({ status, detail, code, requestId: req.id, error: detail }))
}
