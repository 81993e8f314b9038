/** What the demo shows: for each example API user one call that is allowed, and one that is not. */

export type DemoCall = {
  /** What happens, for people. */
  says: string
  method: string
  path: string
  body?: Readonly<Record<string, string | number | boolean>>
  /** Sent as multipart instead: a small upload under this file name. */
  upload?: { fields: Readonly<Record<string, string>>; file: string }
}

export type DemoPair = { allowed: DemoCall; denied: DemoCall }

const thermostats = '/v1/products/12345'
const trackers = '/v1/products/67890'
/** Devices of the simulated cloud, by where they stand. */
const lobby = `${thermostats}/devices/420032000e47343432313031`
const northRound = `${thermostats}/devices/e00fce68636486bf97d48e1b`
const siteSeven = `${thermostats}/devices/e00fce683828ce6a0694ceca`

/** By the names of `policies/users.yaml`. */
export const demoCalls: Readonly<Record<string, DemoPair>> = {
  'google-sheets': {
    allowed: {
      says: 'reads the name of its one device, and only the name',
      method: 'GET',
      path: lobby,
    },
    denied: { says: 'reads another device', method: 'GET', path: northRound },
  },
  'acme-dashboard': {
    allowed: {
      says: 'lists the thermostats',
      method: 'GET',
      path: `${thermostats}/devices?perPage=2`,
    },
    denied: {
      says: 'restarts one of them',
      method: 'POST',
      path: `${lobby}/reboot`,
      body: { arg: '' },
    },
  },
  'acme-technician': {
    allowed: {
      says: 'restarts a device of its round',
      method: 'POST',
      path: `${northRound}/reboot`,
      body: { arg: '' },
    },
    denied: {
      says: 'unlocks that same device',
      method: 'POST',
      path: `${northRound}/unlock`,
      body: { arg: '' },
    },
  },
  'site-7-partner': {
    allowed: {
      says: 'sets 21 degrees at its site',
      method: 'POST',
      path: `${siteSeven}/setpoint`,
      body: { arg: '21' },
    },
    denied: {
      says: 'sets 30 degrees there',
      method: 'POST',
      path: `${siteSeven}/setpoint`,
      body: { arg: '30' },
    },
  },
  'acme-fleet': {
    allowed: {
      says: 'renames a device of its organization',
      method: 'PUT',
      path: lobby,
      body: { name: 'lobby' },
    },
    denied: {
      says: 'flashes it, which a guardrail forbids',
      method: 'PUT',
      path: lobby,
      body: { flash: true },
    },
  },
  'ci-firmware': {
    allowed: {
      says: 'uploads firmware (once: the cloud takes a version only once)',
      method: 'POST',
      path: `${thermostats}/firmware`,
      upload: { fields: { version: '42', title: 'demo' }, file: 'demo.bin' },
    },
    denied: {
      says: 'releases firmware',
      method: 'PUT',
      path: `${thermostats}/firmware/release`,
      body: { version: 1, product_default: true },
    },
  },
  'globex-reader': {
    allowed: {
      says: 'lists the trackers',
      method: 'GET',
      path: `${trackers}/devices?perPage=2`,
    },
    denied: { says: 'lists the thermostats', method: 'GET', path: `${thermostats}/devices` },
  },
}

/** On the admin port, as the demo's operator. */
export const demoOperatorCalls: readonly { says: string; path: string }[] = [
  { says: 'lists the API users', path: '/api/users' },
  { says: 'sees one of them, with its token’s state', path: '/api/users/site-7-partner' },
]

/** One path asked by two: by one who sees all there is, and by one to whom there is nothing but its site. */
export type DemoSight = { says: string; path: string; live?: true; seen: readonly DemoSeen[] }
export type DemoSeen = { user: string; says: string }

export const demoSights: readonly DemoSight[] = [
  {
    says: 'One list, whole and cut to size',
    path: `${thermostats}/devices?perPage=100`,
    seen: [
      { user: 'acme-dashboard', says: 'sees the first 100 of 120 thermostats, on 2 pages' },
      { user: 'site-7-partner', says: 'sees those of site 7: one page, right totals, no address' },
    ],
  },
  {
    says: 'One live event stream, whole and cut to size (Ctrl-C ends it)',
    path: `${thermostats}/events`,
    live: true,
    seen: [
      { user: 'acme-dashboard', says: 'hears every event of the product' },
      {
        user: 'site-7-partner',
        says: 'hears the devices of site 7; the gate listens to the cloud once for both',
      },
    ],
  },
]

/** One line for a POSIX shell. Nothing in it comes from outside: no quoting can go wrong. */
export function curlLine(
  gate: string,
  token: string,
  call: Omit<DemoCall, 'says'>,
  show: 'at the end' | 'as it comes' = 'at the end',
): string {
  const parts = [show === 'as it comes' ? 'curl -sSN' : 'curl -sS']
  const isGiven = call.method === 'GET' || call.upload !== undefined
  if (!isGiven) parts.push(`-X ${call.method}`)
  parts.push(`-H 'Authorization: Bearer ${token}'`)
  if (call.body !== undefined) {
    parts.push(`-H 'Content-Type: application/json'`, `-d '${JSON.stringify(call.body)}'`)
  }
  if (call.upload !== undefined) {
    const { fields, file } = call.upload
    for (const [name, value] of Object.entries(fields)) parts.push(`-F ${name}=${value}`)
    parts.push(`-F 'file=demo;filename=${file}'`)
  }
  parts.push(`'${gate}${call.path}'`)
  return parts.join(' ')
}
