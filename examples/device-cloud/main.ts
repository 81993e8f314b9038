/** The command line of the simulated device cloud. */
import { parseArgs } from 'node:util'
import { startDeviceCloud } from './cloud.ts'

const usage = `Usage: node examples/device-cloud/main.ts [options]

A simulated device cloud, for trying out and testing fleetgate. Nothing it holds is real.

  --port N        where to listen (8100)
  --host ADDRESS  address to listen on (127.0.0.1)
  --devices N     size of the fleet of product 12345 (120)
  --interval MS   time between events that devices publish on their own (1000)
  --no-events     devices publish only when something happens to them
  --no-record     do not keep the requests that arrive
  --token TOKEN   the all-powerful token (generated)
  --json          print one line of JSON once it listens
  --help          print this
`

const { values: flags } = parseArgs({
  options: {
    port: { type: 'string', default: '8100' },
    host: { type: 'string', default: '127.0.0.1' },
    devices: { type: 'string', default: '120' },
    interval: { type: 'string', default: '1000' },
    events: { type: 'boolean', default: true },
    record: { type: 'boolean', default: true },
    token: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
  allowNegative: true,
})

if (flags.help) process.stdout.write(usage)
else await run()

async function run(): Promise<void> {
  const cloud = await startDeviceCloud({
    port: wholeNumber('port', flags.port),
    host: flags.host,
    devices: wholeNumber('devices', flags.devices),
    eventIntervalMs: flags.events ? wholeNumber('interval', flags.interval) : 0,
    record: flags.record,
    ...(flags.token !== undefined && { token: flags.token }),
  })
  const { url, port, token } = cloud
  const line = flags.json
    ? JSON.stringify({ simulator: 'fleetgate device-cloud', url, port, token, pid: process.pid })
    : `fleetgate device-cloud (a simulator) listens on ${url}\ntoken ${token}`
  process.stdout.write(`${line}\n`)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => void cloud.close())
  }
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,7}$/.test(text)) return Number(text)
  process.stderr.write(`--${name} must be a whole number, not ${text}\n`)
  process.exit(2)
}
