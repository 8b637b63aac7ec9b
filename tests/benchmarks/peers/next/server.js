// `next start` is one process: so many of them on one port, by Node's cluster.
import cluster from 'node:cluster'
import { createRequire } from 'node:module'
import client from 'prom-client'

const registry = new client.AggregatorRegistry()

cluster.setupPrimary({
  exec: createRequire(import.meta.url).resolve('next/dist/bin/next'),
  args: ['start', '--hostname', process.env.HOST ?? '127.0.0.1', '--port', process.env.PORT ?? '3000'],
})
for (let i = 0; i < Number(process.env.PROCESSES ?? 2); i++) {
  cluster.fork({ NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' })
}

let stopping = false
cluster.on('exit', () => {
  if (!stopping) cluster.fork()
})
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    stopping = true
    for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGTERM')
  })
}

// A worker that is asked for /metrics asks here for the sum over all of them.
cluster.on('message', async (worker, message) => {
  if (message.type !== 'metrics') return
  worker.send({ type: 'metrics', page: await registry.clusterMetrics() })
})
