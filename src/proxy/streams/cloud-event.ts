/** One event of the cloud's: who sent it, and the bytes that clients get. */

import { canonicalId } from '../../domain/canonical-id.ts'
import type { Catalog } from '../../domain/catalog.ts'
import type { EventSource } from '../../domain/grant.ts'
import type { Obligations } from '../../domain/decision.ts'
import { isJsonObject, parseCloudText, valueAtPath } from '../../lib/cloud-json.ts'
import type { EventMessage } from '../../upstream/event-parser.ts'
import { cutAnswer } from '../cut.ts'
import { redactWhole } from '../redact.ts'

export type CloudEvent = {
  name: string
  /** As the cloud sent it: a JSON object. */
  data: string
  source: EventSource
  /** Canonical id; exactly where the source is `device`. */
  device: string | undefined
}

/** `undefined`: nobody can be shown what nobody can be asked about. */
export type ReadEvent = (message: EventMessage) => CloudEvent | undefined

export function createReadEvent({ events, resources }: Catalog): ReadEvent {
  if (events === undefined) return () => undefined
  const words = new Map<string, EventSource>()
  for (const word of events.api) words.set(word, 'api')
  for (const word of events.cloud) words.set(word, 'cloud')
  return ({ name, data }) => {
    const said = sourceOf(data, events.source)
    if (said === undefined) return undefined
    const source = words.get(said)
    if (source !== undefined) return { name, data, source, device: undefined }
    const device = canonicalId(resources.device, said)
    return device === undefined ? undefined : { name, data, source: 'device', device }
  }
}

function sourceOf(data: string, path: string): string | undefined {
  try {
    const root = parseCloudText(data)
    const said = isJsonObject(root) ? valueAtPath(root, path) : undefined
    return typeof said === 'string' ? said : undefined
  } catch {
    return undefined
  }
}

/** The whole event as it is written, e.g. `event: temperature\ndata: {…}\n\n`; no `id`, no `retry`. */
export function frameOf({ name, data }: EventMessage, credential: string): Buffer {
  const lines = data.includes('\n') ? data.replaceAll('\n', '\ndata: ') : data
  return redactWhole(Buffer.from(`event: ${name}\ndata: ${lines}\n\n`), credential)
}

/** The same with keys of its data cut off. @throws Problem `unfilterable_answer` */
export function cutFrameOf(
  { name, data }: EventMessage,
  obligations: Obligations,
  credential: string,
): Buffer {
  const headers = { 'content-type': 'application/json' }
  const { body } = cutAnswer(
    { status: 200, headers, body: Buffer.from(data) },
    { answer: { kind: 'object', at: '', secrets: [] }, obligations },
  )
  return frameOf({ name, data: body.toString() }, credential)
}

/** Equal for obligations that leave the same keys; `undefined`: all of them. */
export function cutKeyOf({ answer, hide }: Obligations): string | undefined {
  if (answer === undefined && hide.size === 0) return undefined
  return JSON.stringify([answer === undefined ? null : [...answer].sort(), [...hide].sort()])
}
