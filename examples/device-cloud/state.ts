/** Everything the simulated cloud knows, as plain objects in memory, and how to find it. */
import { isDeviceId } from './identity.ts'

export interface Organization {
  readonly id: string
  readonly slug: string
  readonly name: string
}

export interface Group {
  name: string
  color: string
  description: string
  firmwareVersion: number | null
}

export interface Firmware {
  readonly id: string
  readonly version: number
  title: string
  description: string
  mandatory: boolean
  productDefault: boolean
  groups: string[]
  readonly name: string
  readonly binary: Buffer
  readonly uploadedAt: string
}

export interface Customer {
  readonly id: string
  readonly email: string
}

export interface Integration {
  readonly id: string
  readonly productId: number
  readonly createdAt: string
  settings: Record<string, unknown> & { event: string; integration_type: string }
}

export interface Product {
  readonly id: number
  readonly slug: string
  readonly name: string
  readonly platformId: number
  readonly organization: Organization
  readonly groups: Map<string, Group>
  readonly firmware: Map<number, Firmware>
  readonly customers: Customer[]
  readonly integrations: Map<string, Integration>
  devices: Device[]
}

export interface Device {
  readonly id: string
  /** The product (or 0) and the place in it under which the device was made: its made-up traits follow from these. */
  readonly origin: number
  readonly index: number
  readonly platformId: number
  /** Of the SIM card that is in it now. */
  iccid: string | null
  name: string
  productId: number | null
  owner: string | null
  online: boolean
  groups: string[]
  notes: string | null
  development: boolean
  quarantined: boolean
  denied: boolean
  firmwareVersion: number
  desiredFirmwareVersion: number | null
  firmwareUpdatesForced: boolean
  simStatus: string
  temperature: number
  setpoint: number
  battery: number
  lastHeard: string
  lastHandshakeAt: string
}

export class World {
  #version = 0
  #heard = 0
  readonly organizations: Organization[] = []
  readonly products = new Map<number, Product>()
  readonly #byId = new Map<string, Device>()
  readonly #byName = new Map<string, Device>()
  readonly #byIccid = new Map<string, Device>()

  /** Another text after every change. Times of last contact are another matter: devices report all the time. */
  get version(): string {
    return String(this.#version)
  }

  /** Another text whenever a device was heard, too. */
  get heardVersion(): string {
    return `${this.#version}.${this.#heard}`
  }

  /** Must be called by whoever changes anything but a time of last contact. */
  touch(): void {
    this.#version += 1
  }

  heard(device: Device): void {
    device.lastHeard = new Date().toISOString()
    this.#heard += 1
  }

  addDevice(device: Device): void {
    this.touch()
    this.#byId.set(device.id, device)
    this.#byName.set(device.name, device)
    if (device.iccid !== null) this.#byIccid.set(device.iccid, device)
    this.productOf(device)?.devices.push(device)
  }

  /** Into another device, whose own card (if it had one) goes back the other way. */
  moveSim(iccid: string, to: Device): boolean {
    const from = this.#byIccid.get(iccid)
    if (!from) return false
    this.touch()
    const [card, status] = [from.iccid, from.simStatus]
    ;[from.iccid, from.simStatus] = [to.iccid, to.simStatus]
    ;[to.iccid, to.simStatus] = [card, status]
    for (const device of [from, to]) {
      if (device.iccid !== null) this.#byIccid.set(device.iccid, device)
    }
    return true
  }

  rename(device: Device, name: string): void {
    this.touch()
    if (this.#byName.get(device.name) === device) this.#byName.delete(device.name)
    device.name = name
    this.#byName.set(name, device)
  }

  /** Takes a device out of its product, into another, or into none. */
  move(device: Device, product: Product | null): void {
    this.touch()
    const before = this.productOf(device)
    if (before) before.devices = before.devices.filter((other) => other !== device)
    device.productId = product?.id ?? null
    device.groups = []
    product?.devices.push(device)
  }

  devices(): IterableIterator<Device> {
    return this.#byId.values()
  }

  device(id: string): Device | undefined {
    return this.#byId.get(id.toLowerCase())
  }

  /** As the user form of a route does it: an id in any letter case, or a name. */
  deviceByIdOrName(text: string): Device | undefined {
    return (isDeviceId(text) ? this.device(text) : undefined) ?? this.#byName.get(text)
  }

  deviceByIccid(iccid: string): Device | undefined {
    return this.#byIccid.get(iccid)
  }

  productOf(device: Device): Product | undefined {
    return device.productId === null ? undefined : this.products.get(device.productId)
  }

  product(idOrSlug: string): Product | undefined {
    if (/^\d+$/.test(idOrSlug)) return this.products.get(Number(idOrSlug))
    for (const product of this.products.values()) if (product.slug === idOrSlug) return product
    return undefined
  }

  organization(idOrSlug: string): Organization | undefined {
    return this.organizations.find(({ id, slug }) => id === idOrSlug || slug === idOrSlug)
  }

  productsOf(organization: Organization): Product[] {
    return [...this.products.values()].filter((product) => product.organization === organization)
  }
}
