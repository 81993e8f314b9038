import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { formatMistake } from '../../../src/lib/mistake.ts'
import { loadPolicyFolder } from '../../../src/policy/load-folder.ts'
import { runPolicyTests } from '../../../src/policy/run-tests.ts'
import { particleCatalog } from '../../kit/catalog.ts'

describe('the shipped policy set', () => {
  it('loads against the shipped catalog without a note, and passes its own tests', () => {
    const catalog = particleCatalog()
    const folder = fileURLToPath(new URL('../../../policies', import.meta.url))
    const loaded = loadPolicyFolder(folder, catalog, { version: '0' })
    expect(loaded.ok ? loaded.notes : loaded.mistakes.map(formatMistake)).toEqual([])
    if (!loaded.ok) return
    expect([...loaded.set.users.keys()].toSorted()).toEqual([
      'acme-dashboard',
      'acme-fleet',
      'acme-technician',
      'ci-firmware',
      'globex-reader',
      'google-sheets',
      'site-7-partner',
    ])
    const { failed, passed } = runPolicyTests(loaded.tests, { catalog, set: loaded.set })
    expect(failed.map(formatMistake)).toEqual([])
    expect(passed).toBeGreaterThan(15)
  })
})
