// So many processes on one port, each with an application of its own.
process.env.NODE_ENV ??= 'production'

import cluster from 'node:cluster'
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
  // Imported here, so that NODE_ENV is set before Express looks at it.
  const { app } = await import('./app.js')
  const { prisma } = await import('./database.js')
  const server = app.listen(Number(process.env.PORT ?? 3000), process.env.HOST ?? '127.0.0.1')
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, () => {
      server.close(async () => {
        await prisma.$disconnect()
        process.exit(0)
      })
      server.closeIdleConnections()
    })
  }
}
