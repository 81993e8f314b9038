/** What the oracle says of events, held against sentences of the design on cases made by hand. */

import { describe, expect, it } from 'vitest'
import { isDue } from './events.ts'
import type { EventFacts, Rule, User } from './language.ts'
import type { Item, World } from './world.ts'

const one: Item = { id: 'd1', online: true, groups: ['site-1'] }
const elsewhere: Item = { id: 'd4', online: true, groups: ['site-1'] }
const world: World = {
  products: [
    { id: '1', slug: 'one', organization: 'o', devices: [one], customers: [] },
    { id: '2', slug: 'two', organization: 'o', devices: [elsewhere], customers: [] },
  ],
}

describe('an event', () => {
  const user: User = { owner: 'o', never: true, product: '1', devices: 'all' }
  const hear = { can: ['events:get'] } satisfies Rule
  const sent: EventFacts = { product: '1', name: 'alarm/door', source: 'device', device: one }
  const cloudSent: EventFacts = { product: '1', name: 'hook-sent/alarm', source: 'cloud' }
  const due = (rules: readonly Rule[], event = sent, more: Partial<User> = {}, prefix = '') =>
    isDue({ users: { u: { ...user, rules, ...more } } }, 'u', world, { event, prefix })

  it('comes from devices only, unless a can names the source', () => {
    expect([due([hear]), due([hear], cloudSent)]).toEqual([true, false])
    expect(due([{ ...hear, sources: ['cloud'] }], cloudSent)).toBe(true)
    expect(due([{ ...hear, sources: ['cloud'] }])).toBe(false)
    expect(due([], cloudSent, { scopes: ['events:get'] })).toBe(true)
  })

  it('is known by its whole name, by its beginning before a star, and by the prefix asked for', () => {
    expect(due([{ ...hear, events: ['alarm'] }])).toBe(false)
    expect(due([{ ...hear, events: ['alarm*'] }])).toBe(true)
    expect(due([{ ...hear, events: ['Alarm*'] }])).toBe(false)
    expect(due([hear], sent, {}, 'alarm/')).toBe(true)
    expect(due([hear], sent, {}, 'tick')).toBe(false)
  })

  it('is forbidden by name in any letter case, and by source', () => {
    expect(due([hear, { cannot: ['events:get'], events: ['ALARM*'] }])).toBe(false)
    expect(due([hear, { cannot: ['events:get'], events: ['tick'] }])).toBe(true)
    expect(due([hear, { cannot: ['live'], sources: ['cloud'] }])).toBe(true)
  })

  it('of no device meets no condition on devices, and every cannot with one', () => {
    const all = { ...hear, sources: ['device', 'cloud'] } satisfies Rule
    const where = { online: true }
    expect(due([{ ...all, where }])).toBe(true)
    expect(due([{ ...all, where }], cloudSent)).toBe(false)
    expect(due([{ ...all, unless: { online: false } }], cloudSent)).toBe(false)
    expect(due([all, { cannot: ['events:get'], where: { online: false } }], cloudSent)).toBe(false)
    expect(due([all, { cannot: ['events:get'], where: { online: false } }])).toBe(true)
    expect(due([{ ...all, where: { serial_number: { $exists: false } } }], cloudSent)).toBe(false)
  })

  it('of a device outside the limit or the boundary never passes', () => {
    expect(due([hear], sent, { devices: ['d2'] })).toBe(false)
    expect(due([hear], { ...sent, product: '2', device: elsewhere })).toBe(false)
  })
})
