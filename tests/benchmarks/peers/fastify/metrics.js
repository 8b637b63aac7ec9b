// What is counted, summed over all processes: a worker asks the primary, which asks every worker.
import cluster from 'node:cluster'
import client from 'prom-client'
import fp from 'fastify-plugin'

const registry = new client.AggregatorRegistry()
const seconds = new client.Histogram({
  name: 'http_request_duration_seconds',
  help: 'Requests by method, route and status, and the seconds that they took.',
  labelNames: ['method', 'route', 'status'],
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
})
const waiting = []

export function answerWorkers() {
  cluster.on('message', async (worker, message) => {
    if (message.type !== 'metrics') return
    worker.send({ type: 'metrics', page: await registry.clusterMetrics() })
  })
}

function page() {
  return new Promise((resolve) => {
    waiting.push(resolve)
    process.send({ type: 'metrics' })
  })
}

export default fp(async (app) => {
  process.on('message', (message) => {
    if (message.type === 'metrics') waiting.shift()?.(message.page)
  })

  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? '(no route)'
    seconds.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000)
  })

  app.get('/metrics', async (request, reply) => {
    reply.type(registry.contentType)
    return page()
  })
})
