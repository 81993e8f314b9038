/** The simulated device cloud, driven over real sockets and by the cloud's own JavaScript client. */
import { once } from 'node:events'
import { connect } from 'node:net'
import Particle from 'particle-api-js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startDeviceCloud } from '../../examples/device-cloud/cloud.ts'
import type { DeviceCloud } from '../../examples/device-cloud/cloud.ts'

const denied = {
  error: 'Permission Denied',
  info: "I didn't recognize that device name or ID, try opening https://api.particle.io/v1/devices?access_token=undefined",
}

let cloud: DeviceCloud

beforeEach(async () => {
  cloud = await startDeviceCloud({ eventIntervalMs: 0, heartbeatIntervalMs: 50 })
})

afterEach(() => cloud.close())

interface Answer {
  status: number
  headers: Headers
  // oxlint-disable-next-line typescript/no-explicit-any -- whatever JSON the simulator sends; each use asserts what it is
  body: any
}

interface Ask {
  token?: string | null
  json?: unknown
  form?: string
  multipart?: FormData
  headers?: Record<string, string>
}

async function ask(method: string, path: string, given: Ask = {}): Promise<Answer> {
  const headers: Record<string, string> = { ...given.headers }
  const token = given.token === undefined ? cloud.token : given.token
  if (token !== null) headers['authorization'] = `Bearer ${token}`
  if (given.json !== undefined) headers['content-type'] ??= 'application/json'
  if (given.form !== undefined) headers['content-type'] = 'application/x-www-form-urlencoded'
  const body = given.multipart ?? given.form ?? (given.json && JSON.stringify(given.json))
  const response = await fetch(cloud.url + path, {
    method,
    headers,
    ...(body !== undefined && { body: body as string | FormData }),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json')
  return {
    status: response.status,
    headers: response.headers,
    body: isJson ? JSON.parse(text) : text,
  }
}

/** Opens a stream and reads until `done` holds of everything received so far. */
async function readStream(
  path: string,
  done: (text: string) => boolean,
  onOpen: () => unknown = () => {},
  token = cloud.token,
): Promise<string> {
  const abort = new AbortController()
  const headers = { authorization: `Bearer ${token}` }
  const response = await fetch(cloud.url + path, { headers, signal: abort.signal })
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  const decoder = new TextDecoder()
  let text = ''
  let opened = false
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true })
    if (!opened) {
      opened = true
      await onOpen()
    }
    if (done(text)) break
  }
  abort.abort()
  return text
}

async function sendRaw(text: string, until: (answer: string) => boolean): Promise<string> {
  const socket = connect(cloud.port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(text)
  let answer = ''
  for await (const chunk of socket) {
    answer += String(chunk)
    if (until(answer)) break
  }
  socket.destroy()
  return answer
}

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve))
}

function ids(productId: number): string[] {
  return cloud.fleet.devices(productId).map((device) => String(device['id']))
}

function idAt(index: number, productId = 12345): string {
  const id = ids(productId)[index]
  if (id === undefined) throw new Error(`no device at ${index}`)
  return id
}

describe('seed', () => {
  it('gives a device the same id whatever the size of the fleet', async () => {
    await using larger = await startDeviceCloud({ devices: 300, eventIntervalMs: 0 })
    const more = larger.fleet.devices(12345).map(({ id }) => id)
    expect(more).toHaveLength(300)
    expect(more.slice(0, 120)).toEqual(ids(12345))
    expect(new Set(more).size).toBe(300)
  })

  it('holds three products of two organizations, with sites, tricky ids and offline devices', () => {
    expect(cloud.fleet.products().map(({ id, org }) => [id, org])).toEqual([
      [12345, 'acme'],
      [12346, 'acme'],
      [67890, 'globex'],
    ])
    expect([12345, 12346, 67890].map((id) => ids(id).length)).toEqual([120, 20, 40])
    expect(ids(12345).every((id) => /^[0-9a-f]{24}$/.test(id))).toBe(true)
    expect(ids(12345)).toContain('420032000e47343432313031')
    expect(ids(12345).some((id) => /^\d+$/.test(id))).toBe(true)
    const devices = cloud.fleet.devices(12345)
    const sizes = new Set(devices.map(({ groups }) => (groups as string[]).length))
    expect(sizes).toEqual(new Set([1, 2]))
    expect(devices.slice(0, 8).every(({ online }) => online)).toBe(true)
    expect(devices.filter(({ online }) => !online)).toHaveLength(12)
  })
})

describe('authorization layer', () => {
  it('refuses a missing, an unknown and a second token with its own bodies', async () => {
    const path = '/v1/products/12345'
    const missing = await ask('GET', path, { token: null })
    expect([missing.status, missing.body]).toEqual([
      400,
      { error: 'invalid_request', error_description: 'The access token was not found' },
    ])
    const unknown = await ask('GET', path, { token: 'wrong' })
    expect([unknown.status, unknown.body]).toEqual([
      401,
      { error: 'invalid_token', error_description: 'The access token provided is invalid.' },
    ])
    expect(unknown.headers.get('cache-control')).toBe('no-store')
    expect(unknown.headers.get('access-control-allow-origin')).toBe('*')
    const both = await ask('GET', `${path}?access_token=${cloud.token}`)
    expect([both.status, both.body.error]).toEqual([400, 'invalid_request'])
    expect(both.body.error_description).toMatch(/^Only one method/)
    const basic = { authorization: 'Basic abc' }
    const malformed = await ask('GET', path, { token: null, headers: basic })
    expect([malformed.status, malformed.body.error_description]).toEqual([
      400,
      'Malformed auth header',
    ])
  })

  it('takes the token from the query, from a form, and from the first word after Bearer', async () => {
    const query = await ask('GET', `/v1/user?access_token=${cloud.token}`, { token: null })
    expect(query.status).toBe(200)
    const path = `/v1/devices/${idAt(0)}/blink`
    const form = await ask('POST', path, { token: null, form: `access_token=${cloud.token}&arg=2` })
    expect([form.status, form.body.return_value]).toEqual([200, 2])
    const twice = { authorization: `Authorization: Bearer ${cloud.token} x` }
    expect((await ask('GET', '/v1/user', { token: null, headers: twice })).status).toBe(200)
    const json = await ask('POST', path, { token: null, json: { access_token: cloud.token } })
    expect([json.status, json.body.error]).toEqual([400, 'invalid_request'])
  })

  it('answers build targets and preflights without a token', async () => {
    expect((await ask('GET', '/v1/build_targets', { token: null })).body.targets).toHaveLength(1)
    const preflight = await ask('OPTIONS', '/v1/devices', { token: null })
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([
      204,
      '*',
    ])
  })

  it('grants tokens for a password, a customer and a product client, and refuses the rest', async () => {
    const base = 'client_id=particle&client_secret=particle'
    const login = (fields: string) =>
      ask('POST', '/oauth/token', { token: null, form: `${base}&${fields}` })
    const account = 'username=fleet@acme.example'
    const person = await login(`grant_type=password&${account}&password=simulator`)
    expect(person.body).toMatchObject({ token_type: 'bearer', expires_in: 7776000 })
    const wrong = await login(`grant_type=password&${account}&password=no`)
    expect([wrong.status, wrong.body.error]).toEqual([400, 'invalid_grant'])
    const client = await ask('POST', '/oauth/token', {
      token: null,
      form: 'client_id=12346-client&client_secret=x&grant_type=client_credentials',
    })
    const ofProduct = { token: String(client.body.access_token) }
    expect((await ask('GET', '/v1/products/12346/devices', ofProduct)).status).toBe(200)
    expect((await ask('GET', '/v1/products/12345/devices', ofProduct)).status).toBe(404)
    const email = encodeURIComponent('customer-5.12345@acme.example')
    expect((await login(`grant_type=client_credentials&scope=customer=${email}`)).status).toBe(200)
    const owner = String(cloud.fleet.devices(12345)[14]?.['owner'])
    const customer = await login(`grant_type=client_credentials&scope=customer=${owner}`)
    const token = String(customer.body.access_token)
    expect((await ask('GET', `/v1/devices/${idAt(14)}`, { token })).status).toBe(200)
    expect((await ask('GET', `/v1/devices/${idAt(0)}`, { token })).status).toBe(403)
    expect((await ask('GET', '/v1/products/12345/devices', { token })).status).toBe(403)
  })
})

describe('devices', () => {
  it('pages the list of a product and names groups in the product form only', async () => {
    const first = await ask('GET', '/v1/products/thermostat-v1/devices')
    expect(first.body.devices).toHaveLength(25)
    expect(first.body.meta).toEqual({ total_pages: 5 })
    for (const size of ['perPage', 'per_page']) {
      const last = await ask('GET', `/v1/products/12345/devices?${size}=50&page=3`)
      expect(last.body.devices.map(({ id }: { id: string }) => id)).toEqual(ids(12345).slice(100))
    }
    const site = await ask('GET', '/v1/products/12345/devices?groups=site-7&perPage=500')
    expect(site.body.devices.length).toBeGreaterThan(10)
    expect(
      site.body.devices.every(({ groups }: { groups: string[] }) => groups.includes('site-7')),
    ).toBe(true)
    const own = await ask('GET', '/v1/devices')
    expect(Array.isArray(own.body)).toBe(true)
    expect(own.body[0]).toHaveProperty('mobile_secret')
    expect(own.body[0]).not.toHaveProperty('groups')
  })

  it('finds a device by id in any case and by name, the latter in the user form only', async () => {
    const id = idAt(0)
    expect((await ask('GET', `/v1/devices/${id.toUpperCase()}`)).body.id).toBe(id)
    expect((await ask('GET', '/v1/devices/thermostat-001')).body.id).toBe(id)
    const refusals = [
      '/v1/products/12345/devices/thermostat-001',
      `/v1/products/12346/devices/${id}`,
      '/v1/devices/ffffffffffffffffffffffff',
    ]
    for (const path of refusals) {
      const { status, body } = await ask('GET', path)
      expect([status, body]).toEqual([403, denied])
    }
    const product = await ask('GET', '/v1/products/nowhere/devices')
    expect([product.status, product.body]).toEqual([
      404,
      { ok: false, error: 'Product not found.' },
    ])
  })

  it('calls functions with arg or args, in JSON or a form, and shows the effect', async () => {
    const path = `/v1/products/12345/devices/${idAt(1)}`
    const call = await ask('POST', `${path}/setpoint`, { json: { args: '23.5' } })
    expect(call.body).toEqual({
      id: idAt(1),
      name: 'thermostat-002',
      connected: true,
      return_value: 24,
    })
    expect((await ask('GET', `${path}/temperature`)).body).toMatchObject({
      name: 'temperature',
      result: 23.5,
      coreInfo: { deviceID: idAt(1), connected: true },
    })
    await ask('POST', `${path}/setpoint`, { form: 'arg=19' })
    expect((await ask('GET', `${path}/temperature?format=raw`)).body).toBe(19)
    const raw = await ask('POST', `${path}/blink`, { json: { arg: '3', format: 'raw' } })
    expect(raw.body).toBe(3)
    const unknown = await ask('POST', `${path}/explode`, { json: { arg: '' } })
    expect([unknown.status, unknown.body]).toEqual([
      404,
      { ok: false, error: 'Function explode not found' },
    ])
    const variable = await ask('GET', `${path}/humidity`)
    expect([variable.status, variable.body]).toEqual([
      404,
      { ok: false, error: 'Variable not found' },
    ])
  })

  it('answers for an offline device with 400, 408, and a ping of 200', async () => {
    const path = `/v1/devices/${idAt(9)}`
    const called = await ask('POST', `${path}/reboot`, { json: {} })
    expect([called.status, called.body]).toEqual([400, { ok: false, error: 'Timed out.' }])
    const read = await ask('GET', `${path}/battery`)
    expect([read.status, read.body]).toEqual([408, { error: 'Timed out.' }])
    const ping = await ask('PUT', `${path}/ping`)
    expect([ping.status, ping.body]).toEqual([200, { online: false, ok: true }])
    const signal = await ask('PUT', path, { json: { signal: '1' } })
    expect([signal.status, signal.body.ok]).toEqual([200, false])
  })

  it('applies each deed of an update, the ones of a product in the product form only', async () => {
    const user = `/v1/devices/${idAt(2)}`
    const product = `/v1/products/12345/devices/${idAt(2)}`
    const named = await ask('PUT', user, { json: { name: 'hall' } })
    expect(named.body).toMatchObject({ id: idAt(2), name: 'hall' })
    expect(named.body.updated_at).toMatch(/Z$/)
    const deeds = {
      notes: 'by the door',
      groups: ['site-1', 'site-9'],
      development: true,
      firmware_updates_forced: true,
      desired_firmware_version: 2,
    }
    expect((await ask('PUT', product, { json: { ...deeds, flash: true } })).body).toMatchObject(
      deeds,
    )
    const changed = { ...deeds, name: 'hall', firmware_version: 2 }
    expect(cloud.fleet.device(idAt(2))).toMatchObject(changed)
    expect((await ask('PUT', user, { json: { groups: ['site-2'] } })).status).toBe(400)
    const groups = await ask('PUT', product, { form: 'groups[]=site-3&groups[]=site-4' })
    expect(groups.body.groups).toEqual(['site-3', 'site-4'])
    const signal = await ask('PUT', user, { json: { signal: 1 } })
    expect(signal.body).toEqual({ id: idAt(2), connected: true, signaling: true })
    const multipart = new FormData()
    multipart.append('file', new Blob(['code']), 'app.ino')
    const flashed = await ask('PUT', user, { multipart })
    expect([flashed.status, flashed.body.ok]).toEqual([200, true])
  })

  it('assigns groups in batches, imports, denies, removes and releases', async () => {
    const list = '/v1/products/12345/devices'
    const batch = {
      action: 'groups',
      devices: [idAt(3), idAt(4)],
      metadata: { add: ['site-9'], remove: ['site-4'] },
    }
    expect((await ask('PUT', list, { json: batch })).body).toEqual({ ok: true })
    expect(cloud.fleet.device(idAt(3))).toMatchObject({ groups: ['site-9'] })
    const foreign = { ...batch, devices: [idAt(5), idAt(0, 12346)] }
    expect((await ask('PUT', list, { json: foreign })).body).toEqual(denied)
    expect(cloud.fleet.device(idAt(5))).toMatchObject({ groups: ['site-6'] })

    const fresh = 'ABCDEF0123456789abcdef01'
    const asked = [fresh, idAt(0), idAt(0, 12346), 'no-id']
    expect((await ask('POST', list, { json: { ids: asked } })).body).toEqual({
      updated: 1,
      updatedDeviceIds: [fresh.toLowerCase()],
      existingDeviceIds: [idAt(0)],
      nonmemberDeviceIds: [idAt(0, 12346)],
      invalidDeviceIds: ['no-id'],
      protectedDeviceIds: [],
    })
    expect((await ask('DELETE', `${list}/${idAt(6)}`, { json: { deny: true } })).status).toBe(204)
    expect(cloud.fleet.device(idAt(6))).toMatchObject({ denied: true, product_id: 12345 })
    expect((await ask('DELETE', `${list}/${fresh}`)).status).toBe(204)
    expect((await ask('GET', `${list}/${fresh}`)).status).toBe(403)
    expect((await ask('DELETE', `${list}/${idAt(0)}/owner`)).body).toEqual({ ok: true })
    expect(cloud.fleet.device(idAt(0))).toMatchObject({ owner: null })
  })
})

describe('lists of a large fleet', () => {
  const devices = '/v1/products/12345/devices'
  const idsOf = ({ body }: Answer) => body.devices.map(({ id }: { id: string }) => id)

  it('cut a larger page down to 100, and count pages by that', async () => {
    for (const size of ['perPage', 'per_page']) {
      const page = await ask('GET', `${devices}?${size}=5000`)
      expect([page.body.devices.length, page.body.meta]).toEqual([100, { total_pages: 2 }])
    }
    const both = await ask('GET', `${devices}?per_page=7&perPage=30`)
    expect(both.body.devices).toHaveLength(30)
    const nothing = await ask('GET', `${devices}?deviceName=nowhere`)
    expect(nothing.body).toEqual({ devices: [], customers: [], meta: { total_pages: 0 } })
    const sims = await ask('GET', '/v1/products/12345/sims?per_page=500')
    expect([sims.body.sims.length, sims.body.meta]).toEqual([100, { total_pages: 2 }])
  })

  it('filter by parts of texts and by any of several groups', async () => {
    const [id] = ids(12345)
    expect(
      idsOf(await ask('GET', `${devices}?deviceId=${id?.slice(4, 20).toUpperCase()}`)),
    ).toEqual([id])
    expect(idsOf(await ask('GET', `${devices}?deviceId=${id?.toUpperCase()}`))).toEqual([id])
    expect(idsOf(await ask('GET', `${devices}?deviceId=${idAt(0, 12346)}`))).toEqual([])
    expect(idsOf(await ask('GET', `${devices}?deviceName=stat-00&perPage=100`))).toHaveLength(9)
    const serial = String(cloud.fleet.devices(12345)[4]?.['serial_number'])
    expect(idsOf(await ask('GET', `${devices}?serialNumber=${serial.slice(3)}`))).toEqual([idAt(4)])
    const found = await ask('GET', `${devices}?groups=site-7,site-8&perPage=100`)
    const wanted = cloud.fleet
      .devices(12345)
      .filter(({ groups }) =>
        ['site-7', 'site-8'].some((site) => (groups as string[]).includes(site)),
      )
    expect(idsOf(found)).toEqual(wanted.map((device) => device['id']))
  })

  it('sort stably in both directions, and see every change at once', async () => {
    const asked = `${devices}?sortAttr=firmwareVersion&sortDir=desc&perPage=100`
    const first = await ask('GET', asked)
    const versions = first.body.devices.map(
      (device: Record<string, unknown>) => device['firmware_version'],
    )
    expect(versions).toEqual(versions.toSorted((a: number, b: number) => b - a))
    const top = idsOf(first).filter((_: string, at: number) => versions[at] === versions[0])
    expect(top).toEqual(ids(12345).filter((id) => top.includes(id)))
    cloud.setDevice(idAt(119), { firmware_version: 99 })
    expect(idsOf(await ask('GET', asked))[0]).toBe(idAt(119))
    await ask('PUT', `${devices}/${idAt(118)}`, { json: { name: 'aaa' } })
    expect(idsOf(await ask('GET', `${devices}?sortAttr=deviceName`))[0]).toBe(idAt(118))
    cloud.publish(idAt(117), 'heard', null)
    const heard = await ask('GET', `${devices}?sortAttr=lastConnection&sortDir=desc`)
    expect(idsOf(heard)[0]).toBe(idAt(117))
  })

  it('name the customers of the devices on the page, and no others', async () => {
    const { body } = await ask('GET', `${devices}?perPage=15&page=1`)
    const owners = new Set(body.devices.map(({ owner }: { owner: string }) => owner))
    const named = body.customers.map(({ username }: { username: string }) => username)
    expect(named.length).toBeGreaterThan(0)
    expect(named.every((name: string) => owners.has(name))).toBe(true)
    expect((await ask('GET', `${devices}?perPage=4`)).body.customers).toEqual([])
  })

  it('give a ledger of devices an instance for each of some hundreds', async () => {
    await using larger = await startDeviceCloud({ devices: 1000, eventIntervalMs: 0 })
    const headers = { authorization: `Bearer ${larger.token}` }
    const path = '/v1/products/12345/ledgers/device-config/instances?page=5'
    const answer = await fetch(larger.url + path, { headers })
    const { instances, meta } = JSON.parse(await answer.text())
    expect(meta).toEqual({ page: 5, per_page: 100, total_pages: 5, total: 500 })
    const last = larger.fleet.devices(12345)[499]?.['id']
    expect(instances.at(-1).scope).toEqual({ type: 'Device', value: last })
    const ofDevices = await ask('GET', '/v1/products/12345/ledgers?scope=Device')
    expect(ofDevices.body.ledgers.map(({ name }: { name: string }) => name)).toEqual([
      'device-config',
    ])
  })

  it('takes a file of ids, one a line', async () => {
    const multipart = new FormData()
    const fresh = ['abcdef0123456789abcdef11', 'abcdef0123456789abcdef12']
    multipart.append('file', new Blob([`${fresh[0]}\r\n\n ${fresh[1]}\nno id\n`]), 'ids.txt')
    const { body } = await ask('POST', devices, { multipart })
    expect([body.updatedDeviceIds, body.invalidDeviceIds]).toEqual([fresh, ['no id']])
    expect(ids(12345).slice(-2)).toEqual(fresh)
  })
})

describe('product routes', () => {
  it('creates, renames and deletes groups, and devices follow', async () => {
    const all = '/v1/products/12345/groups'
    const created = await ask('POST', all, { json: { name: 'lab', color: '#fff' } })
    expect([created.status, created.body.group.name]).toEqual([201, 'lab'])
    await ask('PUT', `${all}/site-1`, { json: { name: 'hq' } })
    expect(cloud.fleet.device(idAt(0))).toMatchObject({ groups: ['hq'] })
    expect((await ask('GET', `${all}/hq`)).body.group.device_count).toBeGreaterThan(10)
    expect((await ask('DELETE', `${all}/hq`)).status).toBe(204)
    expect(cloud.fleet.device(idAt(0))).toMatchObject({ groups: [] })
    const left = (await ask('GET', all)).body.groups.map(({ name }: { name: string }) => name)
    expect(left).toEqual([2, 3, 4, 5, 6, 7, 8, 9].map((n) => `site-${n}`).concat('lab'))
  })

  it('uploads, releases, updates, downloads and deletes firmware', async () => {
    const all = '/v1/products/12345/firmware'
    const multipart = new FormData()
    multipart.append('binary', new Blob([Buffer.from([0, 13, 10, 45, 45, 255])]), 'v9.bin')
    multipart.append('version', '9')
    multipart.append('title', 'Nine')
    const uploaded = await ask('POST', all, { multipart })
    expect([uploaded.status, uploaded.body.version, uploaded.body.size]).toEqual([201, 9, 6])
    expect((await ask('GET', all)).body).toHaveLength(4)
    const renamed = await ask('PUT', `${all}/9`, { json: { title: 'IX', mandatory: true } })
    expect(renamed.body).toMatchObject({ title: 'IX', mandatory: true })
    const download = await fetch(`${cloud.url}${all}/9/binary?access_token=${cloud.token}`)
    expect([...new Uint8Array(await download.arrayBuffer())]).toEqual([0, 13, 10, 45, 45, 255])
    const release = { version: 9, groups: ['site-1'], intelligent: true }
    expect((await ask('PUT', `${all}/release`, { json: release })).body.groups).toEqual(['site-1'])
    expect(cloud.fleet.device(idAt(0))).toMatchObject({ firmware_version: 9 })
    expect((await ask('DELETE', `${all}/9`)).status).toBe(400)
    expect((await ask('DELETE', `${all}/2`)).status).toBe(204)
    expect((await ask('GET', `${all}/2`)).status).toBe(404)
  })

  it('lists organizations and products by id and slug', async () => {
    const { body } = await ask('GET', '/v1/orgs')
    const acme = body.organizations[0]
    expect(acme).toMatchObject({ slug: 'acme' })
    expect((await ask('GET', `/v1/orgs/${acme.id}`)).body.organization.slug).toBe('acme')
    expect((await ask('GET', '/v1/orgs/acme/products')).body.products).toHaveLength(2)
    for (const path of ['/v1/user/products', '/v1/products']) {
      expect((await ask('GET', path)).body.products).toHaveLength(3)
    }
    const one = await ask('GET', '/v1/products/tracker-v3')
    expect(one.body.product).toMatchObject({ id: 67890, slug: 'tracker-v3', org: 'globex' })
    expect(one.body.product.organization_id).toBe(body.organizations[1].id)
  })

  it('answers for sims, diagnostics, locations, configuration, customers, hooks, ledgers', async () => {
    const of = '/v1/products/12345'
    const sims = await ask('GET', `${of}/sims?per_page=2`)
    expect([sims.body.sims.length, sims.body.meta.total_pages]).toEqual([2, 60])
    const sim = `${of}/sims/${sims.body.sims[0].iccid}`
    expect((await ask('GET', sim)).body.last_device_id).toBe(idAt(0))
    expect((await ask('GET', `${sim}/status`)).status).toBe(202)
    expect((await ask('GET', `${sim}/status`)).body.meta.state).toBe('complete')
    expect((await ask('GET', `${sim}/data_usage`)).body.usage_by_day).toHaveLength(3)
    expect((await ask('GET', `${of}/sims/data_usage`)).body.usage_by_day).toHaveLength(3)
    const vitals = await ask('GET', `${of}/diagnostics/${idAt(0)}/last`)
    expect(vitals.body.diagnostics.device_id).toBe(idAt(0))
    expect((await ask('POST', `${of}/diagnostics/${idAt(0)}/update`)).status).toBe(202)
    const places = await ask('GET', `${of}/locations`)
    expect(places.body.meta).toMatchObject({ page: 1, per_page: 20, devices_found: 120 })
    expect((await ask('PUT', `${of}/config`, { json: { a: {} } })).status).toBe(202)
    const configured = await ask('GET', `${of}/config`)
    expect(configured.body.configuration.current).toEqual({ a: {} })
    expect((await ask('GET', `${of}/customers`)).body.customers).toHaveLength(5)
    expect((await ask('GET', `${of}/integrations`)).body).toHaveLength(1)
    expect((await ask('GET', `${of}/webhooks`)).body).toHaveLength(1)
    expect((await ask('GET', `${of}/ledgers`)).body.meta.total).toBe(2)
    const instance = `${of}/ledgers/device-config/instances/${idAt(0)}`
    const set = await ask('PUT', instance, { json: { instance: { data: { a: 1 } } } })
    expect([set.status, (await ask('GET', instance)).body.instance.data]).toEqual([201, { a: 1 }])
  })
})

describe('API users', () => {
  it('get a token that obeys scopes and the product, and dies when replaced', async () => {
    const team = '/v1/products/12345/team'
    const created = await ask('POST', team, {
      json: { friendly_name: 'Night Shift', scopes: ['devices:list', 'devices:get'] },
    })
    const { username, tokens } = created.body.created
    expect(username).toMatch(/^night-shift\+[a-z0-9]{10}@api\.particle\.io$/)
    const token = String(tokens[0].token)
    const list = '/v1/products/12345/devices'
    expect((await ask('GET', list, { token })).status).toBe(200)
    const ping = await ask('PUT', `${list}/${idAt(0)}/ping`, { token })
    expect([ping.status, ping.body.error]).toEqual([400, 'invalid_scope'])
    expect((await ask('GET', '/v1/products/12346/devices', { token })).status).toBe(404)
    expect((await ask('GET', `/v1/devices/${idAt(0, 12346)}`, { token })).body).toEqual(denied)
    const user = await ask('GET', '/v1/user', { token })
    expect([user.status, user.body.error]).toEqual([403, 'unauthorized'])
    const current = await ask('GET', '/v1/access_tokens/current', { token })
    expect(current.body).toMatchObject({
      expires_at: null,
      scopes: ['devices:list', 'devices:get'],
    })

    for (const path of [team, '/v1/orgs/acme/team']) {
      expect((await ask('GET', path)).body.team).toContainEqual({
        username,
        friendly_name: 'Night Shift',
        scopes: ['devices:list', 'devices:get'],
        is_programmatic: true,
        product_id: 12345,
      })
    }
    const one = `${team}/${username}`
    const updated = await ask('PUT', one, { json: { scopes: ['devices:ping'] } })
    const second = String(updated.body.updated.tokens[0].token)
    expect((await ask('GET', list, { token })).status).toBe(401)
    expect((await ask('PUT', `${list}/${idAt(0)}/ping`, { token: second })).status).toBe(200)
    const third = String((await ask('PUT', `${one}/token`)).body.updated.tokens[0].token)
    expect((await ask('GET', list, { token: second })).status).toBe(401)
    expect((await ask('DELETE', one)).body).toEqual({ ok: true })
    expect((await ask('GET', list, { token: third })).status).toBe(401)
  })

  it('lose their open streams with their token', async () => {
    const scopes = ['events:get']
    const json = { friendly_name: 'listener', scopes }
    const created = await ask('POST', '/v1/products/12345/team', { json })
    const { username, tokens } = created.body.created
    const text = await readStream(
      '/v1/products/12345/events',
      () => false,
      () => ask('DELETE', `/v1/products/12345/team/${username}`),
      tokens[0].token,
    )
    expect(text.startsWith(':ok\n\n')).toBe(true)
  })
})

describe('event streams', () => {
  it('begin with :ok, carry frames, and are kept alive by single line breaks', async () => {
    const text = await readStream(
      '/v1/products/12345/events/door%2Fopen',
      (seen) => seen.includes('event:') && seen.endsWith('}\n\n\n'),
      () => {
        cloud.publish(idAt(0), 'other', 'no')
        cloud.publish(idAt(0), 'door/opened', 'yes')
      },
    )
    expect(text).not.toContain('event: other')
    const frame = /^:ok\n\n\n*event: door\/opened\ndata: (\{.*\})\n\n\n$/.exec(text)
    expect(JSON.parse(frame?.[1] ?? 'null')).toEqual({
      data: 'yes',
      ttl: '60',
      published_at: expect.stringMatching(/Z$/),
      coreid: idAt(0),
    })
  })

  it.each([
    ['/v1/products/12345/events', 3],
    ['/v1/products/thermostat-v1/devices/{id}/events', 1],
    ['/v1/devices/{id}/events', 1],
    ['/v1/devices/thermostat-001/events/x', 1],
    ['/v1/devices/events', 2],
    ['/v1/events/x', 2],
    ['/v1/orgs/acme/events', 3],
    ['/v1/orgs/acme/products/12345/events', 3],
    ['/v1/orgs/acme/devices/{id}/events', 1],
  ])('%s carries its own events only', async (path, wanted) => {
    const names = /^event: x\/\d$/gm
    const text = await readStream(
      path.replace('{id}', idAt(0)),
      (seen) => seen.includes('event: x/last'),
      async () => {
        cloud.publish(idAt(0), 'x/1', null) //           claimed by the account
        cloud.publish(idAt(20), 'x/2', 'a') //           same product, claimed by nobody
        cloud.publish(idAt(20, 67890), 'x/3', 'b') //    another organization
        await ask('POST', '/v1/products/12345/events', { json: { name: 'x/4', data: 'c' } })
        await ask('POST', '/v1/devices/events', { json: { name: 'x/5', data: 'd' } })
        cloud.publish(idAt(0), 'x/last', null)
      },
    )
    expect(text.match(names)).toHaveLength(wanted)
  })

  it('tell of webhooks with the coreid of the cloud, and of publishes as the device they name', async () => {
    const as_device_id = idAt(4)
    const json = { name: 'temperature', data: '21', as_device_id }
    const text = await readStream(
      '/v1/products/12345/events',
      (seen) => seen.includes('hook-response/temperature/0'),
      () => ask('POST', '/v1/products/12345/events', { json }),
    )
    expect(text).toContain(`"coreid":"${idAt(4)}"`)
    expect(text).toMatch(/event: hook-sent\/temperature\ndata: .*"coreid":"particle-internal"/)
  })

  it('need a prefix on the public stream', async () => {
    const { status, body } = await ask('GET', '/v1/events')
    expect([status, body]).toEqual([400, { ok: false, error: 'event prefix filter is required' }])
  })

  it('carry what devices publish on their own', async () => {
    await cloud.close()
    cloud = await startDeviceCloud({ eventIntervalMs: 5 })
    const text = await readStream('/v1/products/12345/events/temperature', (seen) =>
      seen.includes('event: temperature'),
    )
    expect(text).toMatch(/"data":"\d+\.\d"/)
  })
})

describe('recorder', () => {
  it('keeps the exact bytes of pipelined, sized and chunked requests apart', async () => {
    const first = 'GET /v1/user?a=%20 HTTP/1.1\r\nHost: x\r\nX-ODD:  Spaced \r\n\r\n'
    const simulator = 'GET /_simulator/connections HTTP/1.1\r\nHost: x\r\n\r\n'
    const head = 'POST /v1/devices/events HTTP/1.1\r\nHost: x\r\n'
    const second = `${head}Content-Type: application/json\r\nContent-Length: 4\r\n\r\n`
    const third = `${head}Transfer-Encoding: chunked\r\n\r\n`
    const chunks = '3;q=1\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n'
    const last = 'GET /v1/last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
    await sendRaw(`${first}${simulator}${second}null${third}${chunks}${last}`, () => false)
    const seen = cloud.requests()
    expect(seen.map(({ rawHead }) => rawHead)).toEqual([first, second, third, last])
    expect(seen[0]).toMatchObject({ method: 'GET', url: '/v1/user?a=%20', rawBodyLength: 0 })
    expect(seen[0]?.headers).toEqual([
      ['Host', 'x'],
      ['X-ODD', 'Spaced'],
    ])
    expect(Buffer.from(seen[1]?.rawBody ?? '', 'base64').toString()).toBe('null')
    expect(Buffer.from(seen[2]?.rawBody ?? '', 'base64').toString()).toBe(chunks)
    expect(Buffer.from(seen[2]?.body ?? '', 'base64').toString()).toBe('abcde')
    expect(seen.every(({ complete }) => complete)).toBe(true)
  })

  it('cuts long bodies and still gives their length and hash', async () => {
    const data = 'y'.repeat(100_000)
    await ask('POST', '/v1/devices/events', { json: { name: 'long', data } })
    const [request] = (await ask('GET', '/_simulator/requests', { token: null })).body
    expect(request.rawBodyLength).toBe(100_000 + '{"name":"long","data":""}'.length)
    expect(Buffer.from(request.rawBody, 'base64')).toHaveLength(64 * 1024)
    expect(request.rawBodySha256).toMatch(/^[0-9a-f]{64}$/)
    expect((await ask('DELETE', '/_simulator/requests', { token: null })).status).toBe(204)
    expect(cloud.requests()).toEqual([])
  })

  it('keeps a request that never ended, and nothing at all when switched off', async () => {
    const partial = 'GET /v1/user HTTP/1.1\r\nHost: x\r\nX-Cut'
    const socket = connect(cloud.port, '127.0.0.1')
    socket.end(partial)
    await until(() => cloud.requests().length > 0)
    expect(cloud.requests()[0]).toMatchObject({ rawHead: partial, complete: false })
    socket.destroy()
    await cloud.close()
    cloud = await startDeviceCloud({ eventIntervalMs: 0, record: false })
    await ask('GET', '/v1/user')
    expect(cloud.requests()).toEqual([])
  })
})

describe('controls', () => {
  it('set attributes, publish, and count open streams', async () => {
    const path = `/_simulator/devices/${idAt(0)}`
    const json = { online: false, groups: ['site-5'] }
    const changed = await ask('POST', path, { token: null, json })
    expect(changed.body).toMatchObject(json)
    expect((await ask('POST', path, { token: null, json: { colour: 1 } })).status).toBe(400)
    await readStream(
      '/v1/products/12345/events',
      (seen) => seen.includes('event: said'),
      async () => {
        const { body } = await ask('GET', '/_simulator/connections', { token: null })
        expect(body).toMatchObject({ streams: 1 })
        const event = { device: 'thermostat-001', name: 'said', data: 'hi' }
        await ask('POST', '/_simulator/publish', { token: null, json: event })
      },
    )
    await until(async () => (await cloud.connections()).streams === 0)
  })

  it('move SIM cards between devices', async () => {
    const [card, other] = [0, 1].map((at) => String(cloud.fleet.devices(12345)[at]?.['iccid']))
    const holder = async (iccid = '') =>
      (await ask('GET', `/v1/products/12345/sims/${iccid}`)).body.last_device_id
    expect(await holder(card)).toBe(idAt(0))
    cloud.moveSim(card ?? '', idAt(1))
    expect([await holder(card), await holder(other)]).toEqual([idAt(1), idAt(0)])
    expect(cloud.fleet.device(idAt(1))).toMatchObject({ iccid: card })
    expect(() => cloud.moveSim('1', idAt(1))).toThrow('no such SIM')
  })

  it('count requests by path, recorded or not, and the most streams there were', async () => {
    await cloud.close()
    cloud = await startDeviceCloud({ eventIntervalMs: 0, record: false })
    for (const page of [1, 2]) await ask('GET', `/v1/products/12345/devices?page=${page}`)
    await ask('GET', '/v1/user')
    const counts = { 'GET /v1/products/12345/devices': 2, 'GET /v1/user': 1 }
    expect(cloud.counts()).toEqual(counts)
    expect((await ask('GET', '/_simulator/counts', { token: null })).body).toEqual(counts)
    cloud.clear()
    expect(cloud.counts()).toEqual({})
    const open = () => readStream('/v1/products/12345/events', (seen) => seen.includes(':ok'))
    await Promise.all([open(), open()])
    await until(async () => (await cloud.connections()).streams === 0)
    expect((await cloud.connections()).mostStreams).toBeGreaterThan(0)
  })

  it('publish many at once, each to the streams that want it, in their order', async () => {
    const events = [0, 20, 0, 21].map((at, n) => ({
      device: idAt(at),
      name: `many/${n}`,
      data: String(n),
    }))
    const text = await readStream(
      `/v1/products/12345/devices/${idAt(0)}/events`,
      (seen) => seen.includes('many/2'),
      () => cloud.publishMany(events),
    )
    expect(text.match(/^event: .*$/gm)).toEqual(['event: many/0', 'event: many/2'])
  })

  it('make the next answers odd, byte for byte, and only as many as were asked for', async () => {
    const path = '/v1/products/12345/devices'
    const when = ({ url }: { url: string }) => url.startsWith(path)
    const html = { status: 200, headers: { 'content-type': 'text/html' }, body: '<p>busy</p>' }
    cloud.fault({ when, answer: html, times: 2 })
    const first = await ask('GET', path)
    expect([first.headers.get('content-type'), first.body]).toEqual(['text/html', '<p>busy</p>'])
    expect((await ask('GET', '/v1/user')).status).toBe(200)
    expect((await ask('GET', `${path}?page=2`)).body).toBe('<p>busy</p>')
    const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n'
    cloud.fault({ when, bytes: `${head}Content-Length: 900\r\n\r\n{"devices":[`, ending: 'close' })
    await expect(ask('GET', path)).rejects.toThrow('terminated')
    cloud.fault({ when, bytes: '', ending: 'reset' })
    await expect(ask('GET', path)).rejects.toThrow('fetch failed')
    expect((await ask('GET', path)).body.devices).toHaveLength(25)
  })
})

describe('particle-api-js', () => {
  it('works with the simulator unmodified', async () => {
    const particle = new Particle({ baseUrl: cloud.url, auth: cloud.token })
    const product = '12345'
    const deviceId = idAt(0)
    const listed = await particle.listDevices({ product, perPage: 7, page: 2 })
    expect((listed.body as unknown as { devices: unknown[] }).devices).toHaveLength(7)
    expect((await particle.getDevice({ deviceId, product })).body.name).toBe('thermostat-001')
    const call = { deviceId, product, name: 'setpoint', argument: '21' }
    expect((await particle.callFunction(call)).body.return_value).toBe(21)
    const read = await particle.getVariable({ deviceId, product, name: 'temperature' })
    expect(read.body.result).toBe(21)
    const uploaded = await particle.uploadProductFirmware({
      product,
      version: 7,
      title: 'Seven',
      description: 'from a client',
      file: Buffer.from('binary'),
    })
    expect(uploaded.statusCode).toBe(201)
    expect(uploaded.body).toMatchObject({ version: 7, title: 'Seven', size: 6 })
    const binary = await particle.downloadProductFirmware({ product, version: 7 })
    expect(binary).toEqual(Buffer.from('binary'))
    const removed = await particle.removeDevice({ deviceId: idAt(5), product })
    expect(removed.statusCode).toBe(204)
  })

  it('receives what it publishes', async () => {
    const particle = new Particle({ baseUrl: cloud.url, auth: cloud.token })
    const product = '12345'
    const stream = await particle.getEventStream({ product, name: 'te mp/x' })
    const heard = once(stream, 'event')
    const sent = { product, name: 'te mp/x', data: '{"a":1}', isPrivate: true }
    expect((await particle.publishEvent(sent)).body.ok).toBe(true)
    const [event] = await heard
    expect(event).toMatchObject({ name: 'te mp/x', data: '{"a":1}', coreid: 'api' })
    stream.abort()
  })

  it('is told why it was refused', async () => {
    const particle = new Particle({ baseUrl: cloud.url, auth: 'wrong' })
    const refused = particle.getDevice({ deviceId: idAt(0), product: '12345' })
    await expect(refused).rejects.toMatchObject({
      statusCode: 401,
      shortErrorDescription: 'The access token provided is invalid.',
    })
    await expect(particle.getEventStream({ product: '12345' })).rejects.toMatchObject({
      statusCode: 401,
      errorDescription: expect.stringContaining('The access token provided is invalid.'),
    })
  })
})
