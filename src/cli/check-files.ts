/** Loads every file as `serve` would, going on where one is wrong, so that all mistakes come at once. */

import { readCatalog } from '../catalog/shipped.ts'
import type { Config } from '../config/config.ts'
import { loadConfig, loadOfflineConfig, locateParts } from '../config/load.ts'
import type { Environment } from '../config/secret-source.ts'
import { type Mistake, Mistakes } from '../lib/mistake.ts'
import { version } from '../lib/version.ts'
import { loadPolicyFolder } from '../policy/load-folder.ts'
import { runPolicyTests } from '../policy/run-tests.ts'
import { parseUpstreamOrigin } from '../upstream/origin.ts'
import { readConfigText } from './config-file.ts'

export type Checked = {
  ok: boolean
  mistakes: readonly Mistake[]
  /** Nothing wrong, but worth a look. */
  notes: readonly Mistake[]
  users: number
  /** Who is not refused anything, and until when: `everybody`, or API users by name. */
  observed: readonly { who: string; until: string }[]
  tests: { passed: number; failed: readonly Mistake[] }
}

type Found = Omit<Checked, 'ok'>

const nothing: Found = {
  ...{ mistakes: [], notes: [], users: 0, observed: [] },
  tests: { passed: 0, failed: [] },
}

/** @param env `undefined`: credentials are not looked for. @throws UsageError where there is no configuration */
export function checkFiles(file: string, env: Environment | undefined, nowMs: number): Checked {
  const text = readConfigText(file)
  const config = checkConfig(text, file, env)
  const parts = locateParts(text, file)
  const rest = parts === undefined ? nothing : checkParts(parts, nowMs)
  const mistakes = new Mistakes([...config, ...rest.mistakes]).list
  const ok = mistakes.length === 0 && rest.tests.failed.length === 0
  return { ...rest, mistakes, ok, observed: [...everybody(text, file, nowMs), ...rest.observed] }
}

function everybody(text: string, file: string, nowMs: number): Checked['observed'] {
  const loaded = loadOfflineConfig(text, file)
  return observed('everybody', loaded.ok ? loaded.config.observeUntilMs : undefined, nowMs)
}

function observed(who: string, untilMs: number | undefined, nowMs: number): Checked['observed'] {
  if (untilMs === undefined || nowMs >= untilMs) return []
  return [{ who, until: new Date(untilMs).toISOString() }]
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

function checkParts(
  { catalog, policies }: Pick<Config, 'catalog' | 'policies'>,
  nowMs: number,
): Found {
  const loaded = readCatalog(catalog.kind === 'shipped' ? catalog.name : catalog.path)
  if (!loaded.ok) return { ...nothing, mistakes: loaded.mistakes }
  const set = loadPolicyFolder(policies, loaded.catalog, { version })
  if (!set.ok) return { ...nothing, mistakes: set.mistakes }
  const run = runPolicyTests(set.tests, { catalog: loaded.catalog, set: set.set })
  return {
    mistakes: [],
    notes: [...set.notes, ...run.notes],
    users: set.set.users.size,
    observed: [...set.set.users.values()].flatMap((user) =>
      observed(user.name, user.observeUntilMs, nowMs),
    ),
    tests: { passed: run.passed, failed: run.failed },
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
