/** The `tests` section: what an API user asks, and what the answer must be. Run by `check` and by our decision tables. */

import type { AccessRequest, Resource, Value } from '../domain/access-request.ts'
import type { Action, AttributeType, Catalog } from '../domain/catalog.ts'
import type { DenyReason } from '../domain/decision.ts'
import type { EventSource } from '../domain/grant.ts'
import { fieldWords } from '../domain/words.ts'
import { didYouMean } from '../lib/nearest.ts'
import type { CatalogFacts } from './catalog-facts.ts'
import type { Fleet } from './fleet.ts'
import { testKeys } from './policy-shape.ts'
import type { Item } from './policy-engine.ts'
import { decodeKeys, mistakeAt, mistakeAtKey, within, type Part, type Report } from './report.ts'
import { toScalar, TYPE_SAYS } from './scalars.ts'

export type PolicyTest = {
  name: string
  user: string
  request: AccessRequest
  /** Asked about this event of a stream, not about the stream. */
  event?: NonNullable<Item['event']>
  /** Attributes of the resource; `undefined`: none are in hand and none can be had. */
  facts: Readonly<Record<string, unknown>>
  atMs: number
  /** The caller's address; absent: one from which the API user may call. */
  from?: string
  /** `used_up`: no limit and no rate has room. */
  limits?: 'free' | 'used_up'
  want:
    | { outcome: 'allow'; answer?: readonly string[]; hide?: readonly string[] }
    | { outcome: 'deny'; reason?: DenyReason; tell?: string }
  place: { file: string; line: number; column: number }
}

export type TestParts = {
  catalog: Catalog
  facts: CatalogFacts
  fleet: Fleet
  users: ReadonlySet<string>
  report: Report
}

/** Tests that say no time are run at noon UTC of a Monday. */
const DEFAULT_AT = '2026-11-23T12:00:00Z'

export function readTest(part: Part, parts: TestParts): PolicyTest | undefined {
  const { catalog, users, report } = parts
  const test = decodeKeys(testKeys, part, report)
  if (test === undefined) return undefined
  const said = typeof part.value === 'object' ? Object.keys(part.value) : []
  for (const key of ['name', 'user', 'action', 'want']) {
    if (!said.includes(key)) mistakeAt(report, part, `"${key}" is missing`)
  }
  const { name, user, want } = test
  const action = test.action === undefined ? undefined : catalog.actions.get(test.action)
  if (test.action !== undefined && action === undefined) {
    const hint = didYouMean(test.action, catalog.actions.keys())
    mistakeAt(report, within(part, 'action'), `unknown action "${test.action}"${hint}`)
  }
  if (user !== undefined && !users.has(user)) {
    const hint = didYouMean(user, users)
    mistakeAt(report, within(part, 'user'), `unknown API user "${user}"${hint}`)
  }
  if (want === 'allow' && (test.reason ?? test.tell) !== undefined) {
    mistakeAt(report, part, 'reason and tell belong to want: deny')
  }
  if (want === 'deny' && (test.answer ?? test.hide) !== undefined) {
    mistakeAt(report, part, 'answer and hide belong to want: allow')
  }
  if (!name || !user || !action || !want) return undefined
  const typeOf = (key: string) => parts.facts.attributeType(action, key)
  const facts = typed(test.facts ?? {}, within(part, 'facts'), typeOf, report)
  const values = typed(
    test.values ?? {},
    within(part, 'values'),
    (key) => action.values.get(key),
    report,
  )
  const resource = readResource(test.resource ?? {}, within(part, 'resource'), parts)
  const fields = readFields(test.fields ?? {}, action, within(part, 'fields'), report)
  return {
    name,
    user,
    request: {
      action: action.name,
      resource,
      fields,
      values,
      ...(test.relation && { relation: test.relation }),
    },
    ...readEvent(test.source, { action, resource, fields }, part, report),
    facts,
    atMs: Date.parse(test.at ?? DEFAULT_AT),
    ...(test.from && { from: test.from }),
    ...(test.limits && { limits: test.limits }),
    want:
      want === 'allow'
        ? {
            outcome: 'allow',
            ...(test.answer && { answer: test.answer }),
            ...(test.hide && { hide: test.hide }),
          }
        : {
            outcome: 'deny',
            ...(test.reason && { reason: test.reason }),
            ...(test.tell && { tell: test.tell }),
          },
    place: { file: part.source.file, ...part.source.at(part.path) },
  }
}

function readResource(
  said: Readonly<Record<string, string>>,
  part: Part,
  { catalog, fleet, report }: TestParts,
): Resource {
  const { organization, product, device } = catalog.resources
  const resource: Resource = { type: 'none' }
  const words = [organization.one, product.one, device.one]
  for (const [key, value] of Object.entries(said)) {
    const place = within(part, key)
    if (key === organization.one) {
      const id = fleet.idOf('organization', value, place)
      if (id !== undefined) resource.organization = id
    } else if (key === product.one) {
      const id = fleet.idOf('product', value, place)
      if (id !== undefined) resource.product = id
    } else if (key === device.one) {
      const [id] = fleet.deviceIds([value], place)
      if (id !== undefined) resource.device = id
    } else mistakeAtKey(report, place, `unknown key "${key}"${didYouMean(key, words)}`)
  }
  if (resource.device !== undefined) resource.type = 'device'
  else if (resource.product !== undefined) resource.type = 'product'
  else if (resource.organization !== undefined) resource.type = 'organization'
  return resource
}

/** On a stream, one whole name in `events` means that event; without it, or with a `*`, the stream is opened. */
function readEvent(
  source: EventSource | undefined,
  { action, resource, fields }: { action: Action } & Pick<AccessRequest, 'resource' | 'fields'>,
  part: Part,
  report: Report,
): Pick<PolicyTest, 'event'> {
  const [name, ...others] = fields.events ?? []
  const isEvent =
    action.shape === 'stream' && name !== undefined && !name.endsWith('*') && others.length === 0
  if (!isEvent) {
    const says = 'a source is that of one event: name it in fields, as in { events: temperature }'
    if (source !== undefined) mistakeAtKey(report, within(part, 'source'), says)
    return {}
  }
  if (resource.type !== 'device' && (source ?? 'device') === 'device') {
    const says = 'an event is sent by a device: name it in resource, or say source: cloud or api'
    mistakeAt(report, part, says)
  }
  return { event: { name, source: source ?? 'device' } }
}

function readFields(
  said: Readonly<Record<string, readonly string[]>>,
  action: Action,
  part: Part,
  report: Report,
): AccessRequest['fields'] {
  const fields: Record<string, readonly string[]> = {}
  for (const [key, names] of Object.entries(said)) {
    const word = fieldWords.find((candidate) => candidate === key)
    if (word !== undefined && action.fields.includes(word)) fields[word] = names
    else {
      const hint = didYouMean(key, action.fields)
      mistakeAtKey(report, within(part, key), `${action.name} has no field word "${key}"${hint}`)
    }
  }
  return fields
}

function typed(
  said: Readonly<Record<string, string | readonly string[]>>,
  part: Part,
  typeOf: (key: string) => AttributeType | undefined,
  report: Report,
): Readonly<Record<string, Value>> {
  const entries = Object.entries(said).flatMap(([key, value]): [string, Value][] => {
    const place = within(part, key)
    const type = typeOf(key)
    if (type === undefined) {
      mistakeAtKey(report, place, `this action knows no "${key}"`)
      return []
    }
    if (type === 'strings') return [[key, typeof value === 'string' ? [value] : [...value]]]
    const scalar = typeof value === 'string' ? toScalar(value, type) : undefined
    if (scalar === undefined) mistakeAt(report, place, `must be ${TYPE_SAYS[type]}`)
    return scalar === undefined ? [] : [[key, scalar]]
  })
  return Object.fromEntries(entries)
}
