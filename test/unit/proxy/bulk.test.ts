import { fc } from '../../kit/fc.ts'
import { describe, expect, it } from 'vitest'
import { particleCatalog } from '../../kit/catalog.ts'
import { deciderOf, fleetFacts, type Decider } from '../../kit/decided.ts'
import { PRODUCT, userWith } from '../../kit/policies.ts'

const catalog = particleCatalog()
const devices = `/v1/products/${PRODUCT}/devices`
const json = { 'content-type': 'application/json' }
const file = { 'content-type': 'multipart/form-data;boundary=XX' }
const idOf = (i: number) => i.toString(16).padStart(24, '0')

const ofFile = (text: string, fields = '') =>
  `--XX\r\nContent-Disposition: form-data; name="file"; filename="ids.txt"\r\nContent-Type: text/plain\r\n\r\n${text}\r\n${fields}--XX--\r\n`
const field = (name: string, value: string) =>
  `--XX\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`

const groupsBody = (ids: readonly string[]) =>
  JSON.stringify({ action: 'groups', devices: ids, metadata: { add: ['x'] } })

/** Ten devices; the others of twelve are in no product of ours. */
const fleet = Object.fromEntries(
  Array.from({ length: 10 }, (_, i) => [
    idOf(i),
    { groups: [`g${i % 3}`, ...(i % 2 === 0 ? ['even'] : [])], firmware_version: i },
  ]),
)

const limits = fc.oneof(
  fc.constant('devices: all'),
  fc
    .uniqueArray(fc.integer({ min: 0, max: 11 }), { minLength: 1, maxLength: 12 })
    .map((numbers) => `devices: { ids: [${numbers.map(idOf).join(', ')}] }`),
  fc.constantFrom('g0', 'g1', 'even').map((group) => `devices: { groups: { $any: [${group}] } }`),
)

const bulkActions = '[devices:import.ids, devices:import.file, devices:update.groups]'
const rules = fc.constantFrom(
  `- can: ${bulkActions}`,
  `- can: ${bulkActions}\n  body: [action, devices, metadata, groups, ids, file]`,
  `- can: ${bulkActions}\n  where: { firmware_version: { $lt: 6 } }`,
  `- can: ${bulkActions}\n- cannot: ${bulkActions}\n  where: { groups: { $any: [g2] } }`,
  `- can: ${bulkActions}\n  unless: { firmware_version: { $gt: 7 } }`,
  '- can: devices:get',
)

const lists = fc.array(fc.integer({ min: 0, max: 11 }), { minLength: 1, maxLength: 8 })

async function isConjunction(
  ids: readonly string[],
  ask: (ids: readonly string[]) => ReturnType<Decider['decide']>,
): Promise<boolean> {
  const singles = await Promise.all(ids.map((id) => ask([id])))
  const all = await ask(ids)
  const denials = singles.flatMap(({ outcome }) => (outcome === 'allow' ? [] : [outcome]))
  const every = denials.length === 0
  expect(every ? ['allow'] : denials).toContain(all.outcome)
  return every
}

describe('a bulk request', () => {
  it('B03 is allowed exactly where each of its devices is allowed by itself', async () => {
    let allowed = 0
    let runs = 0
    await fc.assert(
      fc.asyncProperty(limits, rules, lists, async (limit, rule, numbers) => {
        const gate = deciderOf(userWith(rule, limit), fleetFacts(fleet), catalog)
        const ids = numbers.map(idOf)
        const ask = (some: readonly string[]) =>
          gate.decide(`PUT ${devices}`, json, groupsBody(some))
        runs += 1
        if (await isConjunction(ids, ask)) allowed += 1
      }),
      { numRuns: 300 },
    )
    // Neither answer is the only one that these grants give.
    expect(allowed).toBeGreaterThan(runs / 50)
    expect(allowed).toBeLessThan(runs - runs / 50)
  })

  it('B03 is decided alike as a list in JSON and as a file of lines', async () => {
    await fc.assert(
      fc.asyncProperty(limits, rules, lists, async (limit, rule, numbers) => {
        const gate = deciderOf(userWith(rule, limit), fleetFacts(fleet), catalog)
        const ids = numbers.map(idOf)
        const post = (some: readonly string[]) =>
          gate.decide(`POST ${devices}`, file, ofFile(some.join('\n')))
        await isConjunction(ids, post)
        const listed = await gate.decide(`POST ${devices}`, json, JSON.stringify({ ids }))
        expect((await post(ids)).outcome).toBe(listed.outcome)
      }),
      { numRuns: 200 },
    )
  })

  const groups = (grant: string, ids: readonly string[]) =>
    deciderOf(grant, fleetFacts(fleet), catalog).decide(`PUT ${devices}`, json, groupsBody(ids))

  it('B03 is denied to who would move its own limits, unless the write was meant', async () => {
    const limit = 'devices: { groups: { $any: [even] } }'
    const any = userWith('- can: devices:update.groups', limit)
    expect((await groups(any, [idOf(0)])).outcome).toBe('forbidden')
    const meant = userWith(
      '- can: devices:update.groups\n  body: [action, devices, metadata, groups]',
      limit,
    )
    expect((await groups(meant, [idOf(0), idOf(2)])).outcome).toBe('allow')
    expect((await groups(meant, [idOf(0), idOf(1)])).outcome).toBe('outside_devices')
  })

  it('matches an id that is not in the product yet by an explicit list only', async () => {
    const rule = '- can: [devices:import.ids, devices:import.file]'
    const strange = idOf(99)
    const outcomes = async (limit: string) => {
      const gate = deciderOf(userWith(rule, limit), fleetFacts(fleet), catalog)
      const listed = await gate.decide(`POST ${devices}`, json, JSON.stringify({ id: strange }))
      const inFile = await gate.decide(`POST ${devices}`, file, ofFile(strange))
      return [listed.outcome, inFile.outcome]
    }
    expect(await outcomes(`devices: { ids: [${strange}] }`)).toEqual(['allow', 'allow'])
    const others = ['groups: { $any: [even] }', `ids: [${idOf(1)}]`]
    for (const limit of others) {
      expect(await outcomes(`devices: { ${limit} }`)).toEqual([
        'outside_devices',
        'outside_devices',
      ])
    }
  })

  it('decides for whom devices are claimed, in the query, in JSON and in a part', async () => {
    const rule =
      '- can: [devices:import.ids, devices:import.file]\n  with: { claim_user: { $in: [a@acme.example] } }'
    const gate = deciderOf(userWith(rule), fleetFacts(fleet), catalog)
    const claim = async (who: string) => {
      const ask = async (query: string, headers: Record<string, string>, body: string) =>
        (await gate.decide(`POST ${devices}${query}`, headers, body)).outcome
      const ids = [idOf(1)]
      return [
        await ask(`?claim_user=${who}`, json, JSON.stringify({ ids })),
        await ask('', json, JSON.stringify({ ids, claim_user: who })),
        await ask(`?claim_user=${who}`, file, ofFile(idOf(1))),
        await ask('', file, ofFile(idOf(1), field('claim_user', who))),
      ]
    }
    expect(await claim('a@acme.example')).toEqual(['allow', 'allow', 'allow', 'allow'])
    const denied = ['not_granted', 'not_granted', 'not_granted', 'not_granted']
    expect(await claim('b@acme.example')).toEqual(denied)
    const twice = await gate.decide(
      `POST ${devices}?claim_user=a@acme.example`,
      file,
      ofFile(idOf(1), field('claim_user', 'b@acme.example')),
    )
    expect(twice.outcome).toBe('invalid_body')
  })

  it('B03 takes ten thousand devices where their product is named, and not one more', async () => {
    const gate = deciderOf(
      userWith('- can: [devices:import.ids, devices:import.file]'),
      fleetFacts(fleet),
      catalog,
    )
    const ids = Array.from({ length: 5_000 }, (_, i) => idOf(i))
    const inFile = await gate.decide(`POST ${devices}`, file, ofFile(ids.join('\n')))
    expect([inFile.outcome, inFile.requests.length]).toEqual(['allow', 5_000])
    const more = await gate.decide(
      `POST ${devices}`,
      file,
      ofFile([...ids, idOf(5_000)].join('\n')),
    )
    expect(more.outcome).toBe('payload_too_large')
  })

  it('counts what is named before it looks at any of it', async () => {
    const gate = deciderOf(userWith('- can: devices:import.ids'), fleetFacts(fleet), catalog)
    const post = async (count: number, id: unknown) => {
      const body = JSON.stringify({ ids: Array(count).fill(id) })
      return (await gate.decide(`POST ${devices}`, json, body)).outcome
    }
    for (const id of ['', [], 1]) {
      expect([id, await post(5_000, id)]).toEqual([id, expect.stringMatching(/^(invalid|outside)/)])
      expect([id, await post(5_001, id)]).toEqual([id, 'payload_too_large'])
    }
  })
})
