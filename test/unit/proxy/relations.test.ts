import { describe, expect, it } from 'vitest'
import type { Directory } from '../../../src/upstream/directory.ts'
import { particleCatalog } from '../../kit/catalog.ts'
import { deciderOf, fleetFacts } from '../../kit/decided.ts'
import { ACME, MINE, OTHER, PRODUCT, userWith } from '../../kit/policies.ts'

const catalog = particleCatalog()
const mySim = '8901410312345000001'
const otherSim = '8901410312345000002'
const looseSim = '8901410312345000003'
const noSim = '8901410312345000009'
const sim = (iccid: string) => `GET /v1/products/${PRODUCT}/sims/${iccid}`
const onlyMine = `devices: { ids: [${MINE}] }`

/** The cloud's knowledge of SIM cards and of a ledger of devices. */
function cloud(more: Partial<Directory> = {}) {
  const asked: string[] = []
  const sims: Readonly<Record<string, string>> = { [mySim]: MINE, [otherSim]: OTHER }
  const related: Directory['related'] = async ({ parameter }, params) => {
    const value = params[parameter] ?? ''
    asked.push(value)
    return parameter === 'iccid' ? sims[value] : value
  }
  const facts = fleetFacts({ [MINE]: { groups: ['a'] }, [OTHER]: { groups: ['b'] } })
  return { asked, directory: { ...facts, related, ...more } }
}

describe('what belongs to a device', () => {
  it('is decided on that device, and sent on as it was named', async () => {
    const { asked, directory } = cloud()
    const gate = deciderOf(userWith('- can: sims:get', onlyMine), directory, catalog)
    const own = await gate.decide(sim(mySim))
    expect(own).toMatchObject({
      outcome: 'allow',
      requests: [
        { resource: { type: 'device', product: PRODUCT, device: MINE }, relation: 'device' },
      ],
    })
    expect(own.asked?.upstream.target).toBe(`/v1/products/${PRODUCT}/sims/${mySim}`)
    expect(own.asked?.resource).toEqual({ type: 'product', product: PRODUCT })
    expect((await gate.decide(sim(otherSim))).outcome).toBe('outside_devices')
    expect(asked).toEqual([mySim, otherSim])
  })

  it('is decided by conditions on that device', async () => {
    const { directory } = cloud()
    const rule = '- can: sims:get\n  where: { groups: { $any: [a] } }'
    const gate = deciderOf(userWith(rule), directory, catalog)
    expect((await gate.decide(sim(mySim))).outcome).toBe('allow')
    expect((await gate.decide(sim(otherSim))).outcome).toBe('not_granted')
    expect((await gate.decide(sim(looseSim))).outcome).toBe('not_granted')
  })

  it('F15 is refused alike where it is foreign, of no device, or unknown', async () => {
    const { directory } = cloud()
    const gate = deciderOf(userWith('- can: sims:get', onlyMine), directory, catalog)
    const answers = await Promise.all(
      [otherSim, looseSim, noSim].map((iccid) => gate.decide(sim(iccid))),
    )
    for (const { outcome, told } of answers) {
      expect([outcome, told]).toEqual(['outside_devices', 'forbidden'])
    }
    expect((await gate.decide(sim(mySim))).outcome).toBe('allow')
  })

  it('is not asked for where all devices are in reach and no rule looks at them', async () => {
    const { asked, directory } = cloud()
    const gate = deciderOf(userWith('- can: sims:get'), directory, catalog)
    const any = await gate.decide(sim(noSim))
    expect(any.outcome).toBe('allow')
    expect(any.requests[0]).not.toHaveProperty('relation')
    expect(asked).toEqual([])
  })

  it('F15 is not asked for in a place that is not theirs', async () => {
    const { asked, directory } = cloud()
    const gate = deciderOf(userWith('- can: sims:get', onlyMine), directory, catalog)
    expect((await gate.decide(`GET /v1/products/999/sims/${mySim}`)).outcome).toBe(
      'outside_boundary',
    )
    expect(asked).toEqual([])
  })

  it('is decided on writes and deletes as on reads', async () => {
    const { directory } = cloud()
    const rule = '- can: [sims:update, sims:remove, sims.usage:get.sim, sims.status:get]'
    const gate = deciderOf(userWith(rule, onlyMine), directory, catalog)
    const json = { 'content-type': 'application/json' }
    const of = async (iccid: string) => {
      const path = `/v1/products/${PRODUCT}/sims/${iccid}`
      const asked = [
        gate.decide(`PUT ${path}`, json, '{"action":"deactivate"}'),
        gate.decide(`DELETE ${path}`),
        gate.decide(`GET ${path}/data_usage`),
        gate.decide(`GET ${path}/status`),
      ]
      return (await Promise.all(asked)).map(({ outcome }) => outcome)
    }
    expect(await of(mySim)).toEqual(['allow', 'allow', 'allow', 'allow'])
    const denied = 'outside_devices'
    expect(await of(otherSim)).toEqual([denied, denied, denied, denied])
    expect(await of(noSim)).toEqual([denied, denied, denied, denied])
  })

  it('is asked for anew before a write, and before a read as its rules say', async () => {
    const ages: (number | undefined)[] = []
    const related: Directory['related'] = async (_relation, _params, _place, _user, maxAgeMs) => {
      ages.push(maxAgeMs)
      return MINE
    }
    const rules = '- can: [sims:get, sims:update, sims:remove]\n- can: sims:get\n  max_age: 2s'
    const gate = deciderOf(userWith(rules, onlyMine), { related }, catalog)
    const path = `/v1/products/${PRODUCT}/sims/${mySim}`
    const json = { 'content-type': 'application/json' }
    await gate.decide(`GET ${path}`)
    await gate.decide(`PUT ${path}`, json, '{"action":"deactivate"}')
    await gate.decide(`DELETE ${path}`)
    expect(ages).toEqual([2000, 0, 0])
    const plain = deciderOf(userWith('- can: sims:get', onlyMine), { related }, catalog)
    await plain.decide(`GET ${path}`)
    expect(ages.at(-1)).toBeUndefined()
  })

  it('is looked for where its device is now, before a write in the form of an organization', async () => {
    const ages: (number | undefined)[] = []
    const { directory } = cloud({
      device: async (id, _user, maxAgeMs) => {
        ages.push(maxAgeMs)
        return { id, product: PRODUCT }
      },
      product: async (id) => ({ id, organization: ACME }),
    })
    const rules = '- can: [ledger.instances:get, ledger.instances:remove]'
    const user = userWith(rules, onlyMine).replace(`product: ${PRODUCT}`, `organization: ${ACME}`)
    const gate = deciderOf(user, directory, catalog)
    const path = `/v1/orgs/${ACME}/ledgers/state/instances/${MINE}`
    expect((await gate.decide(`GET ${path}`)).outcome).toBe('allow')
    expect((await gate.decide(`DELETE ${path}`)).outcome).toBe('allow')
    expect(ages).toEqual([undefined, 0])
  })

  it('is found in its product in the form of an organization', async () => {
    const organization = [
      'users:',
      '  u:',
      '    owner: o@acme.example',
      `    organization: ${ACME}`,
      '    never: true',
      `    devices: { ids: [${MINE}] }`,
      '    rules:',
      '      - can: ledger.instances:get',
      '',
    ].join('\n')
    const places: Partial<Directory> = {
      device: async (id) => ({ id, product: id === OTHER ? '777' : PRODUCT }),
      product: async (id) => ({ id, organization: id === '777' ? 'f'.repeat(24) : ACME }),
    }
    const { directory } = cloud(places)
    const gate = deciderOf(organization, directory, catalog)
    const instance = (id: string) => `GET /v1/orgs/${ACME}/ledgers/state/instances/${id}`
    const own = await gate.decide(instance(MINE))
    expect(own).toMatchObject({
      outcome: 'allow',
      requests: [
        { resource: { type: 'device', organization: ACME, product: PRODUCT, device: MINE } },
      ],
    })
    expect(own.asked?.upstream.target).toBe(`/v1/orgs/${ACME}/ledgers/state/instances/${MINE}`)
    expect((await gate.decide(instance(OTHER))).outcome).toBe('outside_boundary')
  })

  it('F15 costs a ration where it is foreign, as where it is unknown', async () => {
    const { directory } = cloud()
    const gate = deciderOf(userWith('- can: sims:get', onlyMine), directory, catalog)
    await gate.decide(sim(mySim))
    await gate.decide(sim(noSim))
    expect(gate.directory.deadEnds).toEqual([])
    await gate.decide(sim(otherSim))
    expect(gate.directory.deadEnds).toEqual([{ type: 'device', device: OTHER }])
  })
})
