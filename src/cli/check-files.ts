/** Loads every file as `serve` would, going on where one is wrong, so that all mistakes come at once. */

import { readCatalog } from '../catalog/shipped.ts'
import type { Config } from '../config/config.ts'
import { loadConfig, loadOfflineConfig, locateParts } from '../config/load.ts'
import type { Environment } from '../config/secret-source.ts'
import type { Catalog } from '../domain/catalog.ts'
import { type Mistake, Mistakes } from '../lib/mistake.ts'
import { version } from '../lib/version.ts'
import { readPolicyFolder, UnreadableFolder } from '../policy/folder.ts'
import { loadPolicySet } from '../policy/load.ts'
import { parseUpstreamOrigin } from '../upstream/origin.ts'
import { readConfigText } from './config-file.ts'
import { runPolicyTests, type TestResults } from './policy-tests.ts'

export type Checked = {
  ok: boolean
  mistakes: readonly Mistake[]
  /** Nothing wrong, but worth a look. */
  notes: readonly Mistake[]
  users: number
  tests: TestResults
}

type Found = Omit<Checked, 'ok'>

const nothing: Found = { mistakes: [], notes: [], users: 0, tests: { passed: 0, failed: [] } }

/** @param env `undefined`: credentials are not looked for. @throws UsageError where there is no configuration */
export function checkFiles(file: string, env: Environment | undefined): Checked {
  const text = readConfigText(file)
  const config = checkConfig(text, file, env)
  const parts = locateParts(text, file)
  const rest = parts === undefined ? nothing : checkParts(parts)
  const mistakes = new Mistakes([...config, ...rest.mistakes]).list
  return { ...rest, mistakes, ok: mistakes.length === 0 && rest.tests.failed.length === 0 }
}

function checkConfig(text: string, file: string, env: Environment | undefined): Mistake[] {
  if (env === undefined) {
    const offline = loadOfflineConfig(text, file)
    return offline.ok ? [] : offline.mistakes
  }
  const loaded = loadConfig(text, file, env)
  if (!loaded.ok) return loaded.mistakes
  try {
    parseUpstreamOrigin(loaded.config.upstream.url)
    return []
  } catch (error) {
    return [{ file, line: 1, column: 1, message: messageOf(error) }]
  }
}

function checkParts({ catalog, policies }: Pick<Config, 'catalog' | 'policies'>): Found {
  const loaded = readCatalog(catalog.kind === 'shipped' ? catalog.name : catalog.path)
  if (!loaded.ok) return { ...nothing, mistakes: loaded.mistakes }
  try {
    return checkPolicies(policies, loaded.catalog)
  } catch (error) {
    if (!(error instanceof UnreadableFolder)) throw error
    return {
      ...nothing,
      mistakes: [{ file: policies, line: 1, column: 1, message: error.message }],
    }
  }
}

function checkPolicies(folder: string, catalog: Catalog): Found {
  const files = readPolicyFolder(folder)
  const loaded = loadPolicySet(files, catalog, { version })
  if (!loaded.ok) return { ...nothing, mistakes: loaded.mistakes }
  const { set, tests, notes } = loaded
  return { mistakes: [], notes, users: set.users.size, tests: runPolicyTests(tests, set, catalog) }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
