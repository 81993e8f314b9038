/** What operators change, on record: before it is made, with before and after, and how it ended. */

import { Problem } from '../domain/problem.ts'
import type { ChangeEntry, ChangeFields } from './audit-log.ts'
import type { IsoTime } from './iso-time.ts'
import { begin, text, type RecordBody } from './records.ts'
import { clip, escapeUnruly } from './text.ts'
import type { Writer } from './writer.ts'

export type ChangeParts = { writer: Writer; time: IsoTime }

const maxText = 4_096
/** Of one side; bodies of the admin port are far smaller. */
const maxSide = 262_144
const maxName = 128
const maxAgent = 200

/** Resolves when the record is synced. @throws Problem `audit_unavailable` */
export async function recordChange(
  { writer, time }: ChangeParts,
  fields: ChangeFields,
): Promise<ChangeEntry> {
  let body: RecordBody
  try {
    body = changeBody(time.now(), fields)
  } catch (cause) {
    throw new Problem('audit_unavailable', { cause })
  }
  const { item, done } = writer.commit(body, fields.requestId, 'synced')
  await done
  let closed = false
  return {
    close(outcome) {
      if (closed || item.refused) return
      closed = true
      writer.add(changedBody(time.now(), fields.requestId, outcome))
    },
  }
}

/** `at` is an ISO time, here and below. */
export function changeBody(at: string, fields: ChangeFields): RecordBody {
  return (
    begin(at, 'change', fields.requestId) +
    text('by', clip(fields.by, maxName)) +
    text('by_token', fields.byToken) +
    text('change', fields.change) +
    text('target', clip(fields.target, maxName)) +
    side('before', fields.before) +
    side('after', fields.after) +
    text('address', clip(fields.address, maxName)) +
    text('agent', fields.agent === undefined ? undefined : clip(fields.agent, maxAgent))
  )
}

export function changedBody(
  at: string,
  requestId: string,
  { status, ended }: { status: number; ended: string },
): RecordBody {
  return `${begin(at, 'changed', requestId)},"status":${status}${text('ended', ended)}`
}

/** Texts are an operator's own: bounded, and whatever looks like a token is masked. */
function side(key: string, value: Readonly<Record<string, unknown>> | undefined): string {
  if (value === undefined) return ''
  const json = JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'string' ? clip(inner, maxText) : inner,
  )
  const kept = json.length <= maxSide ? json : `{"characters":${json.length}}`
  return `,"${key}":${escapeUnruly(kept)}`
}
