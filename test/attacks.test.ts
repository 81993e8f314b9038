// docs/attacks.md promises a test by each of its numbers, and no test has a number that it does not explain.

import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const here = new URL('.', import.meta.url)
const page = readFileSync(new URL('../docs/attacks.md', here), 'utf8')
const rows = [...page.matchAll(/^\| ([A-Z]\d\d) \|.*\|(.*)\|$/gm)]
const promised = rows.map(([, number]) => number ?? '')

const titles = readdirSync(here, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts') && name !== 'attacks.test.ts')
  .map((name) => readFileSync(new URL(name, here), 'utf8'))
  .join('\n')
const tested = new Set(titles.match(/\b[PMHXSTBFCA]\d\d\b(?!:)/g))

describe('docs/attacks.md', () => {
  it('has a test for each of its rows, and each number once', () => {
    expect(promised.filter((number) => !tested.has(number))).toEqual([])
    expect(new Set(promised).size).toBe(promised.length)
    expect(promised.length).toBeGreaterThan(100)
  })

  it('explains every number that a test has', () => {
    expect([...tested].filter((number) => !promised.includes(number))).toEqual([])
  })

  it('says of each row that no test closes that it is open', () => {
    const todo = [...titles.matchAll(/it\.todo\(\s*'([A-Z]\d\d) /g)].map(([, number]) => number)
    const open = rows.filter(([, , what]) => what?.includes('**open**')).map(([, number]) => number)
    expect(new Set(open)).toEqual(new Set(todo))
  })
})
