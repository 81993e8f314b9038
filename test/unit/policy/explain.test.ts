import { describe, expect, it } from 'vitest'
import { explain } from '../../../src/policy/explain.ts'
import { runPolicyTests } from '../../../src/policy/run-tests.ts'
import { aCatalog } from '../../kit/a-catalog.ts'
import {
  mustLoad,
  myDevice,
  NOON,
  otherDevice,
  principalOf,
  userWith,
  MINE,
} from '../../kit/policies.ts'

function missing(
  rules: string,
  action: string,
  more: { functions?: string[]; facts?: object; issued?: string; other?: true } = {},
) {
  const { set } = mustLoad(userWith(rules, `devices: [${MINE}]`))
  const before =
    more.issued === undefined ? set : mustLoad(userWith(more.issued, `devices: [${MINE}]`)).set
  return explain({
    catalog: aCatalog(),
    set,
    principal: principalOf('u', before.users.get('u')),
    requests: [
      {
        action,
        resource: more.other ? otherDevice : myDevice,
        fields: { functions: more.functions ?? [] },
        values: {},
      },
    ],
    facts: () => ({ ...more.facts }),
    context: { requestId: 'r', atMs: NOON, address: '' },
  }).missing
}

describe('explain', () => {
  const call =
    '- can: devices.function:call\n  functions: [reboot]\n  where: { online: true }\n  unless: { region: us }'

  it('says nothing of an allow', () => {
    expect(missing('- can: devices:get', 'devices:get')).toEqual([])
  })

  it('names the rule, its place and the first check that failed', () => {
    const at = 'policies/all.yaml:8 can devices.function:call:'
    const ask = (functions: string[], facts: object) =>
      missing(call, 'devices.function:call', { functions, facts })
    expect(ask(['unlock'], {})).toEqual([`${at} names functions reboot, not unlock`])
    expect(ask([], {})).toEqual([`${at} names only functions reboot, and the request shows none`])
    expect(ask(['reboot'], { online: false, region: 'eu' })).toEqual([
      `${at} its where or with is not true`,
    ])
    expect(ask(['reboot'], { online: true, region: 'us' })).toEqual([
      `${at} its unless takes it away`,
    ])
    expect(ask(['reboot'], { online: true, region: 'eu' })).toEqual([])
  })

  it('says what else would be needed', () => {
    expect(missing('- can: devices:get', 'devices:ping')).toEqual([
      'a rule that names the action: can: devices:ping',
    ])
    expect(missing('- can: devices:get', 'devices:get', { other: true })).toEqual([
      `the device ${otherDevice.device} among the devices of u`,
    ])
    expect(missing('- can: devices:get\n- cannot: devices:get', 'devices:get')).toEqual([
      'that policies/all.yaml:9 does not match: cannot devices:get',
    ])
    expect(
      missing('- can: [devices:get, devices:ping]', 'devices:ping', {
        issued: '- can: devices:get',
      })[0],
    ).toMatch(/rotate the token, or extend it/)
  })
})

describe('runPolicyTests', () => {
  const text = `${userWith('- can: devices:get\n  answer: [id]')}tests:
  - { name: reads, user: u, action: devices:get, resource: { product: 12345, device: ${MINE} }, want: allow, answer: [name] }
  - { name: pings, user: u, action: devices:ping, resource: { product: 12345, device: ${MINE} }, want: deny, reason: forbidden }
`
  it('finds each surprise at its line, and allows without a denial beside them', () => {
    const catalog = aCatalog()
    const { set, tests } = mustLoad(text, catalog)
    const { passed, failed, notes } = runPolicyTests(tests, { catalog, set })
    expect(passed).toBe(0)
    expect(failed.map(({ line, message }) => `${line} ${message}`)).toEqual([
      '11 test "reads": wanted answer [name], got [id]',
      '12 test "pings": wanted deny forbidden, got deny not_granted',
    ])
    expect(notes.map(({ message }) => message)).toEqual([
      'test "reads": no denial of u devices:get stands beside this allow',
    ])
  })
})
