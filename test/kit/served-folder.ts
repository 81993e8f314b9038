/** A folder with a configuration and policies, in which commands and gates run as processes of their own. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fleetgate, running, type Ran, type Running } from './cli.ts'
import { parseLines, type AuditRow } from './start-gate.ts'

const policies = `
users:
  technician: { owner: a@b.example, product: 12345, devices: all, rules: [{ can: devices:get }], lifetime: 90d }
  visitor: { owner: a@b.example, product: 12345, devices: all, rules: [{ can: devices:get }], lifetime: 90d }
`
const env = { CLOUD_TOKEN: 'cloud-token-1' }

export type ServedFolder = Disposable & {
  folder: string
  run(...args: string[]): Promise<Ran>
  /** Writes another configuration beside the first. */
  configure(file: string, yaml: string): void
  /** A gate, not yet known to serve. */
  serve(...args: string[]): Running
  /** Of the audit folder's log of decisions, whole lines. */
  records(): AuditRow[]
}

/** @param yaml lines beside `upstream` and `listen` */
export function makeServedFolder(yaml = '', upstream = 'http://127.0.0.1:9'): ServedFolder {
  const folder = mkdtempSync(join(tmpdir(), 'fleetgate-served-'))
  const configure = (file: string, more: string) =>
    writeFileSync(
      join(folder, file),
      `upstream: { url: "${upstream}", credentials: { default: { env: CLOUD_TOKEN } } }\n` +
        `${more.includes('listen:') ? '' : 'listen: { data: "127.0.0.1:0" }'}\n${more}\n`,
    )
  mkdirSync(join(folder, 'policies'))
  writeFileSync(join(folder, 'policies', 'users.yaml'), policies)
  configure('fleetgate.yaml', yaml)
  return {
    folder,
    configure,
    run: (...args) => fleetgate(args, { cwd: folder, env }),
    serve: (...args) => running(['serve', ...args], { cwd: folder, env }),
    records() {
      const text = readFileSync(join(folder, 'audit', 'decisions.jsonl'), 'utf8')
      return parseLines(text.slice(0, text.lastIndexOf('\n') + 1))
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}
