import { describe, expect, it } from 'vitest'
import { gateOf, mustLoad, userWith } from '../../kit/policies.ts'

const site7 = 'devices: { groups: { $any: [site-7] } }'
const asked = { facts: { groups: ['site-7'] }, fields: { body: ['groups'] } }

describe('self-escalation', () => {
  it('forbids writing an attribute that the own device limit reads', () => {
    const text = userWith("- can: 'devices:*'", site7)
    expect(gateOf(text).ask('devices:update.groups', asked)).toBe('forbidden')
    expect(gateOf(text).ask('devices:update.name', { ...asked, fields: { body: ['name'] } })).toBe(
      'allow',
    )
    expect(mustLoad(text).notes.map(({ message }) => message)).toEqual([
      expect.stringMatching(
        /^devices:update.groups writes groups, which this API user's own grant/,
      ),
    ])
  })

  it('forbids it where a rule or a guardrail reads the attribute, too', () => {
    const rule = userWith(
      '- can: devices:update.groups\n- cannot: devices:ping\n  where: { groups: { $any: [x] } }',
    )
    expect(gateOf(rule).ask('devices:update.groups', asked)).toBe('forbidden')
    const guardrail = `${userWith('- can: devices:update.groups')}guardrails:\n  - cannot: devices:ping\n    where: { groups: { $any: [x] } }\n`
    expect(gateOf(guardrail).ask('devices:update.groups', asked)).toBe('forbidden')
    expect(
      gateOf(userWith('- can: devices:update.groups')).ask('devices:update.groups', asked),
    ).toBe('allow')
  })

  it('forbids it where only an unless reads the attribute', () => {
    const unless = userWith(
      '- can: devices:update.groups\n- can: devices:ping\n  unless: { groups: { $any: [x] } }',
    )
    expect(gateOf(unless).ask('devices:update.groups', asked)).toBe('forbidden')
    expect(gateOf(unless).ask('devices:ping', { facts: { groups: ['y'] } })).toBe('allow')
  })

  it('allows it by a can that names the key, and by no other beside it', () => {
    const named = userWith(
      "- can: 'devices:*'\n- can: devices:update.groups\n  body: [groups]\n  where: { online: true }",
      site7,
    )
    const gate = gateOf(named)
    const online = { ...asked, facts: { groups: ['site-7'], online: true } }
    expect(gate.ask('devices:update.groups', online)).toBe('allow')
    expect(gate.ask('devices:update.groups', asked)).toBe('forbidden')
  })

  it('says not_granted where the write was never granted at all', () => {
    expect(gateOf(userWith('- can: devices:get', site7)).ask('devices:update.groups', asked)).toBe(
      'not_granted',
    )
  })
})
