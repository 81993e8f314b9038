/** The worker's side of a reload: reads and loads a folder, and hands the result back. */

import { parentPort, workerData } from 'node:worker_threads'
import type { Catalog } from '../domain/catalog.ts'
import { loadPolicyFolder } from './load-folder.ts'
import type { LoadOptions } from './load.ts'

export type WorkerInput = { folder: string; catalog: Catalog; options: LoadOptions }

const { folder, catalog, options }: WorkerInput = workerData
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's port has no origin
parentPort?.postMessage(loadPolicyFolder(folder, catalog, options))
