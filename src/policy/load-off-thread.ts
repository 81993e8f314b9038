/** The same load on a thread of its own: parsing thousands of rules must not delay a request. */

import { Worker } from 'node:worker_threads'
import type { Catalog } from '../domain/catalog.ts'
import { broken } from './load-folder.ts'
import type { LoadOptions, LoadResult } from './load.ts'
import type { WorkerInput } from './load-worker.ts'

/** A load that takes longer is given up, and the set in force stays. */
const PATIENCE_MS = 60_000
const MEMORY_MB = 1024

/** Resolves in every case: a worker that dies is a broken load. */
export function loadOffThread(
  folder: string,
  catalog: Catalog,
  options: LoadOptions,
): Promise<LoadResult> {
  const { promise, resolve } = Promise.withResolvers<LoadResult>()
  const fail = (why: string) => resolve(broken(folder, `cannot be loaded: ${why}`))
  const input: WorkerInput = { folder, catalog, options }
  // The build compiles this file and the worker beside it alike, so the worker has this file's own ending.
  const file = new URL(
    `./load-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`,
    import.meta.url,
  )
  const worker = new Worker(file, {
    workerData: input,
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
  })
  const timer = setTimeout(() => {
    fail(`it took longer than ${PATIENCE_MS / 1000} s`)
    void worker.terminate()
  }, PATIENCE_MS)
  worker.once('message', resolve)
  worker.once('error', (error: unknown) => {
    fail(error instanceof Error ? error.message : 'unknown fault')
  })
  worker.once('exit', () => {
    clearTimeout(timer)
    fail('the loader ended early')
  })
  return promise
}
