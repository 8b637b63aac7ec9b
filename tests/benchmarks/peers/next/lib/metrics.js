// What is counted. Next may load this module once for each route, so what must be one hangs on one.
import client from 'prom-client'

const NAME = 'http_request_duration_seconds'
const registry = new client.AggregatorRegistry()

export const seconds =
  client.register.getSingleMetric(NAME) ??
  new client.Histogram({
    name: NAME,
    help: 'Requests by method, route and status, and the seconds that they took.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  })

export const contentType = registry.contentType

/** The page of all processes, which server.js puts together. */
export function page() {
  return new Promise((resolve) => {
    process.on('message', function hear(message) {
      if (message.type !== 'metrics') return
      process.off('message', hear)
      resolve(message.page)
    })
    process.send({ type: 'metrics' })
  })
}
