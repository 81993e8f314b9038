// Where a missing id means every device, and where it does not: asked for API users that were granted the action by name.

import { describe, expect, it } from 'vitest'
import { particleCatalog } from '../../kit/catalog.ts'
import { deciderOf } from '../../kit/decided.ts'
import { ACME, load, MINE, OTHER, PRODUCT, userWith } from '../../kit/policies.ts'

const catalog = particleCatalog()
const place = `/v1/products/${PRODUCT}`
const json = { 'content-type': 'application/json' }
const only = `devices: [${MINE}]`
const inProduct = (devices: string, can: string) => userWith(`- can: ${can}`, devices)
const inOrganization = (devices: string, can: string) =>
  inProduct(devices, can).replace(`product: ${PRODUCT}`, `organization: ${ACME}`)

type Asking = { user?: typeof inProduct; headers?: Record<string, string> }

/** Outcomes for who is limited to one device and for who reaches all. */
async function outcomes(can: string, line: string, body?: object, asking: Asking = {}) {
  const { user = inProduct, headers = json } = asking
  const facts = {
    device: async (id: string) => ({ id, product: PRODUCT }),
    product: async (id: string) => ({ id, organization: ACME }),
  }
  const ask = async (devices: string) =>
    (
      await deciderOf(user(devices, can), facts, catalog).decide(
        line,
        headers,
        body === undefined ? '' : JSON.stringify(body),
      )
    ).outcome
  return [await ask(only), await ask('devices: all')]
}

const denied = ['outside_devices', 'allow']
const allowed = ['allow', 'allow']

describe('a missing id', () => {
  const config = `PUT ${place}/config`

  it('means every device in a configuration', async () => {
    const ask = (body: object) => outcomes('configuration:update.product', config, body)
    expect(await ask({ a: 1 })).toEqual(denied)
    expect(await ask({ deviceIds: [MINE], a: 1 })).toEqual(allowed)
    expect(await ask({ deviceIds: [MINE, OTHER], a: 1 })).toEqual(denied)
  })

  it('means every device in the schema of configurations', async () => {
    const headers = { 'content-type': 'application/schema+json' }
    const can = 'configuration:update.product_schema'
    expect(await outcomes(can, config, { type: 'object' }, { headers })).toEqual(denied)
    const remove = config.replace('PUT', 'DELETE')
    expect(await outcomes(can, remove, undefined, { headers })).toEqual(denied)
  })

  it('means that device, where the path says which', async () => {
    const headers = { 'content-type': 'application/schema+json' }
    const ask = (device: string) =>
      outcomes(
        'configuration:update.device_schema',
        `DELETE ${place}/config/${device}`,
        undefined,
        { headers },
      )
    expect(await ask(MINE)).toEqual(allowed)
    expect(await ask(OTHER)).toEqual(denied)
  })

  it.each([
    ['POST', 'integrations', 'integrations:create', 'deviceID'],
    ['POST', 'integrations', 'integrations:create', 'deviceid'],
    ['POST', 'webhooks', 'integrations:create', 'deviceId'],
    ['PUT', 'integrations/i1', 'integrations:update', 'deviceID'],
    ['PUT', 'integrations/i1', 'integrations:update', 'deviceid'],
  ])('means every device in what gets events: %s %s, %s, %s', async (method, path, can, key) => {
    const line = `${method} ${place}/${path}`
    const body = { event: 'e', url: 'https://x.example' }
    expect(await outcomes(can, line, body)).toEqual(denied)
    expect(await outcomes(can, line, { ...body, [key]: MINE })).toEqual(allowed)
    expect(await outcomes(can, line, { ...body, [key]: OTHER })).toEqual(denied)
    const org = line.replace(`/products/${PRODUCT}/`, `/orgs/${ACME}/`)
    if (path === 'webhooks') return
    const asking = { user: inOrganization }
    expect(await outcomes(can, org, body, asking)).toEqual(denied)
    expect(await outcomes(can, org, { ...body, [key]: MINE }, asking)).toEqual(allowed)
  })

  it.each([
    ['integrations', 'deviceId'],
    ['webhooks', 'deviceID'],
    ['webhooks', 'deviceid'],
  ])('is still missing under a spelling that nobody writes under %s: %s', async (path, key) => {
    const body = { event: 'e', url: 'https://x.example', [key]: MINE }
    expect(await outcomes('integrations:create', `POST ${place}/${path}`, body)).toEqual(denied)
  })

  it('means every device in a report of usage, also beside products', async () => {
    const line = `POST /v1/orgs/${ACME}/service_agreements/1/usage_reports`
    const ask = (body: object) =>
      outcomes('service_agreements.usage_reports:create', line, body, { user: inOrganization })
    expect(await ask({ report_type: 'devices' })).toEqual(denied)
    expect(await ask({ products: [PRODUCT] })).toEqual(denied)
    expect(await ask({ devices: [MINE] })).toEqual(allowed)
    expect(await ask({ devices: [OTHER] })).toEqual(denied)
  })

  it('means that no device is spoken for in an event', async () => {
    const line = `POST ${place}/events`
    expect(await outcomes('events:send', line, { name: 'e' })).toEqual(allowed)
    expect(await outcomes('events:send', line, { name: 'e', as_device_id: OTHER })).toEqual(denied)
  })

  it('means that no device is spoken for in the test of an integration', async () => {
    const line = `POST ${place}/integrations/i1/test`
    expect(await outcomes('integrations:test', line, { data: 'x' })).toEqual(allowed)
    expect(await outcomes('integrations:test', line, { device_id: OTHER })).toEqual(denied)
  })

  it.each([
    ['an import', 'POST', 'devices', 'devices:import.ids', { import_sims: true }, 'no_deed'],
    [
      'groups of many',
      'PUT',
      'devices',
      'devices:update.groups',
      { action: 'groups' },
      'invalid_body',
    ],
    [
      'a registration',
      'POST',
      'registration_code',
      'registration_codes:create',
      {},
      'invalid_body',
    ],
  ])('is refused for everybody in %s', async (_, method, path, can, body, code) => {
    expect(await outcomes(can, `${method} ${place}/${path}`, body)).toEqual([code, code])
  })

  it('is decided on by the devices that an API user says, so it has to say them', () => {
    const mistakes = (can: string) => {
      const loaded = load(userWith(`- can: ${can}`, 'description: x'), catalog)
      return loaded.ok ? [] : loaded.mistakes.map(({ message }) => message)
    }
    expect(mistakes('integrations:create')).toEqual([
      'may do integrations:create, so it must say its devices (or devices: all)',
    ])
    expect(mistakes('events:send')).toEqual([])
  })
})
