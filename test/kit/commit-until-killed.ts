/** A process of its own for the SIGKILL test: commits as fast as it can and prints each id after its commit resolved. */

import { writeSync } from 'node:fs'
import { aDecision, anEnvelope, answered, openTestLog } from './audit.ts'

const [, , folder, boot = 'x'] = process.argv
if (folder === undefined) throw new Error('usage: commit-until-killed.ts FOLDER BOOT')
const log = await openTestLog(folder, { boot })

async function client(name: number): Promise<never> {
  for (let n = 0; ; n++) {
    const id = `${boot}-${name}-${n}`
    const entry = log.open(anEnvelope(id))
    await entry.commit(aDecision(), n % 5 === 0 ? 'synced' : 'written')
    writeSync(1, `${id}\n`)
    entry.close(answered)
  }
}

await Promise.all(Array.from({ length: 16 }, (_, name) => client(name)))
