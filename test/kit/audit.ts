/** Audit logs on real files, records to put in them, and disks that fail, for the tests of `audit/`. */

import { readFileSync } from 'node:fs'
import { auditDefaults, openAuditLog } from '../../src/audit/log.ts'
import { openAuditFile } from '../../src/audit/file.ts'
import { systemClock } from '../../src/domain/clock.ts'
import { createLog } from '../../src/lib/log.ts'
import type {
  DecisionFields,
  Envelope,
  OutcomeFields,
  RejectFields,
} from '../../src/audit/audit-log.ts'
import type { AuditFile, OpenAuditFile } from '../../src/audit/file.ts'
import type { AuditLogOptions, OpenedAuditLog } from '../../src/audit/log.ts'

export type Line = Readonly<Record<string, unknown>>

export function openTestLog(
  folder: string,
  more: Partial<AuditLogOptions> = {},
): Promise<OpenedAuditLog> {
  return openAuditLog({
    ...auditDefaults,
    folder,
    stream: 'test',
    boot: 'b00t',
    clock: systemClock,
    log: createLog({ write: () => undefined, clock: systemClock }),
    ...more,
  })
}

export function anEnvelope(requestId: string, more: Partial<Envelope> = {}): Envelope {
  return {
    requestId,
    atMs: Date.UTC(2026, 5, 1),
    method: 'GET',
    rawTarget: '/v1/products/12345/devices/e00fce68aaaaaaaaaaaaaaaa',
    address: '192.0.2.7',
    agent: 'curl/8',
    ...more,
  }
}

export function aDecision(more: Partial<DecisionFields> = {}): DecisionFields {
  return {
    user: 'acme-technician',
    tokenId: 'aB3dE6gH9jK2',
    revision: '9f2c4e6a8b0d',
    grant: 'a'.repeat(64),
    issuedGrant: 'b'.repeat(64),
    route: 'GET /v1/products/:product/devices/:device',
    target: '/v1/products/12345/devices/e00fce68aaaaaaaaaaaaaaaa',
    requests: [
      {
        action: 'devices:get',
        resource: { type: 'device', product: '12345', device: 'e00fce68aaaaaaaaaaaaaaaa' },
        fields: {},
        values: {},
      },
    ],
    result: {
      outcome: 'allow',
      rule: { file: 'policies/acme.yaml', line: 12, id: 'read', text: 'can: devices:get' },
      obligations: { answer: undefined, hide: new Set(), reveal: new Set() },
      facts: { e00fce68aaaaaaaaaaaaaaaa: { groups: ['site-7'] } },
    },
    enforcement: 'filter',
    ...more,
  }
}

export const answered: OutcomeFields = {
  status: 200,
  upstreamStatus: 200,
  upstreamRequestId: 'up-1',
  bytes: 321,
  ended: 'answered',
}

export function aReject(requestId: string, more: Partial<RejectFields> = {}): RejectFields {
  return { ...anEnvelope(requestId), reason: 'invalid_token', status: 401, ...more }
}

/** Every line must be a record; a torn one fails the test that reads. */
export function linesOf(path: string): Line[] {
  const text = readFileSync(path, 'utf8')
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last line is torn')
  return text
    .split('\n')
    .slice(0, -1)
    .map((line): Line => JSON.parse(line))
}

export function ofKind(path: string, kind: string): Line[] {
  return linesOf(path).filter((line) => line['kind'] === kind)
}

/** A real file whose calls can be replaced one by one, while it is open too. */
export type Faults = {
  write?: (bytes: Uint8Array, real: AuditFile) => Promise<number>
  sync?: (real: AuditFile) => Promise<void>
  truncate?: (length: number, real: AuditFile) => Promise<void>
  /** Number of times the file was opened. */
  opened: number
}

/** Faults of the decision file only. */
export function faultyDisk(): { faults: Faults; openFile: OpenAuditFile } {
  const faults: Faults = { opened: 0 }
  const openFile: OpenAuditFile = async (path) => {
    const real = await openAuditFile(path)
    if (!path.endsWith('decisions.jsonl')) return real
    faults.opened++
    return {
      write: (bytes) =>
        faults.write === undefined ? real.write(bytes) : faults.write(bytes, real),
      sync: () => (faults.sync === undefined ? real.sync() : faults.sync(real)),
      truncate: (length) =>
        faults.truncate === undefined ? real.truncate(length) : faults.truncate(length, real),
      read: (from, length) => real.read(from, length),
      look: () => real.look(),
      close: () => real.close(),
    }
  }
  return { faults, openFile }
}

export function diskError(code: string): Error {
  return Object.assign(new Error(`${code}: played by the test`), { code })
}
