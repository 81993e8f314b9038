import { describe, expect, it } from 'vitest'
import { Problem } from '../../../src/domain/problem.ts'
import { aDirectory, device, devicePath, found, id } from '../../kit/a-directory.ts'

const code = (wanted: string) => expect.objectContaining({ code: wanted })

describe('the directory', () => {
  it('says of a device with a platform id for a product that it is in none', async () => {
    const { directory } = aDirectory({
      '/v1/devices/loose': { status: 200, json: { id, product_id: 0 } },
      '/v1/devices/kept': { status: 200, json: { id, product_id: 7 } },
    })
    expect(await directory.device('loose', 'ana')).toEqual({ id, product: undefined })
    expect(await directory.device('kept', 'ana')).toEqual({ id, product: '7' })
  })

  it('resolves slugs and names to ids, with the places they lie in', async () => {
    const { directory } = aDirectory({
      '/v1/orgs/acme': {
        status: 200,
        json: { organization: { id: id.toUpperCase(), slug: 'acme' } },
      },
      '/v1/products/thermo-v1': {
        status: 200,
        json: { product: { id: 12345, slug: 'thermo-v1', organization: 'o1' } },
      },
      '/v1/devices/kitchen%20lamp': found({}),
    })
    expect(await directory.organization('acme', 'u')).toBe(id)
    expect(await directory.product('thermo-v1', 'u')).toEqual({ id: '12345', organization: 'o1' })
    expect(await directory.device('kitchen lamp', 'u')).toEqual({ id, product: '1' })
    expect(await directory.device('../other', 'u')).toBeUndefined()
  })

  it.each([
    ['another id', `/v1/devices/${id}`, { id: id.replace('0', '1') }],
    ['no id', `/v1/devices/${id}`, { id: null }],
    ['an id that is none', `/v1/devices/${id}`, { id: '../x' }],
  ])('refuses an answer with %s', async (_, target, json) => {
    const { directory } = aDirectory({ [target]: found(json) })
    await expect(directory.device(id, 'u')).rejects.toThrow(code('attribute_unavailable'))
  })

  it('refuses an answer about another slug or from another product', async () => {
    const { directory } = aDirectory({
      '/v1/products/a': { status: 200, json: { product: { id: 1, slug: 'b' } } },
      [devicePath]: found({ product_id: 2 }),
    })
    await expect(directory.product('a', 'u')).rejects.toThrow(code('attribute_unavailable'))
    await expect(directory.attributes(device, 'u')).rejects.toThrow(code('attribute_unavailable'))
  })

  it('leaves out attributes of a wrong type, so that conditions see them absent (C08)', async () => {
    const { directory } = aDirectory({
      [devicePath]: found({
        ...{ groups: 'site-1', firmware: { version: '3' }, online: 'yes', last_heard: 'never' },
        name: null,
      }),
    })
    expect(await directory.attributes(device, 'u')).toEqual({})
  })

  it('reads attributes of the right type', async () => {
    const facts = {
      groups: ['site-1'],
      online: false,
      last_heard: '2026-01-01T00:00:00Z',
      name: '',
    }
    const { directory } = aDirectory({
      [devicePath]: found({ ...facts, firmware: { version: 0 } }),
    })
    expect(await directory.attributes(device, 'u')).toEqual({ ...facts, firmware_version: 0 })
  })

  it('asks again only when an answer is too old', async () => {
    const { directory, asked, pass } = aDirectory({ [devicePath]: found({ online: true }) })
    expect(directory.cached(device)).toBeUndefined()
    await directory.attributes(device, 'u')
    pass(59_999)
    await directory.attributes({ ...device, device: id.toUpperCase() }, 'u')
    expect(directory.cached(device)).toEqual({ online: true })
    expect(asked).toHaveLength(1)
    pass(1)
    expect(directory.cached(device)).toBeUndefined()
    await directory.attributes(device, 'u')
    expect(asked).toHaveLength(2)
  })

  it('forgets an unknown thing sooner', async () => {
    const { directory, answers, asked, pass } = aDirectory({})
    expect(await directory.attributes(device, 'u')).toEqual({})
    answers[devicePath] = found({ online: true })
    pass(9_999)
    expect(await directory.attributes(device, 'u')).toEqual({})
    pass(1)
    expect(await directory.attributes(device, 'u')).toEqual({ online: true })
    expect(asked).toHaveLength(2)
  })

  it.each([
    ['fails', new Problem('upstream_failed')],
    ['answers 500', { status: 500, json: {} }],
    ['refuses the gate', new Problem('upstream_refused')],
  ])('says so when the cloud %s, and keeps nothing of it', async (_, failure) => {
    const { directory, answers } = aDirectory({ [devicePath]: failure }, { perMinute: 1 })
    await expect(directory.attributes(device, 'u')).rejects.toThrow(code('attribute_unavailable'))
    await expect(directory.attributes(device, 'u')).rejects.toThrow(code('attribute_unavailable'))
    answers[devicePath] = found({ online: true })
    expect(await directory.attributes(device, 'u')).toEqual({ online: true })
  })

  it('asks once for many that ask the same at once', async () => {
    const { directory, asked, hold } = aDirectory({ [devicePath]: found({ online: true }) })
    const release = hold()
    const all = Array.from({ length: 50 }, (_, i) => directory.attributes(device, `u${i}`))
    release()
    expect(await Promise.all(all)).toEqual(Array.from({ length: 50 }, () => ({ online: true })))
    expect(asked).toHaveLength(1)
  })

  it('does not keep an answer from before a write', async () => {
    const { directory, hold } = aDirectory({ [devicePath]: found({ online: true }) })
    const release = hold()
    const before = directory.attributes(device, 'u')
    await Promise.resolve()
    directory.forget(device)
    release()
    await before
    expect(directory.cached(device)).toBeUndefined()
  })

  describe('rations unknown look-ups', () => {
    const other = (i: number) => `/v1/devices/unknown-${i}`.replace('/v1/devices/', '')

    it('per API user, with the time until the next one', async () => {
      const { directory, asked, pass } = aDirectory({ [`/v1/devices/${id}`]: found({}) })
      for (let i = 0; i < 3; i += 1) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other is what is tested
        expect(await directory.device(other(i), 'guesser')).toBeUndefined()
      }
      await expect(directory.device(other(3), 'guesser')).rejects.toThrow(
        expect.objectContaining({ code: 'rationed', retryAfterS: 20 }),
      )
      expect(asked).toHaveLength(3)
      expect(await directory.device(other(3), 'somebody')).toBeUndefined()
      expect(await directory.device(other(0), 'guesser')).toBeUndefined()
      pass(20_000)
      expect(await directory.device(other(4), 'guesser')).toBeUndefined()
    })

    it('also when they are asked all at once', async () => {
      const { directory, asked } = aDirectory({})
      const all = await Promise.allSettled(
        Array.from({ length: 20 }, (_, i) => directory.device(other(i), 'guesser')),
      )
      expect(all.filter(({ status }) => status === 'rejected')).toHaveLength(17)
      expect(asked).toHaveLength(3)
    })

    it('and never those of known things, however many at once', async () => {
      const ids = Array.from({ length: 40 }, (_, i) => id.slice(0, 22) + String(10 + i))
      const { directory } = aDirectory(
        Object.fromEntries(ids.map((one) => [`/v1/devices/${one}`, found({ id: one })])),
      )
      const all = await Promise.all(ids.map((one) => directory.device(one, 'u')))
      expect(all.map((facts) => facts?.id)).toEqual(ids)
    })
  })
})
