/** The command line: one command of many, its errors as sentences, its end as a code. */

import { Command, CommanderError } from 'commander'
import { formatMistake, Mistakes } from '../lib/mistake.ts'
import { version } from '../lib/version.ts'
import { count, type ExitCode, Finding, type Io, UsageError } from './io.ts'

type AddCommand = (program: Command, io: Io) => void

/** In the order of the help. A gate must not carry what the other commands need, so only the one that runs is loaded. */
const commands: Readonly<Record<string, () => Promise<AddCommand>>> = {
  serve: async () => (await import('./serve.ts')).addServe,
  demo: async () => (await import('./demo.ts')).addDemo,
  check: async () => (await import('./check.ts')).addCheck,
  explain: async () => (await import('./explain.ts')).addExplain,
  users: async () => (await import('./users.ts')).addUsers,
  token: async () => (await import('./token.ts')).addToken,
  operators: async () => (await import('./operators.ts')).addOperators,
  observed: async () => (await import('./observed.ts')).addObserved,
  generate: async () => (await import('./generate.ts')).addGenerate,
}

const help = `
Start here:
  fleetgate demo                                  a simulated cloud and a gate in front of it
  fleetgate check                                 every mistake in your files, at once
  fleetgate explain --user NAME GET /v1/devices   who may do what, and which line says so
  fleetgate serve                                 the gate

Exit codes: 0 fine, 1 a finding (a mistake in a file, a denied call, a refused token), 2 wrong usage.
In a checkout write "npm run -s fleetgate --" instead of "fleetgate".`

/** Never throws: whatever goes wrong is said on standard error. */
export async function run(argv: readonly string[], io: Io): Promise<ExitCode> {
  const program = new Command('fleetgate')
    .description(
      'A gate in front of a device cloud: each API user can do what its policy says, and no more.',
    )
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text.trimEnd()),
      writeErr: (text) => io.err(text.trimEnd()),
    })
    .addHelpText('after', help)
  try {
    for (const add of await commandsFor(argv)) add(program, io)
    await program.parseAsync(argv, { from: 'user' })
    return 0
  } catch (error) {
    return report(error, io)
  }
}

/** The one that is named; all, where help is wanted or a word is mistyped. */
function commandsFor([name = '']: readonly string[]): Promise<AddCommand[]> {
  const asked = Object.hasOwn(commands, name) ? commands[name] : undefined
  const chosen = asked === undefined ? Object.values(commands) : [asked]
  return Promise.all(chosen.map((load) => load()))
}

function report(error: unknown, io: Io): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof Finding) return 1
  if (error instanceof UsageError) {
    io.err(error.message)
    return 2
  }
  if (error instanceof Mistakes) {
    io.err(error.list.map(formatMistake).join('\n'))
    io.err(count(error.list.length, 'mistake'))
    return 1
  }
  io.err(error instanceof Error ? sentence(error) : String(error))
  return 1
}

/** What is thrown for people has a message for them; what the language throws is our fault and needs its place. */
function sentence(error: Error): string {
  const ours = [TypeError, RangeError, ReferenceError, SyntaxError].some(
    (kind) => error instanceof kind,
  )
  return ours ? (error.stack ?? error.message) : error.message
}
