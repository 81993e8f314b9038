/** The decision log read line by line into one entry a caller: bounded, however long the log is. */

import { isJsonObject } from '../lib/cloud-json.ts'

export type ObservedCaller = {
  /** An API user's name; else what tells its token apart; else only where it called from. */
  user: string | undefined
  fingerprint: string | undefined
  /** Counts up, where neither says who it is; undefined: one of them does. */
  nameless: number | undefined
  requests: number
  firstAt: string
  lastAt: string
  addresses: Set<string>
  agents: Set<string>
  actions: Map<string, ObservedAction>
  organizations: Set<string>
  products: Set<string>
  /** `many`: more than are kept. */
  devices: { values: Set<string>; many: boolean }
  /** Reason to how often. */
  wouldDeny: Map<string, number>
  /** Method, target and reason, to how often: of no route that a policy could allow. */
  impossible: Map<string, number>
  /** Answers that would have been cut. */
  wouldCut: number
  /** Requests that the cloud answered with 400, 401, 403 or 404: what they were about is not counted. */
  refusedByCloud: number
}

export type ObservedAction = {
  calls: number
  /** Field word to the names it was called with. */
  fields: Map<string, Set<string>>
  /** Field words without which it was called at least once. */
  bare: Set<string>
}

const maxCallers = 2_000
const maxPlaces = 20
const maxDevices = 50
const maxNames = 200
const maxWaiting = 10_000

type Row = Readonly<Record<string, unknown>>

/** 400 too: so clouds answer a token that lacks a scope. */
const refusals: ReadonlySet<unknown> = new Set([400, 401, 403, 404])

export class ObservedCallers {
  /** Requests of callers beyond the bound. */
  left = 0
  /** Lines that are no records. */
  unread = 0
  #nameless = 0
  readonly #byKey = new Map<string, ObservedCaller>()
  /** Decided, and not known yet how it ended. */
  readonly #waiting = new Map<string, { caller: ObservedCaller; row: Row }>()

  read(line: string, sinceMs: number): void {
    // Most of a log is neither; to parse it all would take many times as long.
    const isDecision = line.includes('"enforcement":"observe"')
    if (!isDecision && (this.#waiting.size === 0 || !line.includes('"kind":"outcome"'))) return
    const row = parse(line)
    if (row === undefined) return void (this.unread += 1)
    const id = textOf(row, 'request_id') ?? ''
    if (row['kind'] === 'outcome') return this.#settle(id, row['upstream_status'])
    const at = textOf(row, 'at') ?? ''
    if (row['kind'] !== 'decision' || Date.parse(at) < sinceMs) return
    const caller = this.#callerOf(row, at)
    if (caller === undefined) return void (this.left += 1)
    note(caller, row, at)
    this.#settle(id, undefined)
    this.#waiting.set(id, { caller, row })
    const [oldest] = this.#waiting.keys()
    if (oldest !== undefined && this.#waiting.size > maxWaiting) this.#settle(oldest, undefined)
  }

  /** Nobody needs a right to what the cloud itself refuses. */
  #settle(id: string, status: unknown): void {
    const decided = this.#waiting.get(id)
    if (decided === undefined) return
    this.#waiting.delete(id)
    const { caller, row } = decided
    if (refusals.has(status)) caller.refusedByCloud += 1
    else noteDeed(caller, row)
  }

  /** Busiest first. Whatever has no outcome yet counts as done. */
  all(): ObservedCaller[] {
    for (const id of this.#waiting.keys()) this.#settle(id, undefined)
    return [...this.#byKey.values()].toSorted((one, other) => other.requests - one.requests)
  }

  #callerOf(row: Row, at: string): ObservedCaller | undefined {
    const user = textOf(row, 'user')
    const fingerprint = textOf(row, 'fingerprint')
    const place = [textOf(row, 'address'), textOf(row, 'agent')]
    const key = JSON.stringify([
      user,
      user === undefined ? fingerprint : '',
      ...((user ?? fingerprint) ? [] : place),
    ])
    const known = this.#byKey.get(key)
    if (known !== undefined || this.#byKey.size >= maxCallers) return known
    const isNameless = (user ?? fingerprint) === undefined
    const caller: ObservedCaller = {
      ...{
        user,
        fingerprint,
        nameless: isNameless ? (this.#nameless += 1) : undefined,
        requests: 0,
        firstAt: at,
        lastAt: at,
        wouldCut: 0,
        refusedByCloud: 0,
      },
      ...{ addresses: new Set(), agents: new Set(), actions: new Map() },
      ...{ organizations: new Set(), products: new Set() },
      ...{ devices: { values: new Set(), many: false } },
      ...{ wouldDeny: new Map(), impossible: new Map() },
    }
    this.#byKey.set(key, caller)
    return caller
  }
}

function note(caller: ObservedCaller, row: Row, at: string): void {
  caller.requests += 1
  caller.lastAt = at
  put(caller.addresses, textOf(row, 'address'), maxPlaces)
  put(caller.agents, textOf(row, 'agent'), maxPlaces)
  const reason = textOf(row, 'reason')
  if (reason !== undefined) addOne(caller.wouldDeny, reason)
}

function noteDeed(caller: ObservedCaller, row: Row): void {
  if (row['would'] === 'filter') caller.wouldCut += 1
  for (const product of textsOf(row, 'products')) put(caller.products, product, maxNames)
  for (const resource of textsOf(row, 'resources')) noteResource(caller, resource)
  const actions = textsOf(row, 'actions')
  const fields = textsOf(row, 'fields').map(wordAndName)
  for (const action of actions) noteAction(caller, action, fields)
  const reason = textOf(row, 'reason')
  // A route that is none, or that the gate never serves, is in no action.
  if (reason === undefined || actions.length > 0) return
  addOne(caller.impossible, `${textOf(row, 'method')} ${textOf(row, 'target')} (${reason})`)
}

function noteResource({ organizations, devices }: ObservedCaller, resource: string): void {
  const [type, id] = wordAndName(resource)
  if (id === '') return
  if (type === 'organization') put(organizations, id, maxNames)
  if (type !== 'device') return
  if (devices.values.size >= maxDevices && !devices.values.has(id)) devices.many = true
  else devices.values.add(id)
}

function noteAction(
  { actions }: ObservedCaller,
  name: string,
  fields: readonly (readonly [string, string])[],
): void {
  const known = actions.get(name)
  const action: ObservedAction = known ?? { calls: 0, fields: new Map(), bare: new Set() }
  if (known === undefined) {
    if (actions.size >= maxNames) return
    actions.set(name, action)
  }
  const words = new Set(fields.map(([word]) => word))
  // Called with a word for the first time, having been called without: that it was without counts.
  for (const word of words) if (action.calls > 0 && !action.fields.has(word)) action.bare.add(word)
  for (const word of action.fields.keys()) if (!words.has(word)) action.bare.add(word)
  action.calls += 1
  for (const [word, field] of fields) {
    const names = action.fields.get(word) ?? new Set<string>()
    action.fields.set(word, names)
    // What is too much to list is not narrowed by lists.
    if (names.size >= maxNames && !names.has(field)) action.bare.add(word)
    else names.add(field)
  }
}

function parse(line: string): Row | undefined {
  try {
    const row: unknown = JSON.parse(line)
    return isJsonObject(row) ? row : undefined
  } catch {
    // The line is counted as unread, and said to be.
    return undefined
  }
}

function textOf(row: Row, key: string): string | undefined {
  const value = row[key]
  return typeof value === 'string' ? value : undefined
}

function textsOf(row: Row, key: string): string[] {
  const value = row[key]
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}

function wordAndName(text: string): readonly [string, string] {
  const colon = text.indexOf(':')
  return [text.slice(0, colon), text.slice(colon + 1)]
}

function put(set: Set<string>, value: string | undefined, max: number): void {
  if (value !== undefined && set.size < max) set.add(value)
}

function addOne(counts: Map<string, number>, key: string): void {
  if (counts.has(key) || counts.size < maxNames) counts.set(key, (counts.get(key) ?? 0) + 1)
}
