/** `fleetgate check`: every mistake of configuration, catalog and policies at once, and the policies' own tests. */

import type { Command } from 'commander'
import { type ConfigOption, withConfig } from './config-file.ts'
import { checkFiles, type Checked } from './check-files.ts'
import { count, Finding, type Io, json, time } from './io.ts'
import { formatMistake } from '../lib/mistake.ts'

const help = `
Checks what "serve" would load, and runs the tests that stand in the policy files:

  tests:
    - name: the technician may not unlock
      user: acme-technician
      action: devices.function:call
      resource: { product: 12345, device: e00fce68f1d2a3b4c5d60701 }
      fields: { functions: unlock }
      want: deny

Examples:
  fleetgate check
  fleetgate check --skip-credentials      where the cloud's credentials are not at hand, as in CI
  fleetgate check --json

Exit code 1 if there is any mistake or any test fails.`

type Options = ConfigOption & { json?: true; skipCredentials?: true }

export function addCheck(program: Command, io: Io): void {
  withConfig(program.command('check'))
    .description(
      'Find every mistake in configuration, catalog and policies, and run the policy tests',
    )
    .option('--skip-credentials', 'do not look for the credentials that the configuration names')
    .option('--json', 'print JSON')
    .addHelpText('after', help)
    .action((options: Options) => {
      const env = options.skipCredentials ? undefined : io.env
      const checked = checkFiles(options.config, env, io.clock.now())
      if (options.json) io.out(json(checked))
      else io.out(report(checked))
      if (!checked.ok) throw new Finding()
    })
}

function report({ mistakes, notes, tests, users, observed }: Checked): string {
  const lines = mistakes.map(formatMistake)
  for (const note of notes) lines.push(`${formatMistake(note)} (only a note)`)
  for (const { who, until } of observed) {
    lines.push(`${who} is observed until ${time(Date.parse(until), '')}: nothing is refused`)
  }
  lines.push(...tests.failed.map(formatMistake))
  const ran = tests.passed + tests.failed.length
  lines.push(
    mistakes.length > 0
      ? count(mistakes.length, 'mistake')
      : `${count(users, 'API user')}, no mistakes; ${tests.passed} of ${count(ran, 'policy test')} passed`,
  )
  return lines.join('\n')
}
