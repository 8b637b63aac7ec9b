// What is the same for every route handler: the request's id, log and metrics, and what an error looks like.
import { randomUUID } from 'node:crypto'
import pino from 'pino'
import { ZodError } from 'zod'
import { Refusal } from './errors.js'
import { seconds } from './metrics.js'

const WELL_FORMED = /^[A-Za-z0-9._:-]{1,128}$/

const log = pino({ base: null, timestamp: () => `,"at":"${new Date().toISOString()}"` }, pino.destination(2))

/** A route handler that also gets the request's id, and may throw. */
export function route(path, handler) {
  return async (request, { params }) => {
    const started = performance.now()
    const given = request.headers.get('x-request-id') ?? ''
    const requestId = WELL_FORMED.test(given) ? given : randomUUID().replaceAll('-', '')
    const response = await answer(handler, request, { params: await params, requestId })
    response.headers.set('X-Request-Id', requestId)
    if (!response.headers.has('Cache-Control')) response.headers.set('Cache-Control', 'no-store')
    const ms = performance.now() - started
    const facts = { method: request.method, route: path, status: response.status }
    seconds.observe(facts, ms / 1000)
    log.info({ ...facts, ms: Number(ms.toFixed(1)), request: requestId })
    return response
  }
}

async function answer(handler, request, context) {
  try {
    return await handler(request, context)
  } catch (error) {
    const [status, code, detail] = told(error)
    const problem = { status, detail, code, requestId: context.requestId, error: detail }
    return Response.json(problem, { status, headers: { 'Content-Type': 'application/problem+json' } })
  }
}

function told(error) {
  if (error instanceof ZodError) return [400, 'validation_failed', error.issues[0].message]
  if (error instanceof Refusal) return [error.status, error.code, error.message]
  if (error instanceof SyntaxError) return [400, 'broken_json', 'The body is not JSON']
  log.error(error)
  return [500, 'internal_error', 'Something went wrong']
}

/** The Cache-Control of an answer that may be kept, but is asked for again each time. */
export function kept(request) {
  return `${request.headers.has('authorization') ? 'private' : 'public'}, no-cache`
}
