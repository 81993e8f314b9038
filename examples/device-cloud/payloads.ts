/** What devices, products and organizations look like on the wire. */
import { hex, mix, roll } from './identity.ts'
import type { Device, Organization, Product, World } from './state.ts'

export const functionNames = ['reboot', 'blink', 'unlock', 'setpoint']
export const variableTypes: Readonly<Record<string, string>> = {
  temperature: 'double',
  battery: 'double',
}

const cellularPlatforms = new Set([10, 13, 23, 25, 26])
const osVersion = '6.3.2'

export type Payload = Record<string, unknown>
export type DeviceForm = 'user' | 'product'

export function devicePayload(device: Device, form: DeviceForm): Payload {
  const { origin, index, iccid } = device
  return {
    id: device.id,
    name: device.name,
    owner: device.owner,
    last_ip_address: `203.0.113.${1 + roll(origin, index, 6, 254)}`,
    last_heard: device.lastHeard,
    last_handshake_at: device.lastHandshakeAt,
    last_app: null,
    product_id: device.productId ?? device.platformId,
    online: device.online,
    connected: device.online,
    platform_id: device.platformId,
    cellular: cellularPlatforms.has(device.platformId),
    iccid,
    last_iccid: iccid,
    imei: iccid === null ? null : `3527530${String(roll(origin, index, 7, 1e8)).padStart(8, '0')}`,
    serial_number: serialNumberOf(device),
    mobile_secret: `${hex(mix(index ^ mix(origin + 8)))}${hex(mix(index ^ mix(origin + 9)), 7)}`,
    notes: device.notes,
    functions: functionNames,
    variables: variableTypes,
    status: 'normal',
    system_firmware_version: osVersion,
    firmware_product_id: device.productId ?? device.platformId,
    firmware_version: device.firmwareVersion,
    desired_firmware_version: device.desiredFirmwareVersion,
    targeted_firmware_release_version: null,
    firmware_updates_enabled: true,
    firmware_updates_forced: device.firmwareUpdatesForced,
    ...(form === 'product' && { groups: [...device.groups] }),
    development: device.development,
    quarantined: device.quarantined,
    denied: device.denied,
  }
}

/** Of the card a device leaves the factory with; none where its platform has no radio for it. */
export function factoryIccid(platformId: number, origin: number, index: number): string | null {
  if (!cellularPlatforms.has(platformId)) return null
  return `89014103${String(origin).padStart(5, '0')}${String(index).padStart(6, '0')}`
}

export function serialNumberOf({ origin, index }: Device): string {
  return `P${String(origin).padStart(5, '0')}${String(index).padStart(9, '0')}`
}

export function productPayload(product: Product): Payload {
  const { organization } = product
  return {
    id: product.id,
    platform_id: product.platformId,
    name: product.name,
    slug: product.slug,
    description: `${product.name} devices of ${organization.name}`,
    type: 'Consumer',
    hardware_version: 'v1.0',
    org: organization.slug,
    organization: organization.id,
    organization_id: organization.id,
    latest_firmware_version: Math.max(0, ...product.firmware.keys()),
    device_count: product.devices.length,
    groups: [...product.groups.keys()],
    settings: { location: {}, known_application: { opt_in: true }, quarantine: true },
    device_protection: 'none',
  }
}

export function organizationPayload(organization: Organization, world: World): Payload {
  return {
    id: organization.id,
    slug: organization.slug,
    name: organization.name,
    product_count: world.productsOf(organization).length,
  }
}
