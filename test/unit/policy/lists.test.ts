import { describe, expect, it } from 'vitest'
import type { ApiUser } from '../../../src/domain/grant.ts'
import {
  ACME,
  aFleetCatalog,
  gateOf,
  load,
  MINE,
  myDevice,
  myProduct,
  userWith,
} from '../../kit/policies.ts'

const nothing = { type: 'none' } as const
const all = 'sources: [device, cloud, api]'

/** `each`, `whole`, or what else was answered. */
function admitted(action: string, rules: string, more?: string, question = {}) {
  const gate = gateOf(userWith(rules, more), aFleetCatalog())
  const decision = gate.full(action, { resource: myProduct, facts: null, ...question })
  if (decision.outcome === 'allow') return decision.obligations.items ?? 'whole'
  return decision.outcome === 'deny' ? decision.reason : decision.outcome
}
const list = (rules: string, more?: string) => admitted('devices:list', rules, more)
const stream = (rules: string, more?: string, question = {}) =>
  admitted('events:get', rules, more, question)

describe('a list', () => {
  it('is whole where all items surely pass alike', () => {
    expect(list('- can: devices:list')).toBe('whole')
    expect(list('- can: devices:list\n  answer: [id]\n  hide: [name]')).toBe('whole')
    expect(list('- can: devices:list\n- can: devices:list\n  where: { online: true }')).toBe(
      'whole',
    )
  })

  it('is decided item by item where devices, conditions or an unless may leave some out', () => {
    expect(list('- can: devices:list', `devices: [${MINE}]`)).toBe('each')
    expect(list('- can: devices:list', 'devices: { online: true }')).toBe('each')
    expect(list('- can: devices:list\n  where: { online: true }')).toBe('each')
    expect(list('- can: devices:list\n  unless: { online: true }')).toBe('each')
    const cannot = '- can: devices:list\n- cannot: devices:list\n  where: { online: true }'
    expect(list(cannot)).toBe('each')
  })

  it('is decided item by item where a secret is shown of some items only', () => {
    const some = '- can: devices:list\n  where: { online: true }\n  answer: [mobile_secret]'
    expect(list(`- can: devices:list\n${some}`)).toBe('each')
    expect(list('- can: devices:list\n- can: devices:list\n  answer: [mobile_secret]')).toBe(
      'whole',
    )
  })

  it('says what every item surely shows, whichever it is', () => {
    const sure = (rules: string) => {
      const gate = gateOf(userWith(rules), aFleetCatalog())
      const decision = gate.full('devices:list', { resource: myProduct, facts: null })
      if (decision.outcome !== 'allow') throw new Error(decision.outcome)
      const { answer, hide, reveal } = decision.obligations.sure ?? decision.obligations
      return [answer && [...answer].toSorted(), [...hide], [...reveal]]
    }
    const where = (condition: string, more: string) =>
      `- can: devices:list\n  where: ${condition}\n  ${more}\n`
    const two = where('{ online: true }', 'answer: [id, name]')
    expect(sure(`${two}${where('{ online: false }', 'answer: [id, groups]')}`)).toEqual([
      ['id'],
      [],
      [],
    ])
    expect(sure(`${two}- can: devices:list`)).toEqual([undefined, [], []])
    expect(sure(`${two}- can: devices:list\n  answer: [groups]`)).toEqual([['groups'], [], []])
    expect(sure(where('{ online: true }', 'hide: [name]'))).toEqual([undefined, ['name'], []])
    const hides = '- cannot: devices:list\n  where: { online: true }\n  hide: [name]'
    expect(sure(`- can: devices:list\n${hides}`)).toEqual([undefined, ['name'], []])
    expect(sure(`${two}${where('{ online: false }', 'answer: [name, mobile_secret]')}`)).toEqual([
      ['name'],
      [],
      [],
    ])
  })

  it('is decided item by item where not all items show the same keys', () => {
    const shows = '- can: devices:list\n  answer: [id]\n- can: devices:list\n  where: '
    expect(list(`${shows}{ online: true }\n  answer: [name]`)).toBe('each')
    expect(list(`${shows}{ online: true }\n  answer: [id]`)).toBe('whole')
    const hides = '- can: devices:list\n- cannot: devices:list\n  hide: [id]\n  where: '
    expect(list(`${hides}{ online: true }`)).toBe('each')
  })

  it('is decided item by item where only one of today and the issued grant would', () => {
    const issuedUnder = (more: string) =>
      gateOf(userWith('- can: devices:list', more)).set.users.get('u')
    const whole = issuedUnder('devices: all')
    const some = issuedUnder(`devices: [${MINE}]`)
    const admittedUnder = (today: string, issued: ApiUser | undefined) =>
      admitted('devices:list', '- can: devices:list', today, { ...(issued && { issued }) })
    expect(admittedUnder('devices: all', whole)).toBe('whole')
    expect(admittedUnder('devices: all', some)).toBe('each')
    expect(admittedUnder(`devices: [${MINE}]`, whole)).toBe('each')
  })

  it('is denied where no item could pass', () => {
    expect(list('- can: devices:get')).toBe('not_granted')
    expect(list('- can: devices:list\n- cannot: devices:list')).toBe('forbidden')
    expect(
      admitted('devices:list', '- can: devices:list', undefined, {
        resource: { ...myProduct, product: '67890' },
      }),
    ).toBe('outside_boundary')
    expect(list('- can: devices:list\n  when: { hours: 01:00-02:00, zone: UTC }')).toBe(
      'outside_hours',
    )
  })

  it('about nothing of the fleet is inside every boundary, and cut to it', () => {
    expect(admitted('devices:list', '- can: devices:list', undefined, { resource: nothing })).toBe(
      'each',
    )
    expect(
      admitted('products:list', '- can: products:list', undefined, { resource: nothing }),
    ).toBe('each')
    expect(admitted('products:get', '- can: products:get', undefined, { resource: nothing })).toBe(
      'whole',
    )
    expect(admitted('devices:list', '- can: devices:get', undefined, { resource: nothing })).toBe(
      'not_granted',
    )
  })

  it('of a named ledger needs a can for that ledger, or one without the word', () => {
    const ledgers = (rules: string, names: string[]) =>
      admitted('instances:list', rules, `devices: [${MINE}]`, { fields: { ledgers: names } })
    expect(ledgers('- can: instances:list\n  ledgers: [a]', ['a'])).toBe('each')
    expect(ledgers('- can: instances:list\n  ledgers: [a]', ['b'])).toBe('not_granted')
    expect(ledgers('- can: instances:list\n  ledgers: [a]', [])).toBe('not_granted')
    expect(ledgers('- can: instances:list', [])).toBe('each')
  })

  it('asked with a device for its place is decided as that one item', () => {
    const gate = gateOf(userWith('- can: devices:list\n  where: { online: true }'))
    expect(gate.ask('devices:list', { facts: { online: true } })).toBe('allow')
    expect(gate.ask('devices:list', { facts: { online: false } })).toBe('not_granted')
    expect(gate.ask('devices:list', { facts: null })).toBe('needs_facts')
  })
})

describe('keys beside the items of a list', () => {
  const shown = (rules: string, more?: string) => {
    const decision = gateOf(userWith(rules, more)).full('devices:list', { resource: myProduct })
    if (decision.outcome !== 'allow') throw new Error(decision.outcome)
    const { answer, hide, reveal } = decision.obligations
    return { answer: answer && [...answer], hide: [...hide], reveal: [...reveal] }
  }
  const some = '- can: devices:list\n  where: { online: true }\n'

  it('are those that any item may show', () => {
    expect(
      shown(
        `${some}  answer: [id]\n- can: devices:list\n  where: { region: eu }\n  answer: [name]`,
      ),
    ).toEqual({ answer: ['id', 'name'], hide: [], reveal: [] })
    expect(shown(`${some}  answer: [id]\n- can: devices:list\n  where: { region: eu }`)).toEqual({
      answer: undefined,
      hide: [],
      reveal: [],
    })
  })

  it('lack only what every item hides', () => {
    const hides = '\n- cannot: devices:list\n  hide: [name]'
    expect(shown(`${some}  hide: [id]${hides}`).hide).toEqual(['name'])
    expect(shown(`${some}  hide: [id]${hides}\n  where: { region: eu }`).hide).toEqual([])
    expect(shown('- can: devices:list\n  hide: [id]', `devices: [${MINE}]`).hide).toEqual(['id'])
  })

  it('reveal a secret only where every item does', () => {
    const secret = 'answer: [id, mobile_secret]'
    expect(shown(`- can: devices:list\n  ${secret}`, `devices: [${MINE}]`).reveal).toEqual([
      'mobile_secret',
    ])
    expect(shown(`${some}  ${secret}`).reveal).toEqual([])
  })
})

describe('a stream', () => {
  it('is whole with all sources and no names, which scopes have and rules must say', () => {
    expect(stream(`- can: events:get\n  ${all}`)).toBe('whole')
    expect(stream('', 'devices: all\nscopes: [events:get]')).toBe('whole')
    expect(stream('- can: events:get')).toBe('each')
    expect(stream('- can: events:get\n  sources: [device]')).toBe('each')
    expect(stream(`- can: events:get\n  ${all}\n  events: [temp*]`)).toBe('each')
    expect(stream(`- can: events:get\n  ${all}\n- cannot: events:get\n  events: [x]`)).toBe('each')
    expect(stream(`- can: events:get\n  ${all}`, `devices: [${MINE}]`)).toBe('each')
    expect(stream('- can: devices:get')).toBe('not_granted')
  })

  it('under a rule with hours is decided event by event: it outlives them', () => {
    const hours = 'when: { hours: 08:00-18:00, zone: UTC }'
    expect(stream(`- can: events:get\n  ${all}\n  ${hours}`)).toBe('each')
    expect(stream(`- can: events:get\n  ${all}\n- cannot: events:get\n  ${hours}`)).toBe(
      'forbidden',
    )
  })

  it('of a beginning that no rule names, or that a cannot takes whole, is refused at once', () => {
    const asked = (name: string) => ({ fields: { events: [name] } })
    const temp = '- can: events:get\n  events: [temp*, door]'
    expect(stream(temp, undefined, asked('temp*'))).toBe('each')
    expect(stream(temp, undefined, asked('d*'))).toBe('each')
    expect(stream(temp, undefined, asked('door/*'))).toBe('not_granted')
    const cannot = `- can: events:get\n  ${all}\n- cannot: events:get\n  events: [door*]`
    expect(stream(cannot, undefined, asked('Door/front*'))).toBe('forbidden')
    expect(stream(cannot, undefined, asked('do*'))).toBe('each')
  })

  it('F15 of one device is denied where that device is out of reach, as an unknown one is', () => {
    const rules = `- can: events:get\n  ${all}`
    const ofDevice = (more: string, facts: object | null) =>
      stream(rules, more, { resource: myDevice, facts })
    expect(ofDevice('devices: [bbbbbbbbbbbbbbbbbbbbbbbb]', null)).toBe('outside_devices')
    expect(ofDevice(`devices: [${MINE}]`, null)).toBe('whole')
    expect(ofDevice('devices: { online: true }', null)).toBe('needs_facts')
    expect(ofDevice('devices: { online: true }', { online: false })).toBe('outside_devices')
    expect(ofDevice('devices: { online: true }', { online: true })).toBe('each')
  })
})

describe('a rule on a list', () => {
  const mistakes = (rules: string) => {
    const loaded = load(userWith(rules), aFleetCatalog())
    return loaded.ok ? [] : loaded.mistakes.map(({ message }) => message)
  }

  it('reads attributes of what its items are or belong to', () => {
    expect(mistakes('- can: products:list\n  where: { tier: gold }')).toEqual([])
    expect(mistakes('- can: products:list\n  where: { online: true }')).toEqual([
      'unknown attribute "online"',
    ])
    expect(mistakes('- can: instances:list\n  where: { online: true }')).toEqual([])
    expect(mistakes('- can: devices:list\n  where: { tier: gold }')).toHaveLength(1)
  })

  it('names keys of its items, which are known only where they are the resource itself', () => {
    expect(mistakes('- can: devices:list\n  answer: [onlin]')).toHaveLength(1)
    expect(mistakes('- can: instances:list\n  answer: [scope_value]')).toEqual([])
  })
})

describe('what belongs to no device', () => {
  const set = (rules: string, more?: string, relation: 'none' | 'device' = 'none') =>
    gateOf(userWith(rules, more)).ask('devices:ping', {
      resource: relation === 'none' ? myProduct : myDevice,
      relation,
      facts: { online: true },
    })

  it('is for whoever reaches all devices of the place', () => {
    expect(set('- can: devices:ping')).toBe('allow')
    expect(set('- can: devices:ping', `devices: [${MINE}]`)).toBe('outside_devices')
    expect(set('- can: devices:ping', 'devices: { online: true }')).toBe('outside_devices')
    expect(set('- can: devices:ping', `devices: [${MINE}]`, 'device')).toBe('allow')
  })

  it('has none of the attributes of a device', () => {
    const where = '- can: devices:ping\n  where: { online: true }'
    expect(set(where)).toBe('not_granted')
    expect(set(where, undefined, 'device')).toBe('allow')
    expect(set('- can: devices:ping\n- cannot: devices:ping\n  where: { online: false }')).toBe(
      'forbidden',
    )
  })
})

describe('hangsOnDevice', () => {
  const hangs = (rules: string, more?: string, action = 'devices:ping') =>
    gateOf(userWith(rules, more)).hangsOnDevice(action, myProduct)

  it('is false where all devices are in reach and no rule of the action has conditions', () => {
    expect(hangs('- can: devices:ping')).toBe(false)
    expect(hangs('- can: devices:ping\n- can: devices:get\n  where: { online: true }')).toBe(false)
    expect(
      hangs(
        '- can: devices.function:call\n  with: { argument: on }',
        undefined,
        'devices.function:call',
      ),
    ).toBe(false)
  })

  it('is true for every limit and every condition', () => {
    expect(hangs('- can: devices:ping', `devices: [${MINE}]`)).toBe(true)
    expect(hangs('- can: devices:ping', 'devices: { online: true }')).toBe(true)
    expect(hangs('- can: devices:ping\n  where: { online: true }')).toBe(true)
    expect(hangs('- can: devices:ping\n  unless: { $not: { online: true } }')).toBe(true)
    expect(hangs(`- can: devices:ping\n- cannot: devices:ping\n  where: { id: ${MINE} }`)).toBe(
      true,
    )
    expect(
      hangs(
        '- can: devices:get\n- cannot: devices:get\n  hide: [id]\n  where: { online: true }',
        undefined,
        'devices:get',
      ),
    ).toBe(true)
  })

  it('is true where the grant that the token was issued under has one', () => {
    const issued = gateOf(userWith('- can: devices:ping', `devices: [${MINE}]`)).set.users.get('u')
    const gate = gateOf(userWith('- can: devices:ping'))
    expect(gate.hangsOnDevice('devices:ping', myProduct, issued)).toBe(true)
    expect(gate.hangsOnDevice('devices:ping', { type: 'organization', organization: ACME })).toBe(
      false,
    )
  })
})
