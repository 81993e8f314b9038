/** Loads every file as `serve` would, going on where one is wrong, so that all mistakes come at once. */

import { readCatalog } from '../catalog/shipped.ts'
import type { Config, OfflineConfig } from '../config/config.ts'
import { loadConfig, loadOfflineConfig, locateParts } from '../config/load.ts'
import type { Environment } from '../config/secret-source.ts'
import { credentialMistakes } from '../credential-places.ts'
import { type Mistake, Mistakes } from '../lib/mistake.ts'
import { version } from '../lib/version.ts'
import { loadPolicyFolder } from '../policy/load-folder.ts'
import { runPolicyTests } from '../policy/run-tests.ts'
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
  const offline = loadOfflineConfig(text, file)
  const loaded = env === undefined ? offline : loadConfig(text, file, env)
  const config = offline.ok ? offline.config : undefined
  const parts = locateParts(text, file)
  const rest = parts === undefined ? nothing : checkParts(parts, config, nowMs)
  const mistakes = new Mistakes([...(loaded.ok ? [] : loaded.mistakes), ...rest.mistakes]).list
  const ok = mistakes.length === 0 && rest.tests.failed.length === 0
  return {
    ...{ ...rest, mistakes, ok },
    notes: [...overNotes(config, nowMs), ...rest.notes],
    observed: [...observed('everybody', config?.observeUntilMs, nowMs), ...rest.observed],
  }
}

function observed(who: string, untilMs: number | undefined, nowMs: number): Checked['observed'] {
  if (untilMs === undefined || nowMs >= untilMs) return []
  return [{ who, until: new Date(untilMs).toISOString() }]
}

function overNotes(config: OfflineConfig | undefined, nowMs: number): Mistake[] {
  if (config?.observeUntilMs === undefined || nowMs < config.observeUntilMs) return []
  const message = '"until" is over: it does nothing any more'
  return [{ ...config.keyAt('observe', 'until'), message }]
}

function checkParts(
  { catalog, policies }: Pick<Config, 'catalog' | 'policies'>,
  config: OfflineConfig | undefined,
  nowMs: number,
): Found {
  const loaded = readCatalog(catalog.kind === 'shipped' ? catalog.name : catalog.path)
  if (!loaded.ok) return { ...nothing, mistakes: loaded.mistakes }
  const mistakes = config === undefined ? [] : credentialMistakes(config, loaded.catalog)
  const set = loadPolicyFolder(policies, loaded.catalog, { version })
  if (!set.ok) return { ...nothing, mistakes: [...mistakes, ...set.mistakes] }
  const run = runPolicyTests(set.tests, { catalog: loaded.catalog, set: set.set })
  return {
    mistakes,
    notes: [...set.notes, ...run.notes],
    users: set.set.users.size,
    observed: [...set.set.users.values()].flatMap((user) =>
      observed(user.name, user.observeUntilMs, nowMs),
    ),
    tests: { passed: run.passed, failed: run.failed },
  }
}
