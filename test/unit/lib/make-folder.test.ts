import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeFolder } from '../../../src/lib/make-folder.ts'
import { temporaryFolder } from '../../kit/tokens.ts'

let folder: string
beforeEach(() => (folder = temporaryFolder()))
afterEach(() => rmSync(folder, { recursive: true }))

describe('makeFolder', () => {
  it('makes what is missing, private, and leaves what is there as it is', () => {
    mkdirSync(join(folder, 'there'), { mode: 0o755 })
    makeFolder(join(folder, 'there', 'a', 'b'))
    makeFolder(join(folder, 'there', 'a', 'b'))
    const mode = (...path: string[]) => statSync(join(folder, ...path)).mode & 0o777
    expect(mode('there', 'a')).toBe(0o700)
    expect(mode('there', 'a', 'b')).toBe(0o700)
    expect(mode('there')).toBe(0o755)
  })

  it('says which one cannot be made, and does not try for ever', () => {
    expect(() => makeFolder('/proc/nope/deep')).toThrow(
      'the folder /proc/nope cannot be made (ENOENT)',
    )
  })

  it('says what is in the way', () => {
    const file = join(folder, 'file')
    writeFileSync(file, '')
    expect(() => makeFolder(file)).toThrow(`${file} is no folder`)
    expect(() => makeFolder(join(file, 'a', 'b'))).toThrow(
      `the folder ${join(file, 'a', 'b')} cannot be looked at (ENOTDIR)`,
    )
  })
})
