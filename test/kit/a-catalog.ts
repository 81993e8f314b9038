/** A small catalog in the manner of Particle's, as a value: what the policy room is tested against. */

import type {
  Action,
  AnswerSpec,
  Attribute,
  AttributeType,
  BodySpec,
  Catalog,
  FieldWord,
  ResourceSpec,
  Route,
} from '../../src/domain/catalog.ts'

type ActionSeed = {
  classes?: readonly string[]
  scope?: string
  fields?: readonly FieldWord[]
  values?: Readonly<Record<string, AttributeType>>
  shape?: Action['shape']
  /** Default: acts on one device. */
  onDevice?: false
  deviceFree?: true
  writes?: readonly string[]
  /** Body keys its route declares; the first ones in `chosenBy` tell it from others. */
  body?: readonly string[]
  chosenBy?: readonly string[]
  answer?: AnswerSpec
}

const device = { kind: 'object', at: '', secrets: ['mobile_secret'], item: 'device' } as const
const devices = {
  kind: 'list',
  at: 'devices',
  secrets: ['mobile_secret'],
  item: 'device',
  items: {
    id: 'id',
    facts: 'item',
    paging: { page: 'page', size: ['size'], defaultSize: 25, maxSize: 100, meta: {} },
    sides: [],
    keep: [],
    narrow: [{ query: 'groups', attribute: 'groups' }],
  },
} as const
const events = {
  kind: 'stream',
  shared: { text: '/events', segments: [{ literal: 'events' }] },
} as const

const seeds: Readonly<Record<string, ActionSeed>> = {
  'devices:list': {
    classes: ['read'],
    shape: 'list',
    onDevice: false,
    deviceFree: true,
    answer: devices,
  },
  'devices:get': { classes: ['read'], answer: device },
  'devices:ping': { classes: ['control'] },
  'devices:update.name': update('name'),
  'devices:update.groups': { ...update('groups'), writes: ['groups'] },
  'devices:update.flash': { ...update('flash'), classes: ['deploy'] },
  'devices:remove.device': { classes: ['control'], writes: ['product'] },
  'devices.function:call': {
    classes: ['control'],
    fields: ['functions'],
    values: { argument: 'string', level: 'number' },
  },
  'devices.variable:get': { classes: ['live'], fields: ['variables'] },
  'devices.backup:get': { classes: ['secret'] },
  'events:get': {
    classes: ['live'],
    shape: 'stream',
    fields: ['events'],
    onDevice: false,
    deviceFree: true,
    answer: events,
  },
  'events:send': { classes: ['control'], fields: ['events'], onDevice: false },
  'firmware:create': { classes: ['deploy'], onDevice: false },
  'firmware:release': { classes: ['deploy'], onDevice: false },
  'products:get': { classes: ['read'], onDevice: false },
  'teams.users:invite': { classes: ['escalates'], onDevice: false },
  'ledger.instances:list': { classes: ['read'], fields: ['ledgers'], onDevice: false },
  'ledger.instances:set': {
    classes: ['control'],
    fields: ['ledgers', 'body'],
    onDevice: false,
    body: ['scope', 'data', 'note'],
  },
}

function update(key: string): ActionSeed {
  return {
    classes: ['control'],
    scope: 'devices:update',
    fields: ['body'],
    body: ['name', 'groups', 'flash'],
    chosenBy: [key],
  }
}

export function aCatalog(): Catalog {
  const actions = new Map(Object.entries(seeds).map(([name, seed]) => [name, toAction(name, seed)]))
  const scopes = new Map<string, string[]>()
  for (const { name, scope } of actions.values()) {
    scopes.set(scope, [...(scopes.get(scope) ?? []), name])
  }
  return {
    name: 'test',
    hash: 'c0ffee',
    resources: {
      organization: resource('organization', 'organizations', /^[0-9a-f]{24}$/, {}, []),
      product: resource('product', 'products', /^[1-9][0-9]{2,9}$/, { tier: 'string' }, []),
      device: {
        ...resource(
          'device',
          'devices',
          /^[0-9a-f]{24}$/,
          {
            groups: 'strings',
            firmware_version: 'number',
            online: 'boolean',
            region: 'string',
            serial_number: 'string',
            last_heard: 'time',
            product: 'number',
          },
          ['id', 'name', 'online', 'last_heard', 'last_ip_address', 'groups', 'firmware_version'],
        ),
        fold: 'lower',
      },
    },
    credentials: { parameter: 'access_token', query: ['GET'], form: ['POST'] },
    errors: { body: { error: '$error' } },
    events: { source: 'coreid', api: ['api'], cloud: ['cloud'] },
    classes: new Map(
      ['read', 'live', 'control', 'deploy', 'secret', 'escalates'].map((name) => [name, name]),
    ),
    actions,
    scopes,
    routes: Object.entries(seeds).map(([name, seed]) => toRoute(name, seed)),
    forwardHeaders: [],
    returnHeaders: [],
  }
}

function resource(
  one: string,
  many: string,
  id: RegExp,
  types: Readonly<Record<string, AttributeType>>,
  keys: readonly string[],
): ResourceSpec {
  const attributes = new Map(
    Object.entries(types).map(([name, type]): [string, Attribute] => [
      name,
      { name, type, from: name, says: name },
    ]),
  )
  return { one, many, id, fold: 'none', alias: /^[a-z][a-z0-9-]*$/, attributes, keys }
}

function toAction(name: string, seed: ActionSeed): Action {
  return {
    name,
    scope: seed.scope ?? name,
    origin: 'cloud',
    classes: seed.classes ?? [],
    says: `${name}.`,
    fields: seed.fields ?? [],
    values: new Map(Object.entries(seed.values ?? {})),
    shape: seed.shape ?? 'item',
    onDevice: seed.onDevice ?? true,
    deviceFree: seed.deviceFree ?? false,
    writes: seed.writes ?? [],
    changes: 'listed',
  }
}

function toRoute(action: string, seed: ActionSeed): Route {
  const pattern = { text: `/${action}`, segments: [{ literal: action }] }
  const keys = (seed.body ?? []).map((key) => [key, { type: 'any', required: false }] as const)
  const body: BodySpec =
    seed.body === undefined
      ? { kind: 'none' }
      : { kind: 'fields', types: ['json'], keys: new Map(keys), optional: true }
  return {
    id: `POST /${action}`,
    method: 'POST',
    pattern,
    upstream: pattern,
    way: 'small',
    kind: { kind: 'upstream' },
    deeds: [{ action, keys: seed.chosenBy ?? [], fields: {}, values: {} }],
    query: new Map(),
    body,
    answer: seed.answer ?? { kind: 'object', at: '', secrets: [] },
    devices: [],
  }
}
