/** The filters and orders of a product's device list. */
import type { Request } from 'express'
import { isTrue, listOf, textOf } from './bodies.ts'
import { isDeviceId } from './identity.ts'
import { serialNumberOf } from './payloads.ts'
import { Selections } from './selections.ts'
import type { Device, Product, World } from './state.ts'

type Query = Request['query']
type Test = (device: Device) => boolean

/** Finds the devices that a query asks for, in the order it asks for; texts match in part, as the cloud's do. */
export function deviceSelector(
  world: World,
): (product: Product, query: Query) => readonly Device[] {
  const selections = new Selections<Device>()
  return (product, query) => {
    const { page: _page, perPage: _perPage, per_page: _alsoPerPage, ...asked } = query
    const version = asked['sortAttr'] === 'lastConnection' ? world.heardVersion : world.version
    const question = `${product.id} ${JSON.stringify(asked)}`
    return selections.of(question, version, () => sorted(filtered(world, product, asked), asked))
  }
}

function filtered(world: World, product: Product, query: Query): readonly Device[] {
  const tests = testsOf(query)
  const id = textOf(query['deviceId'])
  const searched = id !== undefined && isDeviceId(id) ? among(product, world.device(id)) : undefined
  const candidates = searched ?? product.devices
  if (tests.length === 0) return candidates
  return candidates.filter((device) => tests.every((test) => test(device)))
}

/** A whole id needs no search. */
function among(product: Product, device: Device | undefined): readonly Device[] {
  return device?.productId === product.id ? [device] : []
}

function testsOf(query: Query): Test[] {
  const tests: Test[] = []
  const groups = listOf(query['groups'])
  const id = textOf(query['deviceId'])?.toLowerCase()
  const name = textOf(query['deviceName'])
  const serial = textOf(query['serialNumber'])
  if (id !== undefined) tests.push((device) => device.id.includes(id))
  if (name !== undefined) tests.push((device) => device.name.includes(name))
  if (serial !== undefined) tests.push((device) => serialNumberOf(device).includes(serial))
  if (groups.length > 0) tests.push((device) => groups.some((each) => device.groups.includes(each)))
  if (query['quarantined'] !== undefined) {
    const wanted = isTrue(query['quarantined'])
    tests.push((device) => device.quarantined === wanted)
  }
  return tests
}

const sortKeys: Readonly<Record<string, (device: Device) => string | number>> = {
  deviceId: ({ id }) => id,
  deviceName: ({ name }) => name,
  firmwareVersion: ({ firmwareVersion }) => firmwareVersion,
  lastConnection: ({ lastHeard }) => lastHeard,
}

/** Equal ones stay in the order in which they came into the product, in both directions. */
function sorted(devices: readonly Device[], query: Query): readonly Device[] {
  const key = sortKeys[textOf(query['sortAttr']) ?? '']
  if (!key) return devices
  const direction = query['sortDir'] === 'desc' ? -1 : 1
  return devices.toSorted((one, other) => {
    const [left, right] = [key(one), key(other)]
    return left === right ? 0 : left < right ? -direction : direction
  })
}
