/** Finds a catalog: one that ships with the gate by its name, any other by its path. */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type LoadedCatalog, loadCatalog } from './load.ts'

/** Catalogs that lie beside this file; the build copies them. */
const SHIPPED: ReadonlyMap<string, URL> = new Map([
  ['particle', new URL('./particle.yaml', import.meta.url)],
])

/** A file that cannot be read is a mistake like any other. Relative paths are the process's own. */
export function readCatalog(nameOrPath: string): LoadedCatalog {
  const shipped = SHIPPED.get(nameOrPath)
  const path = shipped === undefined ? nameOrPath : fileURLToPath(shipped)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown fault'
    const known = [...SHIPPED.keys()].join(', ')
    const message = `the catalog cannot be read (${code}); name a file or one that ships: ${known}`
    return { ok: false, mistakes: [{ file: path, line: 1, column: 1, message }] }
  }
  return loadCatalog(text, shipped === undefined ? path : `${nameOrPath}.yaml`)
}
