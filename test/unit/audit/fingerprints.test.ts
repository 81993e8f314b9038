import { chmodSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openFingerprints } from '../../../src/audit/fingerprints.ts'

const aFolder = () => mkdtempSync(join(tmpdir(), 'fleetgate-test-'))
const token = 'c'.repeat(40)

describe('openFingerprints', () => {
  it('tells tokens apart, alike in every start of one gate and unlike in another’s', () => {
    const folder = aFolder()
    const first = openFingerprints(folder)
    expect(first(token)).toMatch(/^[0-9a-f]{16}$/)
    expect(first(token)).not.toBe(first('d'.repeat(40)))
    expect(openFingerprints(folder)(token)).toBe(first(token))
    expect(openFingerprints(aFolder())(token)).not.toBe(first(token))
  })

  it('keeps its key from others, and nothing of a token', () => {
    const folder = join(aFolder(), 'audit')
    openFingerprints(folder)(token)
    const path = join(folder, 'fingerprint.key')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readFileSync(path, 'utf8')).toMatch(/^[0-9a-f]{64}$/)
  })

  it('uses no key that others may read, and none that is not whole', () => {
    const folder = aFolder()
    openFingerprints(folder)
    const path = join(folder, 'fingerprint.key')
    chmodSync(path, 0o644)
    expect(() => openFingerprints(folder)).toThrow(/chmod 600/)
    chmodSync(path, 0o600)
    writeFileSync(path, 'abc')
    expect(() => openFingerprints(folder)).toThrow(/remove it/)
  })
})
