// What is counted, summed over all processes: a worker asks the primary, which asks every worker.
import cluster from 'node:cluster'
import client from 'prom-client'

const registry = new client.AggregatorRegistry()
const waiting = []

export const seconds = new client.Histogram({
  name: 'http_request_duration_seconds',
  help: 'Requests by method, route and status, and the seconds that they took.',
  labelNames: ['method', 'route', 'status'],
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
})

export function answerWorkers() {
  cluster.on('message', async (worker, message) => {
    if (message.type !== 'metrics') return
    worker.send({ type: 'metrics', page: await registry.clusterMetrics() })
  })
}

if (cluster.isWorker) {
  process.on('message', (message) => {
    if (message.type === 'metrics') waiting.shift()?.(message.page)
  })
}

export async function showMetrics(req, res) {
  const page = await new Promise((resolve) => {
    waiting.push(resolve)
    process.send({ type: 'metrics' })
  })
  res.set('Content-Type', registry.contentType).send(page)
}
