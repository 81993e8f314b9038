import { describe, expect, it } from 'vitest'
import { UpstreamRefusal } from '../../../../src/upstream/fleet-lists.ts'
import { listsRig, type RigOptions, type Row } from '../../../kit/lists-rig.ts'
import { ACME, MINE, OTHER } from '../../../kit/policies.ts'

const [first, second, third] = ['12345', '12346', '67890'] as const
const pathOf = (product: string) => `/v1/products/${product}/devices`
const row = (id: string, more: Row = {}): Row => ({
  id,
  groups: ['a'],
  mobile_secret: 'TOP',
  ...more,
})
const FAR = 'ffffffffffffffffffffffff'

const cloud = {
  [pathOf(first)]: {
    devices: [row(MINE), row(OTHER, { groups: ['b'] })],
    meta: { total_pages: 1 },
  },
  [pathOf(second)]: { devices: [row(MINE.replace('42', '43'))] },
  [pathOf(third)]: { devices: [row(FAR)] },
}

const user = (boundary: string, devices = 'devices: all') => `
users:
  u:
    owner: o@acme.example
    ${boundary}
    ${devices}
    never: true
    rules:
      - can: devices:list
`
const rig = (policies: string, more: Partial<RigOptions> = {}) =>
  listsRig({ policies, cloud, ...more })
const idsOf = (body: unknown) => (body as Row[]).map(({ id }) => id)

describe('GET /v1/devices', () => {
  it('is the lists of the products of the boundary, one behind the other, secrets cut', async () => {
    const gate = rig(user(`products: [${second}, ${first}]`))
    const { body, text, outcome } = await gate.ask('GET /v1/devices')
    expect(idsOf(body)).toEqual([MINE, OTHER, MINE.replace('42', '43')])
    expect(text).not.toContain('TOP')
    expect(gate.asked).toEqual([`${pathOf(first)}?`, `${pathOf(second)}?`])
    expect(outcome.list).toEqual({ way: 'index', total: 3, ageMs: 0 })
    expect(gate.sent).toEqual([])
  })

  it('asks for no more than a limit leaves, and judges each device', async () => {
    const gate = rig(user(`product: ${first}`, 'devices: { groups: { $any: [a] } }'))
    const { body, outcome } = await gate.ask('GET /v1/devices')
    expect([idsOf(body), gate.asked]).toEqual([[MINE], [`${pathOf(first)}?groups=a`]])
    expect(outcome.list?.way).toBe('narrowed')
  })

  it('holds what the directory says an organization owns, and nothing else', async () => {
    const facts = { products: async (id: string) => (id === ACME ? [first, second] : []) }
    const { body } = await rig(user(`organization: ${ACME}`), { facts }).ask('GET /v1/devices')
    expect(idsOf(body)).not.toContain(FAR)
    expect(idsOf(body)).toHaveLength(3)
    const none = await rig(user(`organization: ${ACME}`)).ask('GET /v1/devices')
    expect(none.body).toEqual([])
  })

  it('fails whole where one product cannot be read: a shorter list would not be true', async () => {
    const refuse = ({ path }: { path: string }) =>
      path === pathOf(second) ? new UpstreamRefusal(404, undefined, Buffer.from('x')) : undefined
    const products = user(`products: [${first}, ${second}]`)
    const known = { product: async (id: string) => ({ id, organization: undefined }) }
    const gate = rig(products, { refuse, facts: known })
    await expect(gate.ask('GET /v1/devices')).rejects.toMatchObject({ status: 502 })
    // A product that is gone has no devices.
    const { body } = await rig(products, { refuse }).ask('GET /v1/devices')
    expect(idsOf(body)).toEqual([MINE, OTHER])
  })

  it('F05 is refused where it is larger than an answer may be', async () => {
    const gate = rig(user(`product: ${first}`), { maxAnswerBytes: 60 })
    await expect(gate.ask('GET /v1/devices')).rejects.toMatchObject({ code: 'unfilterable_answer' })
  })

  it('M01 gives HEAD what it gives GET', async () => {
    const gate = rig(user(`product: ${first}`))
    const { text } = await gate.ask('GET /v1/devices')
    expect((await gate.ask('HEAD /v1/devices')).text).toBe(text)
  })
})
