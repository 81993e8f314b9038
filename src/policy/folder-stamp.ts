/** A fingerprint of a folder's files by name, size and time: cheap to compare, no contents read. */

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Of a folder that is not there: the empty text. */
export function stampOf(folder: string): string {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => !/(^|[\\/])\./.test(name))
      .toSorted()
      .map((name) => {
        // Links are followed: a checkout that swaps what a link leads to is a change.
        const found = statSync(join(folder, name), { throwIfNoEntry: false, bigint: true })
        return `${name} ${found?.ino} ${found?.size} ${found?.mtimeNs}`
      })
      .join('\n')
  } catch {
    return ''
  }
}
