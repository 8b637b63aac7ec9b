// A process answers for its metrics from its start, and not from its first request.
export async function register() {
  if (process.env.NEXT_RUNTIME === 'nodejs') await import('./lib/metrics.js')
}
