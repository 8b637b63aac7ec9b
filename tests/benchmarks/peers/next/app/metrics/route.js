import { contentType, page } from '../../lib/metrics.js'

export const dynamic = 'force-dynamic'

export async function GET() {
  return new Response(await page(), { headers: { 'Content-Type': contentType } })
}
