import { describe, expect, it } from 'vitest'
import { aDirectory, device, devicePath, found, id } from '../../kit/a-directory.ts'

const online = found({ online: true })
const offline = found({ online: false })

describe('the age of a fact', () => {
  it('is never more than a rule asks for, nor than is configured', async () => {
    const { directory, answers, asked, pass } = aDirectory({ [devicePath]: online })
    await directory.attributes(device, 'u')
    answers[devicePath] = offline
    pass(5000)
    expect(directory.cached(device, 5001)).toEqual({ online: true })
    expect(directory.cached(device, 5000)).toBeUndefined()
    expect(await directory.attributes(device, 'u', 5001)).toEqual({ online: true })
    expect(await directory.attributes(device, 'u', 5000)).toEqual({ online: false })
    expect(asked).toHaveLength(2)
    pass(60_000)
    expect(directory.cached(device, 1_000_000)).toBeUndefined()
  })

  it('counts for an unknown device too', async () => {
    const { directory, answers, pass } = aDirectory({})
    expect(await directory.attributes(device, 'u')).toEqual({})
    answers[devicePath] = online
    pass(2000)
    expect(await directory.attributes(device, 'u', 2001)).toEqual({})
    expect(await directory.attributes(device, 'u', 2000)).toEqual({ online: true })
  })

  it('counts from when it was asked for, also for who comes while the answer is under way', async () => {
    const { directory, asked, pass, hold } = aDirectory({ [devicePath]: online })
    const release = hold()
    const first = directory.attributes(device, 'u')
    pass(3000)
    const patient = directory.attributes(device, 'u', 3001)
    const urgent = directory.attributes(device, 'u', 3000)
    release()
    await Promise.all([first, patient, urgent])
    expect(asked).toHaveLength(2)
    expect(directory.cached(device, 1)).toEqual({ online: true })
  })
})

describe('a write', () => {
  it('to a product makes all its devices forgotten, by product or without, and no others', async () => {
    const other = { ...device, product: '2' } as const
    const { directory, asked } = aDirectory({
      [devicePath]: online,
      [`/v1/products/2/devices/${id}`]: found({ product_id: 2, online: true }),
      '/v1/devices/shed': found({}),
      '/v1/products/1': { status: 200, json: { product: { id: 1 } } },
    })
    const lookAll = async () => {
      await directory.attributes(device, 'u')
      await directory.attributes(other, 'u')
      await directory.device('shed', 'u')
      await directory.product('1', 'u')
    }
    await lookAll()
    await lookAll()
    expect(asked).toHaveLength(4)
    directory.forget({ type: 'product', product: '1' })
    expect(directory.cached(device)).toBeUndefined()
    expect(directory.cached(other)).toEqual({ online: true })
    await lookAll()
    expect(asked.slice(4)).toEqual([devicePath, '/v1/devices/shed', '/v1/products/1'])
  })

  it('to a device makes its names forgotten too, and not its neighbours', async () => {
    const neighbour = id.replace('0', '1')
    const { directory, asked } = aDirectory({
      '/v1/devices/shed': found({}),
      '/v1/devices/barn': found({ id: neighbour }),
    })
    await directory.device('shed', 'u')
    await directory.device('barn', 'u')
    directory.forget({ ...device, device: id.toUpperCase() })
    await directory.device('shed', 'u')
    await directory.device('barn', 'u')
    expect(asked).toEqual(['/v1/devices/shed', '/v1/devices/barn', '/v1/devices/shed'])
  })

  it('to a product makes it forgotten that a device was unknown', async () => {
    const { directory, answers } = aDirectory({})
    expect(await directory.device(id, 'u')).toBeUndefined()
    answers[`/v1/devices/${id}`] = found({})
    expect(await directory.device(id, 'u')).toBeUndefined()
    directory.forget({ type: 'product', product: '1' })
    expect(await directory.device(id, 'u')).toEqual({ id, product: '1' })
  })

  it.each([
    ['its device', device],
    ['its product', { type: 'product', product: '1' } as const],
  ])('to %s makes nobody wait for an answer from before it, nor keeps it', async (_, resource) => {
    const { directory, answers, asked, hold } = aDirectory({ [devicePath]: online })
    const release = hold()
    const before = directory.attributes(device, 'u')
    directory.forget(resource)
    answers[devicePath] = online
    const after = directory.attributes(device, 'u')
    release()
    await Promise.all([before, after])
    expect(asked).toHaveLength(2)
    expect(directory.cached(device)).toEqual({ online: true })
    directory.forget(resource)
    expect(directory.cached(device)).toBeUndefined()
  })

  it('is not forgotten itself by too many others: then all older facts are stale', async () => {
    const { directory } = aDirectory({ [devicePath]: online }, { maxEntries: 4 })
    await directory.attributes(device, 'u')
    directory.forget(device)
    for (let i = 0; i < 10; i += 1) {
      directory.forget({ type: 'device', product: '1', device: i.toString(16).padStart(24, 'e') })
    }
    expect(directory.cached(device)).toBeUndefined()
    await directory.attributes(device, 'u')
    expect(directory.cached(device)).toEqual({ online: true })
  })
})
