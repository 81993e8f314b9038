/** The `--config` option, and what stands behind it. */

import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import type { Config, OfflineConfig } from '../config/config.ts'
import { loadConfig, loadOfflineConfig } from '../config/load.ts'
import { Mistakes } from '../lib/mistake.ts'
import { type Io, UsageError } from './io.ts'

export type ConfigOption = { config: string }

export function withConfig(command: Command): Command {
  return command.option('-c, --config <file>', 'the configuration', 'fleetgate.yaml')
}

/** @throws Mistakes, UsageError */
export function openConfig({ config: file }: ConfigOption, io: Io): Config {
  const loaded = loadConfig(readConfigText(file), file, io.env)
  if (!loaded.ok) throw new Mistakes(loaded.mistakes)
  return loaded.config
}

/** Without credentials of the cloud, with that of the store. @throws Mistakes, UsageError */
export function openOfflineConfig({ config: file }: ConfigOption, io: Io): OfflineConfig {
  const loaded = loadOfflineConfig(readConfigText(file), file, io.env)
  if (!loaded.ok) throw new Mistakes(loaded.mistakes)
  return loaded.config
}

/** @throws UsageError */
export function readConfigText(file: string): string {
  return readText(file, 'write one, or name it with --config; "fleetgate demo" needs none')
}

/** @throws UsageError with the file, the reason, and what to do */
export function readText(file: string, hint: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown fault'
    throw new UsageError(`${file} cannot be read (${code}); ${hint}`)
  }
}
