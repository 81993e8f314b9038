/** The world a simulator starts with: two organizations, three products, and as many devices as asked for. */
import { deviceIdAt, objectIdOf, roll } from './identity.ts'
import { factoryIccid } from './payloads.ts'
import { World } from './state.ts'
import type { Customer, Device, Firmware, Group, Organization, Product } from './state.ts'

export interface SeedOptions {
  /** Size of the first product's fleet. */
  devices: number
  /** Every seeded time lies at or before this one. */
  baseTime: Date
}

/** The human account behind the all-powerful token. */
export const accountName = 'fleet@acme.example'

const sites = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => `site-${number}`)
const alwaysOnline = 8
const claimedByAccount = 10

export function seedWorld({ devices, baseTime }: SeedOptions): World {
  const world = new World()
  const acme = addOrganization(world, 'acme', 'Acme Climate', 1)
  const globex = addOrganization(world, 'globex', 'Globex Logistics', 2)
  const fleets = [
    { product: addProduct(world, acme, 12345, 'thermostat-v1', 'Thermostat', 13), size: devices },
    { product: addProduct(world, acme, 12346, 'gateway-v2', 'Gateway', 12), size: 20 },
    { product: addProduct(world, globex, 67890, 'tracker-v3', 'Tracker', 26), size: 40 },
  ]
  for (const { product, size } of fleets) {
    for (const site of sites) product.groups.set(site, newGroup(site))
    for (const version of [1, 2, 3]) {
      product.firmware.set(version, seededFirmware(product, version, baseTime))
    }
    for (let number = 1; number <= 5; number += 1) {
      product.customers.push(seededCustomer(product, number))
    }
    addSeededWebhook(product, baseTime)
    for (let index = 0; index < size; index += 1) {
      const device = newDevice(product, index, baseTime)
      device.owner = ownerOf(product, index)
      device.groups = groupsAt(index)
      world.addDevice(device)
    }
  }
  for (let index = 0; index < 3; index += 1) {
    const device = newDevice(null, index, baseTime)
    device.owner = accountName
    world.addDevice(device)
  }
  return world
}

/** A device as it leaves the factory of `product`; without one it is a loose device of the account. */
export function newDevice(product: Product | null, index: number, at: Date, id?: string): Device {
  const origin = product?.id ?? 0
  const platformId = product?.platformId ?? 13
  const kind = product ? product.slug.replace(/-v\d+$/, '') : 'sandbox'
  const temperature = 18 + roll(origin, index, 1, 80) / 10
  const minutesSilent = roll(origin, index, 2, 600)
  const heard = new Date(at.getTime() - minutesSilent * 60_000).toISOString()
  return {
    id: id ?? deviceIdAt(origin, index),
    origin,
    index,
    platformId,
    iccid: factoryIccid(platformId, origin, index),
    name: `${kind}-${String(index + 1).padStart(3, '0')}`,
    productId: product?.id ?? null,
    owner: null,
    online: index < alwaysOnline || index % 10 !== 9,
    groups: [],
    notes: roll(origin, index, 3, 6) === 0 ? `Installed in room ${100 + (index % 40)}` : null,
    development: index % 50 === 49,
    quarantined: false,
    denied: false,
    firmwareVersion: 1 + roll(origin, index, 4, 3),
    desiredFirmwareVersion: null,
    firmwareUpdatesForced: false,
    simStatus: 'active',
    temperature,
    setpoint: temperature,
    battery: 40 + roll(origin, index, 5, 600) / 10,
    lastHeard: heard,
    lastHandshakeAt: heard,
  }
}

function addOrganization(world: World, slug: string, name: string, seed: number): Organization {
  const organization = { id: objectIdOf(seed, 77), slug, name }
  world.organizations.push(organization)
  return organization
}

function addProduct(
  world: World,
  organization: Organization,
  id: number,
  slug: string,
  name: string,
  platformId: number,
): Product {
  const product: Product = {
    id,
    slug,
    name,
    platformId,
    organization,
    groups: new Map(),
    firmware: new Map(),
    customers: [],
    integrations: new Map(),
    devices: [],
  }
  world.products.set(id, product)
  return product
}

/** One site each; every seventeenth device serves the next site too. */
function groupsAt(index: number): string[] {
  const site = `site-${(index % 9) + 1}`
  return index % 17 === 16 ? [site, `site-${((index + 1) % 9) + 1}`] : [site]
}

function ownerOf(product: Product, index: number): string | null {
  if (index < claimedByAccount) return accountName
  return index % 5 === 4 ? (product.customers[index % 3]?.email ?? null) : null
}

function newGroup(name: string): Group {
  return { name, color: '#00e1ff', description: `Devices at ${name}`, firmwareVersion: null }
}

function seededFirmware(product: Product, version: number, at: Date): Firmware {
  return {
    id: objectIdOf(product.id, version, 31),
    version,
    title: `${product.name} ${version}.0`,
    description: `Release ${version} of ${product.slug}`,
    mandatory: false,
    productDefault: version === 3,
    groups: [],
    name: `${product.slug}-${version}.bin`,
    binary: Buffer.alloc(1024, `${product.slug} firmware ${version} `),
    uploadedAt: new Date(at.getTime() - (10 - version) * 86_400_000).toISOString(),
  }
}

function seededCustomer(product: Product, number: number): Customer {
  const domain = `${product.organization.slug}.example`
  return {
    id: objectIdOf(product.id, number, 53),
    email: `customer-${number}.${product.id}@${domain}`,
  }
}

function addSeededWebhook(product: Product, at: Date): void {
  const id = objectIdOf(product.id, 97)
  product.integrations.set(id, {
    id,
    productId: product.id,
    createdAt: new Date(at.getTime() - 5 * 86_400_000).toISOString(),
    settings: {
      integration_type: 'Webhook',
      event: 'temperature',
      name: `${product.slug} archive`,
      url: 'https://archive.acme.example/ingest',
      requestType: 'POST',
      headers: { Authorization: 'Bearer not-a-real-secret' },
      disabled: false,
    },
  })
}
