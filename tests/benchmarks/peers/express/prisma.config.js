// `prisma generate` looks for an engine that only migrations need, and would download it: any program
// will do, and package.json names Node itself.
import { defineConfig } from 'prisma/config'

export default defineConfig({ schema: 'prisma/schema.prisma' })
