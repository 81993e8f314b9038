/** The fleet of the example: two tenants, three sites, a dozen electricity meters, the same at every start. */

export type Meter = {
  id: string
  serial: string
  site: string
  label: string
  tags: string[]
  firmware: number
  connected: boolean
  limit_watts: number
  install_code: string
  relays: Record<string, 'on' | 'off'>
}
export type Site = { id: string; tenant: string; name: string }
export type Tenant = { id: string; name: string }

export type Fleet = {
  tenants: ReadonlyMap<string, Tenant>
  sites: ReadonlyMap<string, Site>
  meters: ReadonlyMap<string, Meter>
}

const perSite = 4

export function createFleet(): Fleet {
  const tenants = [
    { id: 'harbour', name: 'Harbour Estates' },
    { id: 'valley', name: 'Valley Homes' },
  ]
  const sites = [
    { id: 's-101', tenant: 'harbour', name: 'Pier 1' },
    { id: 's-102', tenant: 'harbour', name: 'Pier 2' },
    { id: 's-201', tenant: 'valley', name: 'Mill Lane' },
  ]
  const meters = sites.flatMap((site, s) =>
    Array.from({ length: perSite }, (_, i) => meterAt(site.id, s * perSite + i)),
  )
  return { tenants: byId(tenants), sites: byId(sites), meters: byId(meters) }
}

function meterAt(site: string, index: number): Meter {
  const number = String(index + 1).padStart(6, '0')
  return {
    id: `em-0000${(index + 160).toString(16)}`,
    serial: `SN${number}`,
    site,
    label: `Meter ${index + 1}`,
    tags: [index % 2 === 0 ? 'flat' : 'shop'],
    firmware: 3 + (index % 2),
    connected: index % 4 !== 3,
    limit_watts: 3500,
    install_code: `install-${number}`,
    relays: { main: 'on', boiler: 'off' },
  }
}

function byId<T extends { id: string }>(items: readonly T[]): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [item.id, item]))
}
