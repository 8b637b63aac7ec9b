// Prisma's client, one for each process, however often Next loads this module.
import { PrismaPg } from '@prisma/adapter-pg'
import { PrismaClient } from '@prisma/client'

export const prisma = (globalThis.prisma ??= new PrismaClient({
  // Ten is pg's own default: a process of Node has as many queries under way as it has requests.
  adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL, max: 10 }),
  // On a busy machine the usual two seconds to begin and five to end would be errors.
  transactionOptions: { maxWait: 10_000, timeout: 20_000 },
}))
