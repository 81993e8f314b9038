import { describe, expect, it } from 'vitest'
import type { Resource } from '../../../../src/domain/access-request.ts'
import { Problem } from '../../../../src/domain/problem.ts'
import { LookUps } from '../../../../src/proxy/streams/look-ups.ts'
import type { Directory } from '../../../../src/upstream/directory.ts'
import { fakeDirectory } from '../../../kit/fakes.ts'

const deviceOf = (device: string): Resource => ({ type: 'device', product: '1', device })

/** Nothing can be said of a device called `broken`, alone or among others. */
function lookUps(more: Partial<Directory> = {}) {
  const asked: unknown[] = []
  const refuse = (devices: readonly (string | undefined)[]) => {
    if (devices.includes('broken')) throw new Problem('attribute_unavailable')
  }
  const directory = fakeDirectory({
    async named(resources, _user, maxAgeMs) {
      const devices = resources.map(({ device }) => device)
      asked.push([devices, maxAgeMs])
      refuse(devices)
      return ({ device }) => ({ name: device })
    },
    async products(organization) {
      return [`of ${organization}`]
    },
    async locate(devices, products) {
      asked.push([devices, products])
      refuse(devices)
      return new Map(devices.filter((id) => id !== 'gone').map((id) => [id, '1']))
    },
    ...more,
  })
  return { asked, of: new LookUps(directory) }
}

describe('look-ups of streams', () => {
  it('go together, no older than the tightest of them wants', async () => {
    const { asked, of } = lookUps()
    const wanted = [of.facts(deviceOf('a'), 5000), of.facts(deviceOf('b'), undefined)]
    expect(await Promise.all(wanted)).toEqual([{ name: 'a' }, { name: 'b' }])
    expect(asked).toEqual([[['a', 'b'], 5000]])
  })

  it('fail each by itself', async () => {
    const { asked, of } = lookUps()
    const wanted = ['a', 'broken', 'b'].map((id) => of.facts(deviceOf(id), undefined))
    expect(await Promise.allSettled(wanted)).toMatchObject([
      { value: { name: 'a' } },
      { reason: { code: 'attribute_unavailable' } },
      { value: { name: 'b' } },
    ])
    expect(asked).toHaveLength(4)
    expect(await of.facts(deviceOf('a'), undefined)).toEqual({ name: 'a' })
  })

  it('fail where nothing was said of the device: no facts are not facts', async () => {
    const { of } = lookUps({ named: async () => () => undefined })
    await expect(of.facts(deviceOf('a'), undefined)).rejects.toMatchObject({
      code: 'attribute_unavailable',
    })
  })

  it('find the products of devices within the organization, and of the broken one none', async () => {
    const { asked, of } = lookUps()
    const wanted = ['a', 'broken', 'gone'].map((id) => of.product(id, 'acme'))
    expect(await Promise.allSettled(wanted)).toMatchObject([
      { status: 'fulfilled', value: '1' },
      { status: 'rejected' },
      { status: 'fulfilled', value: undefined },
    ])
    expect(asked[0]).toEqual([['a', 'broken', 'gone'], ['of acme']])
    await of.product('a', undefined)
    expect(asked.at(-1)).toEqual([['a'], 'any'])
  })
})
