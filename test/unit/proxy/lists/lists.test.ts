import { describe, expect, it } from 'vitest'
import { Problem } from '../../../../src/domain/problem.ts'
import { UpstreamRefusal } from '../../../../src/upstream/fleet-lists.ts'
import { listsRig, type AskOptions, type RigOptions, type Row } from '../../../kit/lists-rig.ts'
import { MINE, OTHER, PRODUCT, userWith } from '../../../kit/policies.ts'

const path = `/v1/products/${PRODUCT}/devices`
const list = `GET ${path}`
const TOO = '450045000e47343432313032'

const row = (id: string, more: Row = {}): Row => ({
  ...{ id, name: `name-${id.slice(0, 4)}`, groups: ['site-9'], owner: `${id.slice(0, 4)}@acme` },
  ...{ online: true, mobile_secret: 'TOP', last_ip_address: '10.0.0.1' },
  ...more,
})
const fleet = [
  row(MINE, { groups: ['site-7'], name: 'zeta' }),
  row(OTHER),
  row(TOO, { groups: ['site-8', 'site-7'], name: 'alpha' }),
]
const root = (devices: readonly Row[], more: Row = {}) => ({
  devices,
  customers: devices.map(({ owner }) => ({ id: `c-${String(owner)}`, username: owner })),
  meta: { total_pages: 1, next: `after ${OTHER}` },
  total: devices.length,
  ...more,
})
const cloud = { [path]: root(fleet) }

const limited = userWith('- can: devices:list', `devices: [${MINE}, ${TOO}]`)
const site = userWith('- can: devices:list', 'devices: { groups: { $any: [site-7] } }')

const rig = (policies: string, more: Partial<RigOptions> = {}) =>
  listsRig({ policies, cloud, ...more })
const ask = (policies: string, line = list, options: AskOptions = {}) =>
  rig(policies).ask(line, options)
const idsOf = (body: unknown): unknown[] => {
  const { devices } = body as { devices: Row[] }
  return devices.map(({ id }) => id)
}

describe('a paged list', () => {
  it('F01 is that of a cloud which holds only what this API user sees', async () => {
    const { status, body, text, outcome } = await ask(limited)
    expect(status).toBe(200)
    const kept = [fleet[0], fleet[2]].map((one) => {
      const { mobile_secret: _, ...rest } = one ?? {}
      return rest
    })
    expect(body).toEqual({
      devices: kept,
      customers: [
        { id: 'c-4200@acme', username: '4200@acme' },
        { id: 'c-4500@acme', username: '4500@acme' },
      ],
      meta: { total_pages: 1 },
    })
    expect(Object.keys(body as object)).toEqual(['devices', 'customers', 'meta'])
    for (const trace of [OTHER, '3500@acme', 'TOP', 'next']) expect(text).not.toContain(trace)
    expect(outcome.list).toEqual({ way: 'index', total: 2, ageMs: 0 })
  })

  it('has full pages, and sides and totals of its own', async () => {
    const first = await ask(limited, `${list}?perPage=1`)
    expect(idsOf(first.body)).toEqual([MINE])
    const second = await ask(limited, `${list}?per_page=1&page=2`)
    expect(second.body).toMatchObject({
      devices: [{ id: TOO }],
      customers: [{ id: 'c-4500@acme' }],
      meta: { total_pages: 2 },
    })
    expect((await ask(limited, `${list}?per_page=1&page=3`)).body).toEqual({
      ...{ devices: [], customers: [], meta: { total_pages: 2 } },
    })
  })

  it('of nothing is empty, with zero totals', async () => {
    const nobody = userWith(
      '- can: devices:list',
      'devices: { groups: { $any: [site-0, site-1] } }',
    )
    expect((await ask(nobody)).body).toEqual({
      ...{ devices: [], customers: [], meta: { total_pages: 0 } },
    })
  })

  it('writes only numbers that the cloud’s own root has', async () => {
    const bare = { [path]: { devices: fleet } }
    expect(Object.keys((await rig(limited, { cloud: bare }).ask(list)).body as object)).toEqual([
      'devices',
    ])
  })

  it('keeps the order of the cloud, whatever it was asked for', async () => {
    const gate = rig(limited)
    expect(idsOf((await gate.ask(`${list}?sortAttr=deviceName&page=1`)).body)).toEqual([TOO, MINE])
    expect(gate.asked).toEqual([`${path}?sortAttr=deviceName`])
  })

  it.each([
    ['ids', `devices: [${MINE}]`, `${path}?#${MINE}`, [MINE]],
    ['narrowed', 'devices: { groups: { $any: [site-7] } }', `${path}?groups=site-7`, [MINE, TOO]],
    ['index', `devices: [${MINE}, ${TOO}]`, `${path}?`, [MINE, TOO]],
  ])('is read by way of %s', async (way, devices, question, ids) => {
    const gate = rig(userWith('- can: devices:list', devices))
    const { body, outcome } = await gate.ask(list)
    expect([outcome.list?.way, gate.asked, idsOf(body)]).toEqual([way, [question], ids])
  })

  it('does not believe the cloud’s filter', async () => {
    const devices = [row(MINE, { groups: ['site-7'] }), row(OTHER, { groups: ['site-70'] })]
    const gate = rig(site, { cloud: { [path]: root(devices) }, refuse: () => undefined })
    expect(idsOf((await gate.ask(`${list}?groups=site-7`)).body)).toEqual([MINE])
    const part = rig(userWith('- can: devices:list', `devices: [${MINE}]`), {
      cloud: { [path]: root([row(`${MINE.slice(0, 23)}f`), row(MINE)]) },
    })
    expect(idsOf((await part.ask(`${list}?deviceId=${MINE.slice(0, 20)}`)).body)).toEqual([MINE])
  })

  it('shows of each item what its own rules show', async () => {
    const policies = userWith(`
- can: devices:list
  where: { groups: { $any: [site-8] } }
  answer: [id, mobile_secret, owner]
- can: devices:list
  where: { groups: { $any: [site-7, site-9] } }
  answer: [id, name]
- cannot: devices:list
  where: { groups: { $any: [site-9] } }
  hide: name`)
    const { body } = await ask(policies)
    expect(body).toEqual({
      devices: [
        { id: MINE, name: 'zeta' },
        { id: OTHER },
        { id: TOO, name: 'alpha', mobile_secret: 'TOP', owner: '4500@acme' },
      ],
      // Of whom the owner is not shown, no owner is shown beside the list either.
      customers: [{ id: 'c-4500@acme', username: '4500@acme' }],
      meta: { total_pages: 1 },
    })
  })

  it('strips hidden keys beside the list too', async () => {
    const hiding = userWith('- can: devices:list\n  hide: id', `devices: [${MINE}, ${TOO}]`)
    const { customers } = (await ask(hiding)).body as { customers: unknown }
    expect(customers).toEqual([{ username: '4200@acme' }, { username: '4500@acme' }])
  })

  it('does not change a number on its way', async () => {
    const given = await rig(limited, {
      cloud: { [path]: root([row(MINE, { serial: JSON.rawJSON('12345678901234567890') })]) },
    }).ask(list)
    expect(given.text).toContain('"serial":12345678901234567890')
  })

  it.each(['page=0', 'perPage=1&per_page=2', 'page=1x'])(
    'answers 400 to %s, and asks the cloud nothing',
    async (query) => {
      const gate = rig(limited)
      await expect(gate.ask(`${list}?${query}`)).rejects.toMatchObject({ status: 400 })
      expect(gate.asked).toEqual([])
    },
  )

  it('M01 gives HEAD what it gives GET', async () => {
    const [get, head] = [await ask(limited), await ask(limited, `HEAD ${path}`)]
    expect(head.text).toBe(get.text)
  })

  it('F07 refuses a list of devices that have no id', async () => {
    const devices = fleet.map(({ id, ...rest }) => ({ deviceID: id, ...rest }))
    await expect(
      rig(limited, { cloud: { [path]: root(devices) } }).ask(list),
    ).rejects.toMatchObject({ code: 'unfilterable_answer' })
  })

  it('F06 is 502 where deciding fails, whatever it throws', async () => {
    const broken = rig(limited, {
      wrap: (policy) => ({
        ...policy,
        revision: 'r',
        userOf: (who) => policy.userOf(who),
        decide: (...args) => policy.decide(...args),
        items: (...args) => ({
          ...policy.items(...args),
          judge: () => {
            throw new TypeError('private')
          },
        }),
        hangsOnDevice: () => true,
      }),
    })
    await expect(broken.ask(list)).rejects.toMatchObject({
      code: 'unfilterable_answer',
      status: 502,
    })
  })

  it('passes the cloud’s own error on, cut like any error', async () => {
    const body = Buffer.from(JSON.stringify({ error: 'slow down', devices: fleet }))
    const refuse = () => new UpstreamRefusal(429, 'application/json', body)
    const { status, body: told, outcome } = await rig(limited, { refuse }).ask(list)
    expect([status, told, outcome.upstreamStatus]).toEqual([429, { error: 'slow down' }, 429])
    const html = () => new UpstreamRefusal(500, 'text/html', Buffer.from(OTHER))
    await expect(rig(limited, { refuse: html }).ask(list)).rejects.toMatchObject({
      code: 'unfilterable_answer',
    })
  })

  it.each([[60], [undefined]])('says when the cloud may be asked again: %s', async (said) => {
    const refuse = () => new UpstreamRefusal(429, 'application/json', Buffer.from('{}'), said)
    const { exchange } = await rig(limited, { refuse }).ask(list)
    expect(exchange.assembled.map(({ retryAfterS }) => retryAfterS)).toEqual([said])
  })

  it('ends as client_gone where the client has left, and sends nothing', async () => {
    const refuse = () => new Error('given up')
    const { outcome, exchange } = await rig(limited, { refuse }).ask(list, { leaves: true })
    expect([outcome.ended, exchange.assembled]).toEqual(['client_gone', []])
  })

  it('T17 never holds the gate’s own credential', async () => {
    const devices = [row(MINE, { name: 'has cloud-credential in it' })]
    const { text } = await rig(limited, { cloud: { [path]: root(devices) } }).ask(list)
    expect(text).toContain('has **************** in it')
  })

  it('is judged again when the hours of a rule pass, and only then', async () => {
    let atMs = Date.UTC(2026, 10, 23, 11, 59, 59, 500)
    let judged = 0
    const hours = userWith(`
- can: devices:list
  where: { online: true }
  when: { hours: 09:00-12:00, zone: UTC }
- can: devices:list
  where: { groups: { $any: [site-9] } }`)
    const gate = rig(hours, {
      atMs: () => atMs,
      wrap: (policy) => ({
        ...policy,
        revision: 'r',
        userOf: (who) => policy.userOf(who),
        decide: (...args) => policy.decide(...args),
        items: (...args) => {
          const own = policy.items(...args)
          return {
            ...own,
            judge: (...asked) => {
              judged += 1
              return own.judge(...asked)
            },
          }
        },
        hangsOnDevice: () => true,
      }),
    })
    expect(idsOf((await gate.ask(list)).body)).toHaveLength(3)
    const once = judged
    await gate.ask(`${list}?page=2`)
    expect(judged).toBe(once)
    atMs += 500
    expect(idsOf((await gate.ask(list)).body)).toEqual([OTHER])
  })
})

describe('what changes while the cloud takes its time', () => {
  it('a token that dies is not answered', async () => {
    const recheck = () => {
      throw new Problem('invalid_token')
    }
    await expect(rig(limited, { recheck }).ask(list)).rejects.toMatchObject({ status: 401 })
  })

  it('a token that dies is not answered either where the store has to be read again', async () => {
    const recheck = async () => {
      throw new Problem('suspended')
    }
    await expect(rig(limited, { recheck }).ask(list)).rejects.toMatchObject({ code: 'suspended' })
    expect((await rig(limited, { recheck: async () => undefined }).ask(list)).status).toBe(200)
  })

  it('policies that change are asked again', async () => {
    let asked = 0
    const gate = rig(limited, {
      wrap: (policy) => ({
        ...policy,
        get revision() {
          return asked > 1 ? 'after' : 'before'
        },
        userOf: (who) => policy.userOf(who),
        items(...args) {
          asked += 1
          const own = policy.items(...args)
          return asked > 1 ? { ...own, key: 'after', judge: () => ({ outcome: 'deny' }) } : own
        },
      }),
      answer: () => ({}),
      recheck: () => undefined,
    })
    expect(idsOf((await gate.ask(list)).body)).toHaveLength(2)
    expect(idsOf((await gate.ask(list)).body)).toHaveLength(0)
  })
})

describe('filters and orders over what is hidden', () => {
  const some = userWith(`
- can: devices:list
  where: { groups: { $any: [site-7] } }
- can: devices:list
  where: { groups: { $any: [site-9] } }
  answer: [id]`)

  it('are denied where it is hidden in every item', async () => {
    const answers = userWith('- can: devices:list\n  answer: [id]', `devices: [${MINE}, ${TOO}]`)
    await expect(ask(answers, `${list}?deviceName=a`)).rejects.toThrow('denied: hidden_key')
    await expect(ask(answers, `${list}?sortAttr=deviceName`)).rejects.toThrow('hidden_key')
    expect((await ask(answers, `${list}?sortAttr=deviceId`)).status).toBe(200)
  })

  it.each(['alpha', OTHER.slice(0, 4), 'nothing'])(
    'are refused alike where it is hidden in some: %s',
    async (name) => {
      await expect(ask(some, `${list}?deviceName=${name}`)).rejects.toThrow('denied: hidden_key')
    },
  )

  it('are denied whatever the fleet is like, and served where no rule hides it', async () => {
    const own = `${some}    devices: [${MINE}, ${TOO}]\n`.replace('    devices: all\n', '')
    await expect(ask(own, `${list}?deviceName=alpha`)).rejects.toThrow('denied: hidden_key')
    const { body } = await ask(
      own.replace('  answer: [id]', '  answer: [id, name]'),
      `${list}?deviceName=alpha`,
    )
    expect(idsOf(body)).toEqual([TOO])
  })
})

describe('a list that is not paged', () => {
  const products = '/v1/products'
  const both = {
    [products]: {
      products: [
        { id: 12345, name: 'mine' },
        { id: 67890, name: 'other' },
      ],
      count: 2,
    },
  }
  const own = userWith('- can: products:list')

  it('is one call, cut in place: products of the boundary and no trace of others', async () => {
    const gate = rig(own, { cloud: both })
    const { body, outcome } = await gate.ask(`GET ${products}`, {
      headers: { accept: 'application/json', 'if-none-match': '"1"', 'if-modified-since': 'x' },
    })
    expect(body).toEqual({ products: [{ id: 12345, name: 'mine' }] })
    expect(outcome.list).toEqual({ way: 'whole', total: 1, ageMs: 0 })
    expect(gate.sent.map(({ headers }) => headers)).toEqual([{ accept: 'application/json' }])
    expect(gate.asked).toEqual([])
  })

  it('knows what an organization owns from the directory', async () => {
    const organization = 'aaaaaaaaaaaaaaaaaaaaaaaa'
    const policies = own.replace(`product: ${PRODUCT}`, `organization: ${organization}`)
    const facts = { products: async () => ['67890'] }
    const { body } = await rig(policies, { cloud: both, facts }).ask(`GET ${products}`)
    expect(body).toEqual({ products: [{ id: 67890, name: 'other' }] })
  })

  it('M01 asks by GET for HEAD', async () => {
    const gate = rig(own, { cloud: both })
    const head = await gate.ask(`HEAD ${products}`)
    expect(gate.sent.map(({ method }) => method)).toEqual(['GET'])
    expect(head.text).toBe('{"products":[{"id":12345,"name":"mine"}]}')
  })

  it.each([
    ['F02 HTML', { headers: { 'content-type': 'text/html' } }],
    ['F02 nothing', { body: Buffer.alloc(0) }],
    ['F02 null', { body: Buffer.from('null') }],
    ['F02 a byte order mark', { body: Buffer.from('\ufeff{"products":[]}') }],
    ['F02 invalid UTF-8', { body: Buffer.from([0x7b, 0xff, 0x7d]) }],
    ['F07 a bare list', { body: Buffer.from('[{"id":12345}]') }],
    ['F07 a map by id', { body: Buffer.from('{"products":{"12345":{}}}') }],
    ['F07 items that are no objects', { body: Buffer.from('{"products":[12345]}') }],
    ['F07 no id', { body: Buffer.from('{"products":[{"name":"mine"}]}') }],
    ['H19 a part', { status: 206 }],
    ['not modified', { status: 304 }],
    ['F16 a redirect', { status: 302 }],
  ])('refuses %s', async (_, answer) => {
    await expect(
      rig(own, { cloud: both, answer: () => answer }).ask(`GET ${products}`),
    ).rejects.toMatchObject({ code: 'unfilterable_answer' })
  })

  it('F03 F05 H18 passes on what the reader of answers refuses', async () => {
    const answer = () => new Problem('unfilterable_answer')
    await expect(rig(own, { cloud: both, answer }).ask(`GET ${products}`)).rejects.toMatchObject({
      status: 502,
    })
  })

  it('does not show our own refusal as the client’s', async () => {
    const answer = () => ({ status: 401 })
    await expect(rig(own, { cloud: both, answer }).ask(`GET ${products}`)).rejects.toMatchObject({
      code: 'upstream_refused',
    })
  })
})
