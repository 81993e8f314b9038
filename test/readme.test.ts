// What the README tells people to write and to type is what the gate takes.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { invoke } from './kit/cli.ts'

const root = join(import.meta.dirname, '..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const scripts: Record<string, string> = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
).scripts

/** The YAML blocks of the README by the file name in bold before each. */
function yamlBlocks(): Map<string, string> {
  const blocks = readme.matchAll(/`([\w/-]+\.yaml)`:\n\n```yaml\n([\s\S]*?)```/g)
  return new Map([...blocks].map(([, name = '', text = '']) => [name, text]))
}

let folder: string
let config: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fleetgate-readme-'))
  mkdirSync(join(folder, 'my-policies'))
  for (const [name, text] of yamlBlocks()) writeFileSync(join(folder, name), text)
  config = join(folder, 'fleetgate.yaml')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('README', () => {
  it('has a configuration and a policy that are in order', async () => {
    expect([...yamlBlocks().keys()]).toEqual(['fleetgate.yaml', 'my-policies/dashboard.yaml'])
    const { code, out } = await invoke(['check', '--skip-credentials', '--config', config])
    expect({ code, out }).toEqual({
      code: 0,
      out: '1 API user, no mistakes; 1 of 1 policy test passed\n',
    })
  })

  it('explains its example as allowed, and another device as denied', async () => {
    const line = /fleetgate explain (--user wall-display .*)/.exec(readme)?.[1] ?? ''
    const ask = (text: string) => invoke(['explain', ...text.split(' '), '--config', config])
    expect(await ask(line)).toMatchObject({ code: 0 })
    expect(await ask(line.replace(/[0-9a-f]{24}$/, 'f'.repeat(24)))).toMatchObject({ code: 1 })
  })

  it('names npm scripts that exist', () => {
    const named = [...readme.matchAll(/npm run (?:-s )?([\w:-]+)/g)].map((match) => match[1] ?? '')
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([])
    expect(scripts).toMatchObject({ start: expect.anything(), test: expect.anything() })
  })
})
