/** Loads the set of a folder, with the folder's own faults reported as mistakes. */

import type { Catalog } from '../domain/catalog.ts'
import { readPolicyFolder, UnreadableFolder } from './folder.ts'
import { gitCommit } from './git-commit.ts'
import { loadPolicySet, type LoadOptions, type LoadResult } from './load.ts'

export function loadPolicyFolder(
  folder: string,
  catalog: Catalog,
  options: LoadOptions,
): LoadResult {
  try {
    const commit = options.commit ?? gitCommit(folder)
    const files = readPolicyFolder(folder)
    return loadPolicySet(files, catalog, { ...options, ...(commit && { commit }) })
  } catch (error) {
    if (!(error instanceof UnreadableFolder)) throw error
    return broken(folder, error.message)
  }
}

export function broken(folder: string, message: string): LoadResult {
  return { ok: false, mistakes: [{ file: folder, line: 1, column: 1, message }] }
}
