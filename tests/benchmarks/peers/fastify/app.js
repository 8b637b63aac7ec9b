// The application: what every answer carries, what is logged, and where the routes are.
import { randomUUID } from 'node:crypto'
import jwt from '@fastify/jwt'
import Fastify, { LogController } from 'fastify'
import pino from 'pino'
import { pool } from './database.js'
import metrics from './metrics.js'
import auth from './routes/auth.js'
import orders from './routes/orders.js'
import products from './routes/products.js'

const WELL_FORMED = /^[A-Za-z0-9._:-]{1,128}$/
const CODES = { 400: 'validation_failed', 401: 'unauthenticated', 404: 'not_found' }

const log = pino({ base: null, timestamp: () => `,"at":"${new Date().toISOString()}"` }, pino.destination(2))

export function buildApp() {
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request' }),
    ajv: { customOptions: { removeAdditional: false } },
    genReqId: ({ headers: { 'x-request-id': given } }) =>
      WELL_FORMED.test(given ?? '') ? given : randomUUID().replaceAll('-', ''),
  })

  app.register(jwt, { secret: process.env.JWT_SECRET_KEY, verify: { algorithms: ['HS256'] } })
  app.register(metrics)

  app.addHook('onRequest', async (request, reply) => {
    reply.headers({
      'X-Request-Id': request.id,
      'X-Content-Type-Options': 'nosniff',
      'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
      'X-Frame-Options': 'DENY',
      'Referrer-Policy': 'same-origin',
      'Cache-Control': 'no-store',
    })
  })

  app.addHook('onResponse', async (request, reply) => {
    request.log.info({
      method: request.method,
      route: request.routeOptions.url ?? '(no route)',
      status: reply.statusCode,
      ms: Number(reply.elapsedTime.toFixed(1)),
    })
  })

  app.addHook('onClose', () => pool.end())

  app.setErrorHandler((error, request, reply) => {
    const status = error.statusCode ?? 500
    if (status >= 500) request.log.error(error)
    const detail = status < 500 ? error.message : 'Something went wrong'
    return problem(request, reply, status, detail, error.problem)
  })
  app.setNotFoundHandler((request, reply) => problem(request, reply, 404, 'Not found'))

  app.register(products, { prefix: '/api/products' })
  app.register(orders, { prefix: '/api/orders' })
  app.register(auth, { prefix: '/api/auth' })
  return app
}

function problem(request, reply, status, detail, code = CODES[status] ?? 'internal_error') {
  reply.code(status).type('application/problem+json')
  return reply.send({ status, detail, code, requestId: request.id, error: detail })
}
