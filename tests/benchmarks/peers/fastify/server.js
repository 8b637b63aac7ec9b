// So many processes on one port, each with an application of its own.
process.env.NODE_ENV ??= 'production'

import cluster from 'node:cluster'
import { buildApp } from './app.js'
import { answerWorkers } from './metrics.js'

if (cluster.isPrimary) {
  answerWorkers()
  for (let i = 0; i < Number(process.env.PROCESSES ?? 2); i++) cluster.fork()
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
} else {
  const app = buildApp()
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, async () => {
      await app.close()
      process.exit(0)
    })
  }
  await app.listen({ host: process.env.HOST ?? '127.0.0.1', port: Number(process.env.PORT ?? 3000) })
}
