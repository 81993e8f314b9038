import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/kit/postgres-for-the-run.ts'],
    // Long enough for a machine that others use too: they end what hangs, and measure nothing.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 10_000 } },
    pool: 'forks',
    // Half of what a test does is to wait: on a machine of two cores one worker would leave the other idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
})
