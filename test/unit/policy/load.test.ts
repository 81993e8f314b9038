import { describe, expect, it } from 'vitest'
import { aCatalog } from '../../kit/a-catalog.ts'
import { load, mistakesIn, mustLoad, userWith } from '../../kit/policies.ts'

describe('loadPolicySet', () => {
  it('reports ten planted mistakes of several files in one run, each at its line', () => {
    const mistakes = load({
      'policies/a.yaml': `roles:
  technician:
    rules:
      - can: devices:gte
      - can: devices.function:call
        function: [reboot]
      - can: devices:get
        where: { group: { $any: [a] } }
      - can: devices:get
        where: { groups: { $in: [a] } }
      - can: devices:update
`,
      'policies/b.yaml': `users:
  u:
    owner: o
    product: thermostat-v1
    devices: all
    roles: [technican]
    rules:
      - can: devices:get
        answer: [nmae]
`,
      'policies/c.yaml': `guardrails:
  - cannot: deploy
    except: [cii]
  - cannot: deploi
`,
    })
    expect(
      mistakes.ok ? [] : mistakes.mistakes.map((m) => `${m.file}:${m.line} ${m.message}`),
    ).toEqual([
      'policies/a.yaml:4 unknown action "devices:gte"; did you mean "devices:get"?',
      'policies/a.yaml:6 unknown key "function"; did you mean "functions"?',
      'policies/a.yaml:8 unknown attribute "group"; did you mean "groups"?',
      'policies/a.yaml:10 "$in" does not fit "groups"; it takes $any $all $only $exists',
      expect.stringMatching(
        /^policies\/a.yaml:11 "devices:update" is a scope of several deeds.*devices:update.flash/,
      ),
      expect.stringMatching(/^policies\/b.yaml:2 needs an end/),
      'policies/b.yaml:4 "thermostat-v1" is no product id: slugs and names can be moved; write its id',
      'policies/b.yaml:6 unknown role "technican"; did you mean "technician"?',
      'policies/b.yaml:9 the answer of devices:get has no key "nmae" (answer); did you mean "name"?',
      'policies/c.yaml:3 unknown API user "cii"; one of the store is excepted as store:NAME',
      'policies/c.yaml:4 unknown action "deploi"; did you mean "deploy"?',
    ])
  })

  it('loads a set whose one mistake is mended', () => {
    const text = userWith('- can: devices:gte')
    expect(load(text).ok).toBe(false)
    expect(load(text.replace('gte', 'get')).ok).toBe(true)
  })

  it.each([
    [
      'a field word the action lacks',
      '- can: devices:get\n  functions: [a]',
      /is not narrowed by "functions"/,
    ],
    [
      'a * in function names',
      '- can: devices.function:call\n  functions: [re*]',
      /takes exact names/,
    ],
    ['a * inside a name', '- can: devices.variable:get\n  variables: [a*b]', /only at the end/],
    [
      'a body key no request has',
      '- cannot: devices:update.name\n  body: [nmae]',
      /no request of these actions has a body key "nmae"; did you mean "name"/,
    ],
    ['sources without events', '- can: devices:get\n  sources: [device]', /has no events/],
    [
      'a with name the action lacks',
      '- can: devices.function:call\n  with: { argumnt: x }',
      /unknown request value "argumnt"; did you mean "argument"/,
    ],
    [
      'an attribute that only some actions have',
      '- can: [devices:get, products:get]\n  where: { online: true }',
      /products:get has no attribute "online"/,
    ],
    [
      'a name as a condition',
      '- can: devices:get\n  where: { name: x }',
      /a name is never a condition/,
    ],
    [
      'a number that is none',
      '- can: devices:get\n  where: { firmware_version: { $lt: 0x3 } }',
      /must be a plain decimal/,
    ],
    [
      'an order on texts',
      '- can: devices:get\n  where: { region: { $lt: a } }',
      /does not fit "region"/,
    ],
    ['an id of another grammar', '- can: devices:get\n  where: { id: lobby }', /"lobby" is no id/],
    ['can and cannot at once', '- can: devices:get\n  cannot: devices:ping', /not both/],
    [
      'unless on a cannot',
      '- cannot: devices:get\n  unless: { online: true }',
      /unless stands on a can/,
    ],
    ['answer on a cannot', '- cannot: devices:get\n  answer: [id]', /answer stands on a can/],
    ['tell on a can without unless', '- can: devices:get\n  tell: x', /this rule has none/],
    ['an empty list', '- can: []', /must not be an empty list/],
    [
      'an empty family',
      "- can: 'devicez:*'",
      /no action is of "devicez:\*"; did you mean "devices:\*"/,
    ],
    ['a * inside a word', "- can: 'dev*'", /is no family/],
    ['a class that reaches nothing', '- can: secret', /must be named one by one/],
    [
      'an unknown template',
      '- can: devices:get\n  where: { region: $user.rgion }',
      /uses \$user.rgion, which attributes do not set/,
    ],
    [
      'a template inside a text',
      '- can: devices:get\n  where: { region: $usr.x }',
      /is no template/,
    ],
    ['half a limit', '- can: devices:get\n  limit: { calls: 3 }', /limit needs "per"/],
    [
      'a limit below a second',
      '- can: devices:get\n  limit: { calls: 3, per: 100ms }',
      /whole seconds/,
    ],
    ['an empty when', '- can: devices:get\n  when: { zone: UTC }', /says nothing/],
    ['hours without a zone', '- can: devices:get\n  when: { hours: 08:00-18:00 }', /needs a zone/],
    [
      'an unknown zone',
      '- can: devices:get\n  when: { hours: 08:00-18:00, zone: Europe/Berln }',
      /no time zone; did you mean "Europe\/Berlin"/,
    ],
    ['an unknown day', '- can: devices:get\n  when: { days: mon-fry, zone: UTC }', /is no day/],
    [
      'a date that is none',
      '- can: devices:get\n  when: { not_on: 2026-02-30, zone: UTC }',
      /is no date/,
    ],
    ['a null rule', '-', /a value is missing|must be a mapping/],
  ])('refuses %s', (_, rule, message) => {
    expect(mistakesIn(userWith(rule)).join('\n')).toMatch(message)
  })

  it.each([
    ['no boundary', 'product: 12345', '', /needs one boundary/],
    [
      'two boundaries',
      'product: 12345',
      'product: 12345\n    organization: aaaaaaaaaaaaaaaaaaaaaaaa',
      /needs one boundary/,
    ],
    ['no owner', 'owner: o@acme.example', 'description: x', /needs an owner/],
    ['no devices for a device action', 'devices: all', 'description: x', /must say its devices/],
    [
      'a device name',
      'devices: all',
      'devices: [lobby]',
      /"lobby" is no device id: slugs and names/,
    ],
    ['empty devices', 'devices: all', 'devices: []', /empty grants nothing/],
    [
      'devices of a product outside',
      'devices: all',
      "devices: { 67890: all, '*': all }",
      /outside this API user's boundary/,
    ],
    ['two ends', 'never: true', 'never: true\n    lifetime: 3d', /say one of/],
    ['never: false', 'never: true', 'never: false', /only true is said/],
    ['a date that is none', 'never: true', 'expires: 2027-02-30', /is no date/],
    [
      'a deed among scopes',
      'devices: all',
      'devices: all\n    scopes: [devices:update.name]',
      /one deed of a scope/,
    ],
    [
      'an unknown scope',
      'devices: all',
      'devices: all\n    scopes: [devices:gett]',
      /unknown scope "devices:gett"; did you mean "devices:get"/,
    ],
    ['a name nobody can type', '  u:', '  "u v":', /is no name/],
  ])('refuses an API user with %s', (_, from, to, message) => {
    const text = userWith('- can: devices:get')
    expect(text).toContain(from)
    expect(mistakesIn(text.replace(from, to)).join('\n')).toMatch(message)
    expect(mistakesIn(text)).toEqual([])
  })

  it('checks what roles need against where it is used and who has the role', () => {
    const role = (needs: string) =>
      `roles:\n  r:\n    needs: ${needs}\n    rules:\n      - can: devices:get\n        where: { firmware_version: { $gte: $user.low } }\n`
    const user = (attributes: string) => userWith('', `devices: all\nroles: r\n${attributes}`)
    expect(mistakesIn(role('{ low: firmware_version }') + user('attributes: { low: 3 }'))).toEqual(
      [],
    )
    expect(mistakesIn(role('{ low: firmware }') + user('attributes: { low: 3 }'))).toEqual([
      expect.stringMatching(/^3: unknown attribute "firmware"/),
    ])
    expect(
      mistakesIn(role('{ high: firmware_version }') + user('attributes: { high: 3 }')),
    ).toEqual([
      expect.stringMatching(/^5: uses \$user.low, which needs: does not name/),
      expect.stringMatching(/has no attribute "low"/),
    ])
    const needs = role('{ low: firmware_version }')
    expect(mistakesIn(needs + user('description: x'))).toEqual([
      expect.stringMatching(/needs attributes.low/),
    ])
    expect(mistakesIn(needs + user('attributes: { low: three }'))).toEqual([
      expect.stringMatching(/"three" must be a plain decimal number/),
    ])
    expect(mistakesIn(needs + user('attributes: { low: [3, 4] }'))).toEqual([
      expect.stringMatching(/must be one value/),
    ])
  })

  it('refuses guardrails that grant, and templates in them', () => {
    expect(mistakesIn('guardrails:\n  - can: devices:get\n').join()).toMatch(
      /a guardrail is a cannot/,
    )
    expect(
      mistakesIn('guardrails:\n  - cannot: devices:get\n    where: { region: $user.x }\n').join(),
    ).toMatch(/guardrails bind everybody/)
    expect(mistakesIn('guardrails:\n  - cannot: devices:get\n    where: { region: x }\n')).toEqual(
      [],
    )
  })

  it('refuses what is defined twice in two files', () => {
    const text = userWith('- can: devices:get')
    expect(mistakesIn({ 'a.yaml': text, 'b.yaml': text })).toEqual([
      '2: API user "u" is defined twice',
    ])
  })

  it('takes fleet names for ids', () => {
    const fleet =
      'fleet:\n  products: { thermostat: 12345 }\n  devices: { lobby: [420032000E47343432313031] }\n'
    const text = userWith('- can: devices:get', 'devices: lobby').replace('12345', 'thermostat')
    const { set } = mustLoad(fleet + text)
    expect(set.users.get('u')?.grant).toMatchObject({
      boundary: { products: ['12345'] },
      devices: { '*': { ids: ['420032000e47343432313031'] } },
    })
    expect(mistakesIn(fleet + text.replace('lobby', 'loby'))).toEqual([
      expect.stringMatching(/did you mean "lobby"/),
    ])
  })

  it.each([
    ['C14 an empty file', ''],
    ['C14 only comments', '# nothing\n'],
    ['C14 two documents', 'users: {}\n---\nusers: {}\n'],
    ['C14 a merge key', 'users:\n  <<: *x\n'],
    ['C14 a function tag', 'users: !!js/function x\n'],
    ['C14 an unknown key', 'usres: {}\n'],
    ['C13 a prototype key', 'users:\n  __proto__: { owner: x }\n'],
    ['C12 a deep nest', `users: ${'['.repeat(5000)}\n`],
    ['C12 an alias bomb', 'a: &a [x]\nb: [*a, *a]\n'],
  ])('refuses %s', (_, text) => {
    expect(mistakesIn(text)).not.toEqual([])
  })

  it('is not fooled by names that every object has', () => {
    for (const word of ['constructor', 'toString', 'hasOwnProperty']) {
      expect(mistakesIn(userWith(`- can: ${word}`))).toEqual([`8: unknown action "${word}"`])
      expect(mistakesIn(userWith(`- can: devices:get\n  ${word}: x`))).toEqual([
        `9: unknown key "${word}"`,
      ])
      expect(mistakesIn(userWith('', `devices: all\nroles: ${word}`))).toEqual([
        expect.stringMatching(new RegExp(`unknown role "${word}"`)),
      ])
    }
  })

  it('gives a revision that hangs on the texts, the catalog and the version, and on no file name', () => {
    const text = userWith('- can: devices:get')
    const { revision } = mustLoad({ 'a.yaml': text }).set
    expect(mustLoad({ 'b/c.yaml': text }).set.revision).toBe(revision)
    expect(mustLoad({ 'a.yaml': `${text}# more\n` }).set.revision).not.toBe(revision)
    expect(mustLoad(text, { ...aCatalog(), hash: 'other' }).set.revision).not.toBe(revision)
  })

  it('gives one hash to one meaning, in whatever order, file or line it is written', () => {
    const hash = (texts: Parameters<typeof mustLoad>[0]) =>
      mustLoad(texts).set.users.get('u')?.grantHash
    const one = hash(
      userWith(
        '- can: [devices:get, devices:ping]\n- can: devices.function:call\n  functions: [a, b]',
      ),
    )
    const two = hash(
      userWith(
        '# moved\n- can: devices.function:call\n  functions: [b, a]\n- can: [devices:ping, devices:get]',
      ),
    )
    const three = hash(
      userWith(
        '- can: [devices:get, devices:ping]\n- can: devices.function:call\n  functions: [a]',
      ),
    )
    expect(one).toMatch(/^[0-9a-f]{64}$/)
    expect(two).toBe(one)
    expect(three).not.toBe(one)
  })

  it('survives a structured clone', () => {
    const { set, tests, notes } = mustLoad(userWith('- can: devices:get'))
    expect(structuredClone({ set, tests, notes })).toEqual({ set, tests, notes })
  })

  it('reads every way to say an end', () => {
    const expiry = (line: string) =>
      mustLoad(userWith('', '').replace('never: true', line)).set.users.get('u')?.expiry
    expect(expiry('never: true')).toEqual({ kind: 'never' })
    expect(expiry('expires: never')).toEqual({ kind: 'never' })
    expect(expiry('expires: 2027-03-01')).toEqual({ kind: 'date', atMs: Date.UTC(2027, 2, 1) })
    expect(expiry('lifetime: 90d\n    idle: 30d')).toEqual({
      kind: 'lifetime',
      lifetimeMs: 90 * 86_400_000,
      idleMs: 30 * 86_400_000,
    })
    expect(expiry('idle: 12h')).toEqual({ kind: 'idle', idleMs: 12 * 3_600_000 })
  })
})
