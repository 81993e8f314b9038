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
process.exit(code)
