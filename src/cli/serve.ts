/** `fleetgate serve`: the gate, until it is told to stop. */

import type { Command } from 'commander'
import { giveBackMemory } from '../lib/give-back.ts'
import { createLog } from '../lib/log.ts'
import { type ConfigOption, openConfig, withConfig } from './config-file.ts'
import { type Io, stopSignal } from './io.ts'

const help = `
The gate starts with all of its files in order or not at all. Its own log goes to standard error, one JSON line per message.
  SIGHUP           reloads the policy files; a change to them does so anyway
  SIGTERM, SIGINT  stop: requests under way end first, last uses are written

Examples:
  fleetgate serve
  fleetgate serve --config /etc/fleetgate/fleetgate.yaml
  systemctl reload fleetgate        or: kill -HUP PID`

export function addServe(program: Command, io: Io): void {
  withConfig(program.command('serve'))
    .description('Serve: clients call the gate, the gate decides, records and calls the cloud')
    .addHelpText('after', help)
    .action(async (options: ConfigOption) => {
      const config = openConfig(options, io)
      const log = createLog({ write: (line) => io.err(line.trimEnd()), clock: io.clock })
      const stopped = stopSignal(io)
      // Only now, so that the other commands start without the whole of it.
      const { startGate } = await import('../server.ts')
      await using gate = await startGate(config, { clock: io.clock, log })
      // Before the first request can come in: it takes some tens of milliseconds.
      giveBackMemory()
      io.onSignal('SIGHUP', () => {
        gate.reload().catch((error: unknown) => log.error('the reload failed', { error }))
      })
      const { origin, basePath } = config.upstream.origin
      io.out(`fleetgate serves ${gate.url} in front of ${origin}${basePath}`)
      await stopped
      log.info('stopping')
    })
}
