import { describe, expect, it } from 'vitest'
import { ObservedCallers, type ObservedCaller } from '../../../src/cli/observed-callers.ts'
import { commentOf, entryOrComment, policyEntry } from '../../../src/cli/observed-policy.ts'
import { particleCatalog } from '../../kit/catalog.ts'
import { mustLoad } from '../../kit/policies.ts'

const mine = '420032000e47343432313031'
const catalog = particleCatalog()

type Row = Readonly<Record<string, unknown>>

function aRow(more: Row = {}): Row {
  return {
    ...{ kind: 'decision', request_id: 'r1', at: '2026-11-23T06:00:00.000Z' },
    ...{ decision: 'would_deny', reason: 'invalid_token', enforcement: 'observe' },
    ...{ fingerprint: '0123456789abcdef', address: '10.0.0.4', agent: 'tool/1', method: 'GET' },
    ...{ target: '/v1/x', actions: ['devices:get'], products: ['12345'] },
    resources: [`device:${mine}`],
    ...more,
  }
}

function read(rows: readonly Row[], sinceMs = 0): ObservedCallers {
  const callers = new ObservedCallers()
  for (const row of rows) callers.read(JSON.stringify(row), sinceMs)
  return callers
}

function only(...rows: readonly Row[]): ObservedCaller {
  const [first, ...others] = read(rows).all()
  if (first === undefined || others.length > 0) throw new Error('not one caller')
  return first
}

/** As it loads once a person has filled it in. */
function loaded(caller: ObservedCaller) {
  const text = policyEntry(caller, catalog).replace('expires: CHANGE-ME', 'expires: never')
  const { set } = mustLoad(`users:\n${text}\n`, catalog)
  const [user] = set.users.values()
  return user?.grant
}

describe('ObservedCallers', () => {
  it('tells callers apart by API user, by fingerprint, else by address and agent', () => {
    const nobody = { fingerprint: undefined }
    const callers = read([
      aRow(),
      aRow({ agent: 'tool/2', address: '10.0.0.5' }),
      aRow({ fingerprint: 'fedcba9876543210' }),
      ...[aRow({ user: 'acme' }), aRow({ user: 'acme', fingerprint: undefined })],
      ...[aRow(nobody), aRow({ ...nobody, address: '10.0.0.9' })],
    ]).all()
    const keys = callers.map(({ user, fingerprint, requests }) => [user, fingerprint, requests])
    expect(keys).toEqual([
      [undefined, '0123456789abcdef', 2],
      ['acme', '0123456789abcdef', 2],
      [undefined, 'fedcba9876543210', 1],
      [undefined, undefined, 1],
      [undefined, undefined, 1],
    ])
    const names = callers.map((caller) => policyEntry(caller, catalog).split('\n', 1)[0])
    expect(new Set(names).size).toBe(5)
    expect([...(callers[0]?.addresses ?? [])]).toEqual(['10.0.0.4', '10.0.0.5'])
  })

  it('reads what was observed and no older, and counts what it cannot read', () => {
    const enforced = aRow({ enforcement: 'reject', decision: 'deny' })
    expect(read([enforced]).all()).toEqual([])
    const edge = Date.parse('2026-11-23T06:00:00.000Z')
    expect(read([aRow()], edge).all()).toHaveLength(1)
    expect(read([aRow()], edge + 1).all()).toEqual([])
    const callers = new ObservedCallers()
    callers.read('{"enforcement":"observe", cut', 0)
    expect([callers.unread, callers.all()]).toEqual([1, []])
  })

  it('counts as needed what the cloud served, not what it refused', () => {
    const outcome = (upstream: number) => ({
      ...{ kind: 'outcome', request_id: 'r1', upstream_status: upstream },
    })
    for (const refused of [400, 401, 403, 404]) {
      const caller = only(aRow(), outcome(refused))
      expect([caller.actions.size, caller.devices.values.size]).toEqual([0, 0])
      expect([caller.requests, caller.refusedByCloud]).toEqual([1, 1])
    }
    for (const served of [200, 408, 500]) {
      expect(only(aRow(), outcome(served)).actions.size).toBe(1)
    }
    expect(only(aRow()).actions.size).toBe(1)
  })

  it('holds no more than so many callers, devices and names, and says so', () => {
    const rows = Array.from({ length: 2_500 }, (_, i) => aRow({ fingerprint: `f${i}` }))
    const callers = read(rows)
    expect([callers.all().length, callers.left]).toEqual([2_000, 500])
    const id = (i: number) => i.toString(16).padStart(24, 'a')
    const many = Array.from({ length: 60 }, (_, i) => aRow({ resources: [`device:${id(i)}`] }))
    const { devices } = only(...many)
    expect([devices.values.size, devices.many]).toEqual([50, true])
  })
})

describe('the policy entry of an observed caller', () => {
  it('loads, and allows what it did', () => {
    const call = { actions: ['devices.function:call'], fields: ['functions:blink', 'body:arg'] }
    const entry = only(
      aRow(),
      aRow(call),
      aRow({ ...call, fields: ['functions:on off', 'body:arg'] }),
    )
    expect(loaded(entry)).toMatchObject({
      boundary: { kind: 'products', products: ['12345'] },
      devices: { '*': { ids: [mine] } },
      rules: [
        { effect: 'can', actions: ['devices:get'] },
        { actions: ['devices.function:call'], fields: { functions: ['blink', 'on off'] } },
      ],
    })
  })

  it('names functions only where every call named one, and devices only where they are few', () => {
    const prefix = { actions: ['events:get'], resources: ['product:12345'] }
    const rows = [aRow({ ...prefix, fields: ['events:alarm*'] }), aRow(prefix)]
    for (const order of [rows, rows.toReversed()]) {
      const [rule] = loaded(only(...order))?.rules ?? []
      expect(rule?.actions).toEqual(['events:get'])
      expect(rule?.fields?.events).toBeUndefined()
    }
    const ids = Array.from({ length: 21 }, (_, i) => `device:${i.toString(16).padStart(24, 'a')}`)
    expect(loaded(only(aRow({ resources: ids })))?.devices).toEqual({ '*': { all: true } })
    const listed = policyEntry(only(aRow(), aRow({ actions: ['devices:list'] })), catalog)
    expect(listed).toContain('devices: all #')
    expect(listed).toContain(`# devices: [${mine}]`)
  })

  it('has the boundary of what was touched: products, an organization, or what a person must say', () => {
    const entry = (row: Row) => policyEntry(only(row), catalog)
    expect(entry(aRow({ products: ['12345', '12346'] }))).toContain('products: [12345, 12346]')
    const organization = { resources: ['organization:aaaaaaaaaaaaaaaaaaaaaaaa'], products: [] }
    expect(entry(aRow(organization))).toContain('organization: aaaaaaaaaaaaaaaaaaaaaaaa')
    expect(entry(aRow({ products: [] }))).toContain('product: CHANGE-ME')
  })

  it('is a comment for an API user that there is, and for who did nothing', () => {
    const lines = (row: Row) => entryOrComment(only(row), catalog).split('\n')
    expect(lines(aRow()).every((line) => line.startsWith('  # '))).toBe(false)
    expect(lines(aRow({ user: 'acme' })).every((line) => line.startsWith('  # '))).toBe(true)
    const nothing = aRow({ actions: [], reason: 'unmapped_route' })
    expect(lines(nothing).every((line) => line.startsWith('  # '))).toBe(true)
    expect(commentOf(only(nothing))).toContain('no policy allows: GET /v1/x (unmapped_route), 1 ×')
  })

  it('prints no name as a pattern that was called so, and the beginnings that a stream was opened for', () => {
    const call = (action: string, field: string) =>
      only(aRow({ actions: [action], fields: [field] }))
    const read = call('devices.variable:get', 'variables:temp*')
    expect(policyEntry(read, catalog)).toContain('variables: [CHANGE-ME]')
    expect(policyEntry(read, catalog)).toMatch(/^ +# .*"temp\*"$/m)
    expect(loaded(read)?.rules[0]?.fields).toEqual({ variables: ['CHANGE-ME'] })
    const exact = call('devices.variable:get', 'variables:temp')
    expect(loaded(exact)?.rules[0]?.fields).toEqual({ variables: ['temp'] })
    const called = call('devices.function:call', 'functions:a*b')
    expect(loaded(called)?.rules[0]?.fields).toEqual({ functions: ['CHANGE-ME'] })
    const listened = call('events:get', 'events:alarm*')
    expect(loaded(listened)?.rules[0]?.fields).toEqual({ events: ['alarm*'] })
  })

  it('spells out what makes a line look other than it reads', () => {
    const odd = 'a\u202Eb\u2028c\u2029d\u009Be\u{E0001}f'
    const call = { actions: ['devices.function:call'], fields: [`functions:${odd}`] }
    const caller = only(aRow({ ...call, agent: odd }))
    const text = `${commentOf(caller)}\n${policyEntry(caller, catalog)}`
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
    expect(text).toContain('a\\u202eb\\u2028c\\u2029d\\u009be\\U000e0001f')
    expect(loaded(caller)?.rules[0]?.fields).toEqual({ functions: [odd] })
  })

  it('takes nothing that a caller wrote for more than a comment or a name', () => {
    const agent = 'x\n  admin:\n    scopes: [all]\u0085y'
    const odd = aRow({
      agent,
      actions: ['devices.function:call'],
      fields: ['functions:a"]\n- can: x'],
    })
    const text = `users:\n${commentOf(only(odd))}\n${policyEntry(only(odd), catalog)}\n`
    const { set } = mustLoad(text.replace('expires: CHANGE-ME', 'expires: never'), catalog)
    expect([...set.users.keys()]).toEqual(['observed-0123456789abcdef'])
    const [rule] = [...set.users.values()][0]?.grant.rules ?? []
    expect(rule?.fields?.functions).toEqual(['a"]\n- can: x'])
  })
})
