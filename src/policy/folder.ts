/** The policy files of a folder, read whole and bounded. */

import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { PolicyFile } from './load.ts'

/** Far above any real set: a wrong folder is noticed before it is read. */
const MAX_FILES = 10_000
const MAX_TOTAL_BYTES = 128 * 1024 * 1024
const MAX_FOLDER_DEPTH = 20

/** The folder cannot be read as a policy folder. */
export class UnreadableFolder extends Error {
  override readonly name = 'UnreadableFolder'
}

/**
 * All `*.yaml` and `*.yml` below the folder, sorted by path; a link counts as what it leads to, hidden files do not.
 * Each file is named with the folder before it, as a person would open it.
 *
 * @throws UnreadableFolder
 */
export function readPolicyFolder(folder: string): PolicyFile[] {
  const paths = listFiles(folder).toSorted()
  if (paths.length > MAX_FILES)
    throw new UnreadableFolder(`${folder}: more than ${MAX_FILES} files`)
  let bytes = 0
  return paths.map((path) => {
    bytes += attempt(path, () => statSync(path).size)
    if (bytes > MAX_TOTAL_BYTES) {
      throw new UnreadableFolder(`${folder}: more than ${MAX_TOTAL_BYTES} bytes of policy files`)
    }
    return { file: join(folder, relative(folder, path)), text: attempt(path, () => readText(path)) }
  })
}

function listFiles(folder: string, depth = 0): string[] {
  if (depth > MAX_FOLDER_DEPTH) throw new UnreadableFolder(`${folder}: nested too deeply`)
  const entries = attempt(folder, () => readdirSync(folder))
  return entries.flatMap((name) => {
    if (name.startsWith('.')) return []
    const path = join(folder, name)
    // Editors and checkouts put files away while we look: what is gone is not part of the set.
    const found = statSync(path, { throwIfNoEntry: false })
    if (found?.isDirectory()) return listFiles(path, depth + 1)
    if (!/\.ya?ml$/.test(name)) return []
    // A link to nothing is half of a checkout, and a set without its users would take their tokens away.
    if (found === undefined && lstatSync(path, { throwIfNoEntry: false }) !== undefined) {
      throw new UnreadableFolder(`${path}: a link that leads nowhere`)
    }
    return found?.isFile() ? [path] : []
  })
}

function readText(path: string): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path))
}

function attempt<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'unknown fault'
    throw new UnreadableFolder(`${path}: cannot be read: ${why}`, { cause })
  }
}
