#!/usr/bin/env node
/** Argv to one command; the only `process.exit`. */

import { readFileSync } from 'node:fs'
import { run } from './cli/program.ts'
import { systemClock } from './domain/clock.ts'

// A reader that has seen enough (`| head`) is no fault of ours, and no reason to leave things behind.
process.stdout.on('error', () => undefined)

const code = await run(process.argv.slice(2), {
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
  env: process.env,
  clock: systemClock,
  readStdin: () => readFileSync(0),
  onSignal: (name, handler) => void process.on(name, handler),
})
// A pipe takes what is left only as long as this process lives.
await Promise.all([process.stdout, process.stderr].map(written))
process.exit(code)

function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => void stream.write('', () => resolve()))
}
