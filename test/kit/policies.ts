/** Policy sets from texts, and a gate's question in one line. */

import type { AccessRequest, RequestContext, Resource } from '../../src/domain/access-request.ts'
import type { Catalog } from '../../src/domain/catalog.ts'
import type { Decision } from '../../src/domain/decision.ts'
import type { ApiUser, StoredDefinition } from '../../src/domain/grant.ts'
import type { Principal } from '../../src/domain/principal.ts'
import { createPolicyEngine } from '../../src/policy/engine.ts'
import type { PolicySet } from '../../src/policy/policy-set.ts'
import { loadPolicySet, type PolicyFile } from '../../src/policy/load.ts'
import type { Item, ItemJudge, NeedsFacts, PolicyEngine } from '../../src/policy/policy-engine.ts'
import { aCatalog } from './a-catalog.ts'

export const MINE = '420032000e47343432313031'
export const OTHER = '350041000e47363433353735'
export const PRODUCT = '12345'
export const ACME = 'aaaaaaaaaaaaaaaaaaaaaaaa'
/** Noon UTC of a Monday. */
export const NOON = Date.UTC(2026, 10, 23, 12)

export const myDevice: Resource = {
  type: 'device',
  organization: ACME,
  product: PRODUCT,
  device: MINE,
}
export const otherDevice: Resource = { ...myDevice, device: OTHER }
export const myProduct: Resource = { type: 'product', organization: ACME, product: PRODUCT }

/** The small catalog, and beside it lists of products and of ledger instances. */
export function aFleetCatalog(): Catalog {
  const catalog = aCatalog()
  const devices = catalog.routes.find(({ id }) => id === 'POST /devices:list')
  const list = catalog.actions.get('devices:list')
  if (devices?.answer.kind !== 'list' || list === undefined) throw new Error('no devices:list')
  const { answer } = devices
  const pattern = (text: string) => ({ text, segments: [{ literal: text }] })
  const more = [
    { name: 'products:list', item: 'product', facts: 'item', fields: [], onDevice: false },
    {
      name: 'instances:list',
      item: 'device',
      facts: 'directory',
      fields: ['ledgers'],
      onDevice: true,
    },
  ] as const
  const items = answer.items
  if (items === undefined) throw new Error('devices:list has no items')
  return {
    ...catalog,
    actions: new Map([
      ...catalog.actions,
      ...more.map(
        ({ name, fields, onDevice }) =>
          [name, { ...list, name, scope: name, fields, onDevice }] as const,
      ),
    ]),
    scopes: new Map([...catalog.scopes, ...more.map(({ name }) => [name, [name]] as const)]),
    routes: [
      ...catalog.routes,
      ...more.map(({ name, item, facts }) => ({
        ...devices,
        id: `GET /${name}`,
        pattern: pattern(name),
        deeds: [{ action: name, keys: [], fields: {}, values: {} }],
        answer: { ...answer, item, items: { ...items, facts } },
      })),
    ],
  }
}

type Texts = string | Readonly<Record<string, string>>

export function filesOf(texts: Texts): PolicyFile[] {
  const table = typeof texts === 'string' ? { 'policies/all.yaml': texts } : texts
  return Object.entries(table).map(([file, text]) => ({ file, text }))
}

export function load(texts: Texts, catalog: Catalog = aCatalog()) {
  return loadPolicySet(filesOf(texts), catalog, { version: '1.0.0' })
}

export function mustLoad(texts: Texts, catalog?: Catalog) {
  const loaded = load(texts, catalog)
  if (loaded.ok) return loaded
  throw new Error(loaded.mistakes.map(({ line, message }) => `${line}: ${message}`).join('\n'))
}

/** `line: message` of every mistake; empty for a set that loads. */
export function mistakesIn(texts: Texts): string[] {
  const loaded = load(texts)
  return loaded.ok ? [] : loaded.mistakes.map(({ line, message }) => `${line}: ${message}`)
}

/** An API user `u` of the product with all devices, from the text of its rules alone. */
export function userWith(rules: string, more = 'devices: all'): string {
  const indented = rules
    .trim()
    .split('\n')
    .map((line) => `      ${line}`)
  return [
    'users:',
    '  u:',
    '    owner: o@acme.example',
    `    product: ${PRODUCT}`,
    '    never: true',
    ...more
      .trim()
      .split('\n')
      .map((line) => `    ${line}`),
    ...(rules.trim() === '' ? [] : ['    rules:', ...indented]),
    '',
  ].join('\n')
}

export type Question = Partial<Omit<AccessRequest, 'action'>> & {
  user?: string
  /** `null`: not in hand. */
  facts?: Readonly<Record<string, unknown>> | null
  atMs?: number
  issued?: ApiUser
  /** The caller's. */
  address?: string
  /** Definition in the store. */
  stored?: StoredDefinition
} & Pick<RequestContext, 'wait' | 'spent'>

export type Gate = {
  set: PolicySet
  engine: PolicyEngine
  use(set: PolicySet): void
  full(action: string, question?: Question): Decision | NeedsFacts
  /** `allow`, `needs_facts` or the reason of the denial. */
  ask(action: string, question?: Question): string
  items(action: string, question?: Question): ItemJudge
  /** One item of the list or stream of `myProduct`: `allow`, `deny` or `needs_facts`. */
  item(action: string, item: AnItem): string
  hangsOnDevice(action: string, place: Resource, issued?: ApiUser): boolean
}

export type AnItem = Omit<Partial<Item>, 'facts'> &
  Pick<Question, 'facts' | 'issued' | 'user' | 'atMs' | 'fields'>

export function gateOf(texts: Texts, catalog: Catalog = aCatalog()): Gate {
  const { set } = mustLoad(texts, catalog)
  const engine = createPolicyEngine({ catalog, set, cacheSize: 10 })
  const askedOf = ({ user = 'u', stored, ...question }: Question) => {
    const { atMs = NOON, address = '127.0.0.1', wait, spent, ...others } = question
    const { issued = engine.user(user, stored), facts: _, ...request } = others
    const counted = { ...(wait && { wait }), ...(spent && { spent }) }
    return {
      principal: { ...principalOf(user, issued), stored },
      context: { requestId: 'r', atMs, address, ...counted },
      request,
    }
  }
  const full: Gate['full'] = (action, question = {}) => {
    const { principal, context, request } = askedOf(question)
    const { facts = {} } = question
    return engine.decide(
      principal,
      [{ action, resource: myDevice, fields: {}, values: {}, ...request }],
      () => facts ?? undefined,
      context,
    )
  }
  const items: Gate['items'] = (action, question = {}) => {
    const { principal, context, request } = askedOf(question)
    return engine.items(
      principal,
      { action, resource: myProduct, fields: {}, values: {}, ...request },
      context,
    )
  }
  return {
    set,
    engine,
    use: (next) => engine.use(next),
    full,
    items,
    item(action, { resource = myDevice, facts = {}, event, atMs = NOON, ...question }) {
      const item = { resource, facts: facts ?? undefined, ...(event && { event }) }
      return items(action, question).judge(item, atMs).outcome
    },
    hangsOnDevice: (action, place, issued = engine.user('u')) =>
      engine.hangsOnDevice(principalOf('u', issued), action, place),
    ask(action, question) {
      const decision = full(action, question)
      return decision.outcome === 'deny' ? decision.reason : decision.outcome
    },
  }
}

export function principalOf(user: string, issued: ApiUser | undefined): Principal {
  if (issued === undefined) throw new Error(`no API user "${user}" in the set`)
  return {
    user,
    tokenId: 'tokentoken12',
    issued: issued.grant,
    issuedHash: issued.grantHash,
    tokenKind: 'minted',
    expiresAtMs: undefined,
    stored: undefined,
  }
}
