import { describe, expect, it } from 'vitest'
import { Secret } from '../../../src/lib/secret.ts'
import {
  decisionBody,
  eventBody,
  outcomeBody,
  progressBody,
  rejectBody,
  summaryBody,
} from '../../../src/audit/records.ts'
import { aDecision, aReject, anEnvelope, answered } from '../../kit/audit.ts'
import type { Line } from '../../kit/audit.ts'

const at = '2026-06-01T12:00:00.005Z'
const read = (body: string): Line => JSON.parse(`{"seq":1${body}}`)

describe('decisionBody', () => {
  it('says who asked what, what was answered and why', () => {
    expect(read(decisionBody(at, anEnvelope('r1'), aDecision()))).toEqual({
      seq: 1,
      at: '2026-06-01T12:00:00.005Z',
      kind: 'decision',
      request_id: 'r1',
      decision: 'allow',
      user: 'acme-technician',
      token_id: 'aB3dE6gH9jK2',
      revision: '9f2c4e6a8b0d',
      grant: 'a'.repeat(64),
      issued_grant: 'b'.repeat(64),
      route: 'GET /v1/products/:product/devices/:device',
      target: '/v1/products/12345/devices/e00fce68aaaaaaaaaaaaaaaa',
      target_hash: expect.stringMatching(/^[0-9a-f]{16}$/),
      actions: ['devices:get'],
      resources: ['device:e00fce68aaaaaaaaaaaaaaaa'],
      products: ['12345'],
      rule: { file: 'policies/acme.yaml', line: 12, id: 'read' },
      facts: { e00fce68aaaaaaaaaaaaaaaa: { groups: ['site-7'] } },
      enforcement: 'filter',
      address: '192.0.2.7',
      method: 'GET',
      agent: 'curl/8',
    })
  })

  it('says of an observed request what would be, until when, and of whom', () => {
    const untilMs = Date.UTC(2026, 6, 1)
    const stranger = {
      user: undefined,
      tokenId: undefined,
      grant: undefined,
      issuedGrant: undefined,
    }
    const line = read(
      decisionBody(
        at,
        anEnvelope('r1'),
        aDecision({
          ...stranger,
          observed: { untilMs, fingerprint: '0123456789abcdef' },
          result: { outcome: 'deny', reason: 'invalid_token' },
          enforcement: 'observe',
        }),
      ),
    )
    expect(line).toMatchObject({
      ...{ decision: 'would_deny', reason: 'invalid_token', enforcement: 'observe' },
      ...{ observed_until: '2026-07-01T00:00:00.000Z', fingerprint: '0123456789abcdef' },
      actions: ['devices:get'],
    })
    for (const key of ['user', 'token_id', 'grant', 'issued_grant']) {
      expect(line).not.toHaveProperty(key)
    }
    const observed = { untilMs, would: 'filter' as const }
    const allowed = aDecision({ observed, enforcement: 'observe' })
    expect(read(decisionBody(at, anEnvelope('r1'), allowed))).toMatchObject({
      ...{ decision: 'allow', would: 'filter', user: 'acme-technician' },
    })
  })

  it('names what failed on a deny, and never what the client is told', () => {
    const line = read(
      decisionBody(
        at,
        anEnvelope('r1'),
        aDecision({
          result: {
            outcome: 'deny',
            reason: 'not_granted',
            rule: undefined,
            tell: 'a sentence for the client',
            facts: {},
            failed: { action: 'devices:update.name', resource: 'abc' },
          },
        }),
      ),
    )
    expect(line).toMatchObject({
      decision: 'deny',
      reason: 'not_granted',
      failed_action: 'devices:update.name',
      failed_resource: 'abc',
    })
    expect(JSON.stringify(line)).not.toContain('a sentence')
    expect(line).not.toHaveProperty('facts')
  })

  it('takes a problem in place of a decision', () => {
    const line = read(
      decisionBody(
        at,
        anEnvelope('r1', { agent: undefined }),
        aDecision({
          route: undefined,
          grant: undefined,
          requests: [],
          result: { outcome: 'deny', reason: 'unmapped_route' },
        }),
      ),
    )
    expect(line).toMatchObject({ decision: 'deny', reason: 'unmapped_route' })
    expect(Object.keys(line)).not.toEqual(expect.arrayContaining(['route']))
  })

  it('T12 writes names of fields, never values, and no query of the caller’s', () => {
    const body = decisionBody(
      at,
      anEnvelope('r1', { rawTarget: '/v1/raw-target?q=1' }),
      aDecision({
        target: '/v1/devices/x/setpoint?deviceName=kitchen',
        requests: [
          {
            action: 'devices.function:call',
            resource: { type: 'device', device: 'x' },
            fields: { functions: ['setpoint'], body: ['arg'] },
            values: { argument: 'forty-two' },
          },
        ],
      }),
    )
    expect(read(body)).toMatchObject({
      fields: ['functions:setpoint', 'body:arg'],
      target: '/v1/devices/x/setpoint?deviceName',
    })
    for (const private_ of ['forty-two', 'kitchen', 'raw-target'])
      expect(body).not.toContain(private_)
  })

  it('lists all ids of a bulk request, each once', () => {
    const one = { action: 'devices:get', fields: {}, values: {} }
    const requests = ['a', 'b', 'a'].map((device) => ({
      ...one,
      resource: { type: 'device' as const, product: '1', device },
    }))
    expect(read(decisionBody(at, anEnvelope('r1'), aDecision({ requests })))).toMatchObject({
      actions: ['devices:get'],
      resources: ['device:a', 'device:b'],
      products: ['1'],
    })
  })

  it('A05 stays one honest line whatever the client sends', () => {
    const evil = '"}\n{"decision":"allow"}\r\n\u001b[2J\u2028'
    const body = decisionBody(
      at,
      anEnvelope('r1', { agent: evil + 'x'.repeat(1_000_000), method: evil, address: evil }),
      aDecision({ target: `/${evil}`, result: { outcome: 'deny', reason: 'unmapped_route' } }),
    )
    // oxlint-disable-next-line no-control-regex -- these are what must not be there
    expect(body).not.toMatch(/[\u0000-\u001f\u2028]/)
    expect(body.length).toBeLessThan(4_000)
    expect(read(body)).toMatchObject({ decision: 'deny' })
    expect(read(body)['agent']).toMatch(/…\[1000030 characters\]$/)
  })

  it('bounds facts', () => {
    const facts = { device: { groups: Array.from({ length: 10_000 }, (_, i) => `group-${i}`) } }
    const allow = aDecision().result
    if (!('facts' in allow)) throw new Error('kit')
    const line = read(
      decisionBody(at, anEnvelope('r1'), aDecision({ result: { ...allow, facts } })),
    )
    expect(line['facts']).toEqual({})
    expect(line['facts_bytes']).toBeGreaterThan(100_000)
  })
})

describe('the other kinds', () => {
  it('tell the outcome', () => {
    expect(read(outcomeBody(at, 'r1', answered, 1.23456))).toEqual({
      seq: 1,
      at: '2026-06-01T12:00:00.005Z',
      kind: 'outcome',
      request_id: 'r1',
      status: 200,
      upstream_status: 200,
      upstream_request_id: 'up-1',
      bytes: 321,
      duration_ms: 1.235,
      ended: 'answered',
    })
  })

  it('tell how many events a stream has carried, at its end and on its way', () => {
    const events = { sent: 7, withheld: 2 }
    expect(read(outcomeBody(at, 'r1', { ...answered, events }, 1))).toMatchObject({ events })
    expect(read(progressBody(at, 'r1', events))).toEqual({
      seq: 1,
      at: '2026-06-01T12:00:00.005Z',
      kind: 'progress',
      request_id: 'r1',
      ...events,
    })
  })

  it('tell from where the items of a list came', () => {
    const list = { way: 'narrowed', total: 50, ageMs: 12.6 } as const
    expect(read(outcomeBody(at, 'r1', { ...answered, list }, 1))).toMatchObject({
      list: { way: 'narrowed', total: 50, age_ms: 13 },
    })
  })

  it('stay valid JSON when a number is none', () => {
    expect(read(outcomeBody(at, 'r1', { ...answered, bytes: Number.NaN }, 1))).toMatchObject({
      bytes: -1,
    })
  })

  it('T12 keep the path of a reject without its query', () => {
    const body = rejectBody(
      aReject('r1', { rawTarget: '/v1/x?access_token=abc', tokenId: 'aB3dE6gH9jK2' }),
    )
    expect(read(body)).toMatchObject({
      kind: 'reject',
      reason: 'invalid_token',
      path: '/v1/x',
      token_id: 'aB3dE6gH9jK2',
    })
    expect(body).not.toContain('abc')
  })

  it('count in summaries, by address or for all', () => {
    expect(read(summaryBody(at, 7, '192.0.2.1'))).toMatchObject({
      summarised: 7,
      address: '192.0.2.1',
    })
    expect(read(summaryBody(at, 7))).not.toHaveProperty('address')
  })

  it('hide secrets in events, keep their keys apart, and survive what JSON cannot hold', () => {
    const data = { kind: 'decision', token: new Secret('hush') }
    expect(read(eventBody(at, 'rotated', data))).toMatchObject({
      kind: 'event',
      event: 'rotated',
      data: { kind: 'decision', token: '[secret]' },
    })
    expect(read(eventBody(at, 'odd', { n: 1n }))).toMatchObject({
      event: 'odd',
      data: { unserialisable: true },
    })
  })
})
