/** Runs the tables beside this file, by the runner that users have. */

import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { formatMistake } from '../../src/lib/mistake.ts'
import { runPolicyTests } from '../../src/policy/run-tests.ts'
import { aCatalog } from '../kit/a-catalog.ts'
import { mustLoad } from '../kit/policies.ts'

const folder = new URL('.', import.meta.url)
const tables = readdirSync(folder).filter((name) => name.endsWith('.yaml'))

describe('decision tables', () => {
  it.each(tables)('%s decides as written', (name) => {
    const catalog = aCatalog()
    const text = readFileSync(new URL(name, folder), 'utf8')
    const { set, tests } = mustLoad({ [name]: text }, catalog)
    const { passed, failed, notes } = runPolicyTests(tests, { catalog, set })
    expect([...failed, ...notes].map(formatMistake)).toEqual([])
    expect(passed).toBe(tests.length)
    expect(passed).toBeGreaterThan(5)
  })

  it.each(tables)('%s fails where a wanted outcome is turned around', (name) => {
    const catalog = aCatalog()
    const text = readFileSync(new URL(name, folder), 'utf8')
    const { set, tests } = mustLoad({ [name]: text }, catalog)
    const turned = tests.map((test) => ({
      ...test,
      want:
        test.want.outcome === 'allow'
          ? ({ outcome: 'deny' } as const)
          : ({ outcome: 'allow' } as const),
    }))
    expect(runPolicyTests(turned, { catalog, set }).passed).toBe(0)
  })
})
