import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { faultsOf } from './kit/architecture.ts'

const root = join(import.meta.dirname, '..', 'src')
const files = globSync('**/*.ts', { cwd: root }).toSorted()
const sentence = '/** Says what it is for. */\n'

describe('src', () => {
  it('holds the layers, the package owners, the lengths and the first sentences', () => {
    expect(files).toContain('domain/problem.ts')
    expect(files.flatMap((file) => faultsOf(file, readFileSync(join(root, file), 'utf8')))).toEqual(
      [],
    )
  })
})

describe('test', () => {
  it('draws what is random from one seed: fast-check comes by the kit', () => {
    const here = import.meta.dirname
    const users = globSync('**/*.ts', { cwd: here }).filter((file) =>
      / from 'fast-check'$/m.test(readFileSync(join(here, file), 'utf8')),
    )
    expect(users).toEqual(['kit/fc.ts'])
  })
})

describe('faultsOf', () => {
  const importing = (file: string, line: string) => faultsOf(file, `${sentence}${line}\n`)

  it.each([
    ['domain/x.ts', "import type { A } from '../policy/ability.ts'", '../policy/ability.ts'],
    ['domain/x.ts', "import { A } from '../lib/secret.ts'", '../lib/secret.ts'],
    ['policy/x.ts', "import { A } from '../catalog/load.ts'", '../catalog/load.ts'],
    ['upstream/x.ts', "export { A } from '../proxy/app.ts'", '../proxy/app.ts'],
    ['proxy/x.ts', "import { A } from '../server.ts'", '../server.ts'],
    ['server.ts', "import { A } from './cli/program.ts'", './cli/program.ts'],
    ['cli/x.ts', "const a = await import('../main.ts')", '../main.ts'],
    ['cli/x.ts', "import {\n  A,\n} from '../main.ts'", '../main.ts'],
    ['proxy/x.ts', "import { A } from '../../examples/device-cloud/cloud.ts'", '../../examples/'],
    ['proxy/x.ts', "import { z } from 'zod'", 'zod'],
    ['store/x.ts', "import { DatabaseSync } from 'node:sqlite'", 'node:sqlite'],
    ['lib/x.ts', "import 'left-pad'", 'left-pad (no file owns this package)'],
    ['lib/x.ts', "import { A } from './secret'", './secret (imports name the file, with .ts)'],
  ])('finds %s: %s', (file, line, target) => {
    const faults = importing(file, line)
    expect(faults).toHaveLength(1)
    expect(faults[0]).toContain(`${file} -> ${target}`)
  })

  it.each([
    ['domain/x.ts', "import type { A } from './grant.ts'"],
    ['policy/x.ts', "import type { A } from '../domain/grant.ts'"],
    ['lib/x.ts', "import type { A } from '../domain/clock.ts'"],
    ['cli/x.ts', "import { A } from '../store/tokens.ts'"],
    ['cli/demo.ts', "import { A } from '../../examples/device-cloud/cloud.ts'"],
    ['main.ts', "import { A } from './cli/program.ts'"],
    ['policy-keeper.ts', "import { A } from './policy/engine.ts'"],
    ['lib/shape.ts', "import { z } from 'zod'"],
    ['lib/x.ts', "import { join } from 'node:path'"],
    ['lib/x.ts', "// import { A } from '../policy/x.ts'"],
  ])('lets %s: %s', (file, line) => {
    expect(importing(file, line)).toEqual([])
  })

  it('finds a room that stands in no layer', () => {
    expect(() => importing('proxy/x.ts', "import { A } from '../helpers/x.ts'")).toThrow(
      'src/helpers stands in no layer',
    )
  })

  it('finds a file of 251 lines and lets one of 250', () => {
    expect(faultsOf('lib/x.ts', `${sentence}${'x\n'.repeat(250)}`)).toEqual([
      'lib/x.ts has 251 lines, more than 250',
    ])
    expect(faultsOf('lib/x.ts', `${sentence}${'x\n'.repeat(249)}`)).toEqual([])
  })

  it.each(['const a = 1\n', '// A sentence.\n', '/** */\n', '/** no end */\n'])(
    'finds a file that begins with %j',
    (source) => {
      expect(faultsOf('lib/x.ts', source)).toHaveLength(1)
    },
  )

  it('finds a name that is not kebab-case', () => {
    expect(faultsOf('lib/fooBar.ts', sentence)).toEqual(['lib/fooBar.ts is not kebab-case'])
  })
})
