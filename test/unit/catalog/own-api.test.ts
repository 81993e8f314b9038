import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { startOwnApi } from '../../../examples/own-api/own-api.ts'
import { createRouteTable } from '../../../src/catalog/route-table.ts'
import { readCatalog } from '../../../src/catalog/shipped.ts'

const path = fileURLToPath(new URL('../../../examples/own-api/catalog.yaml', import.meta.url))
const loaded = readCatalog(path)
if (!loaded.ok) throw new Error(loaded.mistakes.map(({ message }) => message).join('\n'))
const { catalog } = loaded
const table = createRouteTable(catalog)

/** A request to each of the API's ten routes, and the status it answers with. */
const requests = [
  ['GET', '/tenants/harbour', 200],
  ['GET', '/tenants/harbour/sites', 200],
  ['GET', '/sites/s-101', 200],
  ['GET', '/sites/s-101/meters', 200],
  ['GET', '/sites/s-101/meters/em-0000a0', 200],
  ['GET', '/meters/SN000001', 200],
  ['PATCH', '/sites/s-101/meters/em-0000a0', 200],
  ['POST', '/sites/s-101/meters/em-0000a0/relays/boiler', 200],
  ['GET', '/sites/s-101/meters/em-0000a0/readings/voltage', 200],
  ['PUT', '/sites/s-101/meters/em-0000a0/firmware', 202],
] as const

describe('the catalog of the example API', () => {
  it('has one route for each of its ten, and none for anything else', async () => {
    await using api = await startOwnApi({ port: 0 })
    const ids = new Set<string>()
    for (const [method, target, status] of requests) {
      const found = table.match(method, target.slice(1).split('/'))
      if (found.kind !== 'route') throw new Error(`${method} ${target}: ${found.kind}`)
      ids.add(found.route.id)
      const answer = await fetch(api.url + target, {
        method,
        headers: { authorization: `Bearer ${api.token}` },
      })
      expect([target, answer.status]).toEqual([target, status])
    }
    expect(ids.size).toBe(10)
    expect(catalog.routes.length).toBe(10)
    expect(api.requests().map(({ target }) => target)).toEqual(requests.map(([, target]) => target))
    expect(table.match('GET', ['admin']).kind).toBe('unmapped')
    expect(table.match('DELETE', ['sites', 's-101']).kind).toBe('method')
  })

  it('speaks of tenants, sites and meters', () => {
    const { organization, product, device } = catalog.resources
    expect([organization, product, device].map(({ one }) => one)).toEqual([
      'tenant',
      'site',
      'meter',
    ])
    const found = table.match('GET', ['sites', 's-101', 'meters', 'EM-0000A0'])
    expect(found).toMatchObject({ params: { product: 's-101', device: 'EM-0000A0' } })
    expect(device.lookup?.path).toBe('/sites/:product/meters/:device')
  })

  it('says how the meters of a site are cut, page by page', async () => {
    const found = table.match('GET', ['sites', 's-101', 'meters'])
    const answer = found.kind === 'route' ? found.route.answer : undefined
    if (answer?.kind !== 'list' || answer.items?.paging === undefined) throw new Error('no pages')
    const { paging, narrow } = answer.items
    expect(narrow).toEqual([{ query: 'tag', attribute: 'tags' }])
    await using api = await startOwnApi({ port: 0 })
    const read = async (query: string): Promise<{ meters: unknown[]; total: number }> => {
      const headers = { authorization: `Bearer ${api.token}` }
      return JSON.parse(
        await (await fetch(`${api.url}/sites/s-101/meters${query}`, { headers })).text(),
      )
    }
    expect((await read('')).meters.length).toBe(paging.defaultSize)
    const all = await read(`?${paging.page}=1&${paging.size[0]}=${paging.maxSize}`)
    expect([paging.meta, all.total]).toEqual([{ total: 'total' }, all.meters.length])
    expect((await read('?tag=flat')).total).toBe(2)
  })

  it('takes a serial number only where no site is named', () => {
    expect(table.match('GET', ['meters', 'SN000001']).kind).toBe('route')
    expect(table.match('GET', ['sites', 's-101', 'meters', 'SN000001']).kind).toBe('bad_parameter')
  })

  it('lets nobody without the credential in', async () => {
    await using api = await startOwnApi({ port: 0 })
    const answer = await fetch(`${api.url}/sites/s-101`)
    expect(answer.status).toBe(401)
  })
})
