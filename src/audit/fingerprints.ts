/** Tells tokens apart that the gate does not know, without keeping anything that they could be guessed from. */

import { createHmac, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** 16 hex digits; the same for the same token as long as the key lies in its folder. */
export type Fingerprint = (token: string) => string

const keyBytes = 32

/**
 * Makes the key where there is none, readable to its owner alone.
 * @throws Error where it cannot be kept, or others may read it
 */
export function openFingerprints(folder: string): Fingerprint {
  const key = openKey(folder)
  return (token) => createHmac('sha256', key).update(token).digest('hex').slice(0, 16)
}

function openKey(folder: string): Buffer {
  const path = join(folder, 'fingerprint.key')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  try {
    // Only one of two gates that start at once may make it.
    writeFileSync(path, randomBytes(keyBytes).toString('hex'), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
  if ((statSync(path).mode & 0o077) !== 0) {
    throw new Error(`${path} may be read by others; take that away: chmod 600 ${path}`)
  }
  const text = readFileSync(path, 'latin1').trim()
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw new Error(`${path} is not what the gate wrote; remove it to have a new one made`)
  }
  return Buffer.from(text, 'hex')
}
