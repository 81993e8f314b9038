import { describe, expect, it } from 'vitest'
import type { StoredDefinition } from '../../../src/domain/grant.ts'
import { formatMistake } from '../../../src/lib/mistake.ts'
import { createPolicyEngine } from '../../../src/policy/engine.ts'
import { aCatalog } from '../../kit/a-catalog.ts'
import { gateOf, MINE, mustLoad, OTHER, otherDevice } from '../../kit/policies.ts'

const FILES = `fleet:
  products: { thermostats: 12345 }
  devices: { lobby: [${MINE}] }
roles:
  technician:
    needs: { sites: groups }
    rules:
      - can: [devices:list, devices:get]
        where: { groups: { $any: $user.sites } }
      - can: devices:ping
        where: { id: $user.own }
      - { can: devices:update.groups, body: [groups] }
guardrails:
  - cannot: devices:update.groups
    except: [store:canary, in-git]
users:
  in-git:
    owner: o
    product: thermostats
    never: true
    devices: all
    rules: [{ can: devices:ping }]
`.replace('{ sites: groups }', '{ sites: groups, own: id }')

const technician = {
  owner: 'field@acme.example',
  product: 'thermostats',
  devices: ['lobby'],
  roles: ['technician'],
  attributes: { sites: ['site-7'], own: MINE.toUpperCase() },
  expires: '2027-03-01',
}
const stored = (definition: unknown, version = 1): StoredDefinition => ({
  definition: JSON.stringify(definition),
  version,
})
const NAME = 'acme-dash+1a2b3c4d@api.particle.io'
const asked = (definition: unknown, user = NAME) => ({ user, stored: stored(definition) })

describe('an API user of the store', () => {
  const gate = gateOf(FILES)

  it('has the roles, attributes and fleet names of the files', () => {
    const who = asked(technician)
    const inSite = { facts: { groups: ['site-7'] } }
    expect(gate.ask('devices:get', { ...who, ...inSite })).toBe('allow')
    expect(gate.ask('devices:get', { ...who, facts: { groups: ['site-8'] } })).toBe('not_granted')
    expect(gate.ask('devices:get', { ...who, ...inSite, resource: otherDevice })).toBe(
      'outside_devices',
    )
    expect(gate.ask('devices:ping', who)).toBe('allow')
    const other = asked({ ...technician, devices: 'all' })
    expect(gate.ask('devices:ping', { ...other, resource: otherDevice })).toBe('not_granted')
  })

  it('is bound by guardrails, and excepted only where a file says store:NAME', () => {
    const open = {
      ...technician,
      devices: 'all',
      rules: [{ can: 'devices:update.groups', body: ['groups'] }],
    }
    const write = { fields: { body: ['groups'] } }
    expect(gate.ask('devices:update.groups', { ...asked(open), ...write })).toBe('forbidden')
    expect(gate.ask('devices:update.groups', { ...asked(open, 'canary'), ...write })).toBe('allow')
    // `except: [in-git]` is about the one in the files: whoever makes this name in the store is not it.
    const without = FILES.slice(0, FILES.indexOf('users:')).replace(', in-git', '')
    const moved = gateOf(without)
    expect(moved.ask('devices:update.groups', { ...asked(open, 'in-git'), ...write })).toBe(
      'forbidden',
    )
  })

  it('says in the files which exception is which', () => {
    const set = mustLoad(FILES).set
    expect(set.frame.guardrails[0]?.except).toEqual(['store:canary', 'in-git'])
    const load = (name: string) => () => mustLoad(FILES.replace('store:canary', name))
    expect(load('canary')).toThrow(
      /unknown API user "canary"; one of the store is excepted as store:NAME/,
    )
    expect(load('"store:a/b"')).toThrow(/unknown API user/)
    expect(load('"store:a:b"')).toThrow(/unknown API user/)
  })

  it('gives way to the API user of the same name in the files', () => {
    const { engine } = gate
    expect(engine.user('in-git', stored(technician))).toBe(engine.user('in-git'))
    expect(engine.user('in-git', stored(technician))?.home).toBe('git')
    expect(engine.user(NAME, stored(technician))).toMatchObject({
      home: 'store',
      name: NAME,
      owner: 'field@acme.example',
      origin: { file: `store:${NAME}`, line: 1 },
    })
    expect(engine.user(NAME)).toBeUndefined()
  })

  it('is nobody without its definition, or with one that does not fit', () => {
    const known = gate.engine.user(NAME, stored(technician))
    if (known === undefined) throw new Error('does not compile')
    expect(gate.ask('devices:ping', { user: NAME, issued: known })).toBe('not_granted')
    const broken = { user: NAME, issued: known, stored: stored({ ...technician, roles: ['gone'] }) }
    expect(gate.ask('devices:ping', broken)).toBe('not_granted')
    expect(gate.engine.userOf({ user: NAME, stored: broken.stored })).toBeUndefined()
    expect(gate.engine.userOf({ user: NAME, stored: stored(technician) })).toEqual(known)
  })

  it('follows its definition and the files: another text or another set is compiled anew', () => {
    const live = gateOf(FILES)
    const who = asked(technician)
    const user = live.engine.user(NAME, who.stored)
    expect(live.engine.user(NAME, who.stored)).toBe(user)
    expect(live.engine.user(NAME, stored({ ...technician, devices: 'all' }))?.grantHash).not.toBe(
      user?.grantHash,
    )
    const issued = { ...(user && { issued: user }) }
    expect(live.ask('devices:ping', { ...who, ...issued })).toBe('allow')
    live.use(mustLoad(FILES.replace('- can: devices:ping\n', '- can: devices:get\n')).set)
    expect(live.ask('devices:ping', { ...who, ...issued })).toBe('not_granted')
    live.use(mustLoad(FILES.replace('technician:', 'engineer:')).set)
    expect(live.engine.user(NAME, who.stored)).toBeUndefined()
  })

  it('compiles alike from a set that crossed a thread', () => {
    const { set } = mustLoad(FILES)
    const engine = createPolicyEngine({
      catalog: aCatalog(),
      set: structuredClone(set),
      cacheSize: 5,
    })
    const { definition } = stored(technician)
    expect(engine.compile(NAME, definition)).toEqual(gate.engine.compile(NAME, definition))
  })

  it('has one hash wherever it lives', () => {
    const inFile = `${FILES}  ${NAME}: ${JSON.stringify(technician)}\n`
    const git = mustLoad(inFile).set.users.get(NAME)
    expect(gate.engine.user(NAME, stored(technician))?.grantHash).toBe(git?.grantHash)
  })
})

describe('compile', () => {
  const { engine } = gateOf(FILES)
  const mistakes = (definition: string, name = 'a@b') => {
    const compiled = engine.compile(name, definition)
    return compiled.ok ? [] : compiled.mistakes.map(formatMistake)
  }

  it('reports every mistake at its place', () => {
    const text = `{
  "owner": "o", "product": "nowhere",
  "roles": ["technican"],
  "devices": ["${OTHER}"],
  "rules": [
    { "can": "devices:gte" },
    { "can": "devices:get", "answer": ["nmae"] }
  ],
  "expire": "2027-01-01"
}`
    expect(mistakes(text)).toEqual([
      expect.stringMatching(/^store:a@b:1:1 {2}needs an end/),
      expect.stringMatching(/^store:a@b:2:28 {2}"nowhere" is no product id/),
      'store:a@b:3:13  unknown role "technican"; did you mean "technician"?',
      expect.stringMatching(/^store:a@b:6:14 {2}unknown action "devices:gte"/),
      expect.stringMatching(/^store:a@b:7:40 {2}.*no key "nmae" \(answer\)/),
      'store:a@b:9:3  unknown key "expire"; did you mean "expires"?',
    ])
  })

  it('takes a definition whose mistakes are mended, with its notes', () => {
    expect(engine.compile('a@b', JSON.stringify(technician))).toMatchObject({ ok: true, notes: [] })
    const nothing = { owner: 'o', product: 12345, never: true }
    expect(engine.compile('a@b', JSON.stringify(nothing))).toMatchObject({
      ok: true,
      notes: [{ message: 'API user "a@b" is granted nothing' }],
    })
  })

  it.each([
    ['no JSON', '{ "owner": o }', /^store:a@b:1:12 {2}the definition is no JSON/],
    ['a missing comma', '{ "owner": "o"\n "never": true }', /^store:a@b:2:2 /],
    ['a comma too many', '[1,]', /:1:1 {2}the definition is no JSON/],
    ['nothing', '', /no JSON/],
    ['a list', '[]', /must be a mapping/],
    ['a text', '"x"', /must be a mapping/],
    ['YAML', 'owner: o', /no JSON/],
    ['a comment', '{} // x', /no JSON/],
    [
      'a duplicate key',
      '{ "owner": "a",\n  "owner": "b" }',
      /^store:a@b:2:3 {2}"owner" is said twice/,
    ],
    ['a null', '{ "owner": null }', /:1:12 {2}a value is missing here/],
    ['a prototype', '{ "__proto__": {} }', /"__proto__" is no key/],
    ['an empty key', '{ "": "x" }', /"" is no key/],
    ['half a character', '{ "owner": "\\ud800" }', /half a character/],
    ['a deep nest', '['.repeat(60) + ']'.repeat(60), /nested deeper than 40 levels/],
    [
      'a number in another spelling',
      '{ "rate": { "calls": 1e3, "per": "1m" } }',
      /must be a whole number/,
    ],
    ['more than 64 KB', JSON.stringify({ owner: 'o'.repeat(65_536) }), /larger than 65536 bytes/],
  ])('refuses %s', (_, text, says) => {
    expect(mistakes(text).join('\n')).toMatch(says)
  })

  it('takes numbers and booleans as they are written', () => {
    const text = `{"owner":"o","product":12345,"never":true,"devices":"all","rules":[{"can":"devices:get","where":{"firmware_version":{"$lt":3},"online":true}}]}`
    expect(mistakes(text)).toEqual([])
  })

  it('refuses names that are unsafe in logs and paths', () => {
    const text = JSON.stringify(technician)
    expect(mistakes(text, 'a/b')).toEqual([expect.stringMatching(/is no name/)])
    expect(mistakes(text, 'a+b@c.d')).toEqual([])
  })
})
